"""What a picture's packet leaves behind in the decoder, apart from the picture: the elements that outlive it.

A picture that no other refers to may still carry such an element, and a group that is left out may. So a packet that
changes one is always sent if its group is, and decoding begins only at entries that state each one that ever changed.
The first packet is always sent, so what only it states is always known.

What outlives a picture, by codec, and what is done about it:

- MPEG-2: the sequence header with its extensions (`LastingElements`), and the quantiser matrices, which hold until the
  next sequence header. A B-picture is left out only if its packet has nothing but headers of pictures, and slices.
  Source: ITU-T H.262, 6.1.1.6, 6.2.2 and 6.3.11.
- MPEG-4: the headers of sequence, object and layer, and the name of the encoder, whose errors FFmpeg mends
  (`LastingElements`); the clock, which the header of a group sets (at all entries or at none). FFmpeg takes the
  distance of the fields of interlaced B-pictures from the first B-picture after a layer's header: such streams are
  decoded in order. Source: ISO/IEC 14496-2, 6.2.2 to 6.2.5; FFmpeg's libavcodec/mpeg4videodec.c (t_frame).
- H.264: parameter sets, by number; colours, which FFmpeg keeps where a later set states none; messages on film grain,
  orientation and transfer; x264's version, whose errors FFmpeg mends (`LastingElements`). Marking, frame numbers and
  order counts follow from the pictures that others refer to, and these are sent (8.2.1, 8.2.5). A picture that none
  refers to has the frame number of the next one, so there is no gap where it is left out (7.4.3).
- HEVC: parameter sets, by number, and the same messages. Order counts follow from pictures of the lowest sub-layer
  that others may refer to (8.3.1). An entry that discards what waits to be shown (no_output_of_prior_pics_flag), and
  a packet with other layers than the first, are not proven.
- VP8: the map of segments, which a key frame may keep (9.3: then it is no entry). A key frame resets probabilities,
  filter deltas and sign biases (9.6, 9.7, 9.11); inside a group all is sent.
- VP9: a key frame resets contexts, segments and deltas (7.2, setup_past_independence); inside a group all is sent.
- AV1: everything is kept in slots, film grain too; only a frame that refreshes none is left out. Each entry has a
  sequence header (7.20, 7.21).
- Motion JPEG: tables, which a packet must have itself to be an entry (T.81, B.2.4), and comments that FFmpeg heeds
  (`LastingElements`). PNG: the palette, likewise, and the chunks on colours, which FFmpeg does not forget
  (`LastingElements`). A picture of ProRes states all itself.
- All: what a container puts beside a packet (`embed.video.timeline`).
"""

from collections.abc import Hashable, Mapping
from typing import final

from embed.video.codecs.marks import DISPOSABLE, ENTRY, LASTING, OPEN, PYRAMIDAL, TRAILED

Elements = Mapping[Hashable, bytes]
"""Kind of an element (of parameter sets, kind and number) -> its content."""


@final
class LastingElements:
    """The elements of one stream that hold until another of their kind comes.

    Args:
        header: those in the stream's header.

    >>> lasting = LastingElements({})
    >>> [lasting.marks(ENTRY, {"matrix": b"a"}), lasting.marks(ENTRY, {}), lasting.marks(DISPOSABLE, {"matrix": b"a"})]
    [1, 1, 4]
    >>> lasting.marks(DISPOSABLE, {"matrix": b"b"}) == LASTING
    True
    >>> [lasting.marks(ENTRY, {}), lasting.marks(ENTRY, {"matrix": b"a"}) & ENTRY]
    [0, 1]
    """

    def __init__(self, header: Elements) -> None:
        self._begun_with = dict(header)
        self._changed: set[Hashable] = set()
        self._is_first = True

    def marks(self, marks: int, found: Elements) -> int:
        """Return the marks of the next packet, with regard to the elements found in it."""
        if self._is_first:
            self._begun_with |= found
            self._is_first = False
            return marks
        if not found and not self._changed:
            return marks
        changed = {kind for kind, content in found.items() if self._begun_with.get(kind) != content}
        self._changed |= changed
        if not self._changed <= found.keys():
            marks &= ~(ENTRY | OPEN)
        if not self._changed.isdisjoint(found):
            marks = marks & ~(DISPOSABLE | TRAILED | PYRAMIDAL) | LASTING
        return marks

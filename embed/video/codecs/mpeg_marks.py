"""The marks of MPEG-2 and MPEG-4 packets.

Sources: ITU-T H.262, 6.2 (MPEG-2); ISO/IEC 14496-2, 6.2 (MPEG-4).
"""

from collections.abc import Hashable, Iterator
from contextlib import suppress
from typing import final

from embed.video.codecs.bits import Bits, NotCovered
from embed.video.codecs.lasting import LastingElements
from embed.video.codecs.marks import DISPOSABLE, ENTRY, HIDDEN, OPEN, PARAMETERS, PREDICTED, UNPROVEN

_START_CODE = b"\0\0\1"
_PICTURE, _FIRST_SLICE, _LAST_SLICE, _USER_DATA, _SEQUENCE, _EXTENSION = 0, 0x01, 0xAF, 0xB2, 0xB3, 0xB5
# Extensions of a sequence: itself, its display, its scalability. Of a picture: copyright, display, coding.
_SEQUENCE_EXTENSIONS, _PICTURE_EXTENSIONS = (1, 2, 5), (4, 7, 8)


@final
class Mpeg2Rule:
    """Marks the packets of one MPEG-2 stream, and remembers its sequence header."""

    def __init__(self) -> None:
        self._lasting = LastingElements({})

    def marks(self, data: bytes, is_key: bool) -> int:
        """Return a packet's marks."""
        at = data.find(b"\0\0\1\0")
        if at < 0 or at + 5 >= len(data):
            return UNPROVEN
        found = dict(_mpeg2_headers(data[:at]))
        kind = data[at + 5] >> 3 & 7
        if kind == 1:
            marks = ENTRY | OPEN if is_key and _SEQUENCE in found else 0
        elif kind in (2, 3):
            marks = PREDICTED | (DISPOSABLE if kind == 3 and _is_picture_only(data) else 0)
        else:
            marks = UNPROVEN
        return self._lasting.marks(marks, found)


def _mpeg2_headers(head: bytes) -> Iterator[tuple[Hashable, bytes]]:
    """Yield the sequence header and its extensions that precede a picture."""
    for part in head.split(_START_CODE)[1:]:
        if part and part[0] == _SEQUENCE:
            yield _SEQUENCE, part
        elif len(part) > 1 and part[0] == _EXTENSION and part[1] >> 4 in _SEQUENCE_EXTENSIONS:
            yield (_EXTENSION, part[1] >> 4, part[1] & 1), part  # of a display: whether it states colours


def _is_picture_only(data: bytes) -> bool:
    """Return True if a packet holds nothing but pictures: no matrices, and no header of a sequence or group."""
    at = data.find(_START_CODE)
    while at >= 0 and at + 4 < len(data):
        code = data[at + 3]
        if code == _EXTENSION:
            if data[at + 4] >> 4 not in _PICTURE_EXTENSIONS:
                return False
        elif code not in (_PICTURE, _USER_DATA) and not _FIRST_SLICE <= code <= _LAST_SLICE:
            return False
        at = data.find(_START_CODE, at + 3)
    return True


_EMPTY_PICTURE_BYTES = 19  # the longest MPEG-4 picture without content, by FFmpeg's mpeg4_unpack_bframes
_LAYERS = range(0x20, 0x30)
_SEQUENCE_4, _USER_DATA_4, _GROUP, _OBJECT, _PICTURE_4 = 0xB0, 0xB2, 0xB3, 0xB5, b"\0\0\1\xb6"
_ENCODERS = (b"DivX", b"FFmp", b"Lavc", b"ffmp", b"XviD", b"XVID")  # names by which FFmpeg's decoder changes its ways


@final
class Mpeg4Rule:
    """Marks the packets of one MPEG-4 stream, and remembers what its headers state.

    Args:
        header: the stream's header bytes.
    """

    def __init__(self, header: bytes) -> None:
        parts = list(_mpeg4_parts(header))
        self._lasting = LastingElements(dict(_mpeg4_elements(parts)))
        self._may_have_fields = any(_may_have_fields(part) for part in parts)
        self._is_first = True
        self._have_entries_clocks: bool | None = None

    def marks(self, data: bytes, is_key: bool) -> int:
        """Return a packet's marks."""
        at = data.find(_PICTURE_4)
        parts = list(_mpeg4_parts(data[: max(0, at)]))
        self._may_have_fields |= any(_may_have_fields(part) for part in parts)
        marks = self._lasting.marks(_mpeg4_marks(data, at, is_key), dict(_mpeg4_elements(parts)))
        if any(part[0] in _LAYERS for part in parts):
            marks |= PARAMETERS
        if not self._is_clock_proven(marks, has_clock=any(part[0] == _GROUP for part in parts)):
            marks |= UNPROVEN
        if self._may_have_fields and marks & DISPOSABLE:
            marks |= UNPROVEN
        return marks

    def _is_clock_proven(self, marks: int, *, has_clock: bool) -> bool:
        """Return False if some entries set the clock and others do not, or another picture sets it."""
        if self._is_first:
            self._is_first = False
            return True
        if not marks & ENTRY:
            return not has_clock
        if self._have_entries_clocks is None:
            self._have_entries_clocks = has_clock
        return self._have_entries_clocks == has_clock


def _mpeg4_marks(data: bytes, at: int, is_key: bool) -> int:
    """Return the marks of a packet whose first picture begins at byte `at`."""
    if at < 0 and len(data) == 1:
        return HIDDEN  # a placeholder for a picture that Xvid had not finished yet
    if at < 0 or len(data) - at <= _EMPTY_PICTURE_BYTES or data.find(_PICTURE_4, at + 4) >= 0:
        return UNPROVEN  # a repeat of the previous picture, or two pictures packed in one packet, as by DivX
    kind = data[at + 4] >> 6
    if kind == 0:
        return ENTRY | OPEN if is_key else 0
    return PREDICTED | (DISPOSABLE if kind == 2 else 0)


def _mpeg4_parts(head: bytes) -> Iterator[bytes]:
    """Yield what the start codes of headers begin, from the last byte of each code on."""
    return (part for part in head.split(_START_CODE)[1:] if part)


def _mpeg4_elements(parts: list[bytes]) -> Iterator[tuple[Hashable, bytes]]:
    for part in parts:
        is_encoder = part[0] == _USER_DATA_4 and part[1:5] in _ENCODERS
        if part[0] == _OBJECT:  # FFmpeg keeps the colours of an earlier one where one states none
            yield part, b""
        elif part[0] == _SEQUENCE_4 or part[0] in _LAYERS or is_encoder:
            yield part[0], part.rstrip(b"\0")


def _may_have_fields(part: bytes) -> bool:
    """Return True if a part is the header of a layer (VOL) that is interlaced, or that cannot be read."""
    if part[0] not in _LAYERS:
        return False
    with suppress(NotCovered):
        return _is_interlaced(Bits(part[1:]))
    return True


def _is_interlaced(bits: Bits) -> bool:
    """Read a layer's header up to its flag `interlaced`."""
    bits.take(9)  # random access, type
    if bits.take(1):
        bits.take(7)  # version, priority
    if bits.take(4) == 15:
        bits.take(16)  # aspect of a pixel
    if bits.take(1):
        bits.take(3)
        if bits.take(1):
            bits.take(79)  # buffer
    if bits.take(2):  # not rectangular
        raise NotCovered
    bits.take(1)
    resolution = bits.take(16)
    bits.take(1)
    if bits.take(1):
        bits.take(max(1, (resolution - 1).bit_length()))
    bits.take(29)  # width and height between markers
    return bool(bits.take(1))

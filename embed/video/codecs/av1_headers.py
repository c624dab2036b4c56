"""AV1's sequence and frame headers, as far as to tell whether later frames may lean on a frame.

Whatever a frame takes from others (pictures, motion vectors, probabilities, segments, film grain), it takes from one of
eight slots, so nothing leans on a frame that refreshes no slot.

Source: AV1 bitstream specification, 4.10.5 (leb128), 5.3 (units), 5.5 (sequence header), 5.9.2 (frame header), 7.20
(reference frame update).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from embed.video.codecs.bits import Bits, NotCovered

SEQUENCE_HEADER, _FRAME_HEADER, _FRAME, REPEATED_HEADER = 1, 3, 6, 7  # types of units
_INTER = 1  # frame_type
_EACH_FRAME_SAYS = 2  # of tools that a sequence may have on, off, or chosen by each frame
_HEAD_BYTES = 64  # more than the fields that are read here take


@dataclass(frozen=True)
class FrameSyntax:
    """What a sequence header says of how frame headers are written.

    Args:
        screen_content_tools: 0 or 1 in all frames, or 2: each frame says so.
        integer_motion: likewise.
        order_hint_bits: of a frame's place in the order of showing.
    """

    screen_content_tools: int
    integer_motion: int
    order_hint_bits: int


class Unit(NamedTuple):
    """A unit (OBU) of a packet.

    Args:
        kind: its type.
        is_layered: it says which layer it belongs to.
        begin: where it begins in the packet, in bytes.
        content: its first bytes, without the unit's own header.
    """

    kind: int
    is_layered: bool
    begin: int
    content: bytes

    @property
    def begins_frame(self) -> bool:
        """Whether it is a frame, or the header of one whose tiles follow."""
        return self.kind in (_FRAME_HEADER, _FRAME)

    @property
    def shows(self) -> bool:
        """Whether it shows a frame, be it an earlier one; asked of one that begins a frame."""
        return not self.content or bool(self.content[0] & 0x90)

    @property
    def is_shown_key(self) -> bool:
        """Whether it is a key frame that is shown; asked of one that begins a frame."""
        return bool(self.content) and self.content[0] & 0xF0 == 0x10


def split_units(data: bytes) -> Iterator[Unit]:
    """Yield a packet's units; of a damaged one, anything."""
    at = 0
    while at < len(data):
        begin, kind = at, data[at] >> 3 & 15
        has_extension, has_size = data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + has_extension
        size, at = _leb128(data, at) if has_size else (len(data) - at, at)
        yield Unit(kind, bool(has_extension), begin, data[at : min(at + size, at + _HEAD_BYTES)])
        at += size


def cut_last_frame(data: bytes) -> bytes:
    """Return a packet without its last frame.

    >>> cut_last_frame(bytes.fromhex("1200 3201aa 3201bb")).hex()
    '12003201aa'
    """
    begins = [unit.begin for unit in split_units(data) if unit.begins_frame]
    return data[: begins[-1]] if begins else data


def read_sequence_header(content: bytes) -> FrameSyntax:
    """Return what a sequence header says of frame headers.

    Args:
        content: of its unit.

    Raises:
        NotCovered: frames carry numbers or times of decoding, or there is but one frame.
    """
    bits = Bits(content)
    bits.take(4)  # profile, still picture
    if bits.take(1):  # reduced still picture header
        raise NotCovered
    if bits.take(1):
        _skip_timing(bits)
    _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    bits.take(width_bits + height_bits)
    if bits.take(1):  # frame numbers
        raise NotCovered
    bits.take(7)  # tools of prediction and filtering
    has_order_hint = bits.take(1)
    if has_order_hint:
        bits.take(2)
    screen_content_tools = _on_off_or_each(bits)
    integer_motion = _on_off_or_each(bits) if screen_content_tools else _EACH_FRAME_SAYS
    return FrameSyntax(screen_content_tools, integer_motion, bits.take(3) + 1 if has_order_hint else 0)


def is_unreferenced(content: bytes, syntax: FrameSyntax) -> bool:
    """Tell whether no later frame can lean on a frame. Of those that are not predicted from others it is not told.

    Args:
        content: of a frame's or a frame header's unit.
        syntax: of its sequence.

    Raises:
        NotCovered: it ends too soon.
    """
    bits = Bits(content)
    shows_earlier_one, kind, is_shown = bits.take(1), bits.take(2), bits.take(1)
    if shows_earlier_one or kind != _INTER:
        return False
    if not is_shown:
        bits.take(1)  # whether it may be shown later
    is_resilient = bits.take(1)
    bits.take(1)  # whether probabilities stay as they are
    tools = bits.take(1) if syntax.screen_content_tools == _EACH_FRAME_SAYS else syntax.screen_content_tools
    if tools and syntax.integer_motion == _EACH_FRAME_SAYS:
        bits.take(1)
    bits.take(1 + syntax.order_hint_bits)  # whether its size is its own, and its place
    if not is_resilient:
        bits.take(3)  # the slot whose probabilities it begins with
    return bits.take(8) == 0  # the slots that it refreshes


def _on_off_or_each(bits: Bits) -> int:
    return _EACH_FRAME_SAYS if bits.take(1) else bits.take(1)


def _skip_timing(bits: Bits) -> None:
    bits.take(64)
    if bits.take(1):  # all pictures last equally long
        bits.code()
    if bits.take(1):  # a decoder model
        raise NotCovered


def _skip_operating_points(bits: Bits) -> None:
    has_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # levels that have a tier
            bits.take(1)
        if has_delay and bits.take(1):
            bits.take(4)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return a little-endian base-128 number, and where it ends."""
    value = shift = 0
    for end in range(at, min(at + 8, len(data))):
        value |= (data[end] & 0x7F) << shift
        shift += 7
        if not data[end] & 0x80:
            return value, end + 1
    return len(data), len(data)

"""AV1's sequence and frame headers, as far as to tell whether later frames may lean on a frame.

Whatever a frame takes from others (pictures, motion vectors, probabilities, segments, film grain), it takes from one of
eight slots, so nothing leans on a frame that refreshes no slot.

Source: AV1 bitstream specification, 4.10.5 (leb128), 5.3 (units), 5.5 (sequence header), 5.9.2 (frame header), 7.20
(reference frame update).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from embed.bits import Bits, NotCovered

SEQUENCE_HEADER, FRAME_HEADER, FRAME, REPEATED_HEADER = 1, 3, 6, 7  # types of units
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


def split_units(data: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Yield each unit's (OBU's) type, whether it names a layer, and its content; of a damaged packet, anything."""
    at = 0
    while at < len(data):
        kind, has_extension, has_size = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + has_extension
        size, at = _leb128(data, at) if has_size else (len(data) - at, at)
        yield kind, bool(has_extension), data[at : at + size]
        at += size


def read_sequence_header(content: bytes) -> FrameSyntax:
    """Return what a sequence header says of frame headers.

    Args:
        content: of its unit.

    Raises:
        NotCovered: frames carry numbers or times of decoding, or there is but one frame.
    """
    bits = Bits(content[:_HEAD_BYTES])
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
    bits = Bits(content[:_HEAD_BYTES])
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

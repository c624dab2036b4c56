"""AV1's sequence and frame headers, read as far as needed to know whether later frames may refer to a frame.

Whatever a frame takes from others (pictures, motion vectors, probabilities, segments, film grain), it takes from one of
eight slots, so no frame can refer to a frame that refreshes no slot.

Source: AV1 bitstream specification, 4.10.5 (leb128), 5.3 (units), 5.5 (sequence header), 5.9.2 (frame header), 7.20
(reference frame update).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from embed.video.codecs.bits import Bits, NotCovered

SEQUENCE_HEADER, _FRAME_HEADER, _FRAME, REPEATED_HEADER = 1, 3, 6, 7  # types of units
_INTER = 1  # frame_type
_EACH_FRAME_SAYS = 2  # a sequence may switch a tool on (1) or off (0), or let each frame choose
_HEAD_BYTES = 64  # more than the fields need that are read here


@dataclass(frozen=True)
class FrameSyntax:
    """What a sequence header states about the syntax of frame headers.

    Args:
        screen_content_tools: 0 or 1 for all frames, or 2 if each frame states it.
        integer_motion: likewise.
        order_hint_bits: the bits of the field with a frame's place in display order; 0 if there is none.
    """

    screen_content_tools: int
    integer_motion: int
    order_hint_bits: int


class Unit(NamedTuple):
    """A unit (OBU) of a packet.

    Args:
        kind: its type.
        is_layered: True if it states the layer that it belongs to.
        begin: the byte of the packet where it begins.
        content: its first bytes, without the unit's own header.
    """

    kind: int
    is_layered: bool
    begin: int
    content: bytes

    @property
    def begins_frame(self) -> bool:
        """True if it is a frame, or the header of a frame whose tiles follow."""
        return self.kind in (_FRAME_HEADER, _FRAME)

    @property
    def shows(self) -> bool:
        """True if it shows a frame, which may be an earlier one. Valid only for a unit that begins a frame."""
        return not self.content or bool(self.content[0] & 0x90)

    @property
    def is_shown_key(self) -> bool:
        """True if it is a key frame that is shown. Valid only for a unit that begins a frame."""
        return bool(self.content) and self.content[0] & 0xF0 == 0x10


def split_units(data: bytes) -> Iterator[Unit]:
    """Yield a packet's units. The units of a damaged packet may be anything."""
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
    """Return what a sequence header states about frame headers.

    Args:
        content: the content of its unit.

    Raises:
        NotCovered: frames carry frame numbers or decoding times, or the stream is a single still picture.
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
    """Return True if no later frame can refer to a frame; always False for frames that are not predicted from others.

    Args:
        content: the content of the unit of a frame or a frame header.
        syntax: of its sequence.

    Raises:
        NotCovered: the content ends too soon.
    """
    bits = Bits(content)
    shows_earlier_one, kind, is_shown = bits.take(1), bits.take(2), bits.take(1)
    if shows_earlier_one or kind != _INTER:
        return False
    if not is_shown:
        bits.take(1)  # whether it may be shown later
    is_resilient = bits.take(1)
    bits.take(1)  # whether updates of probabilities are disabled
    tools = bits.take(1) if syntax.screen_content_tools == _EACH_FRAME_SAYS else syntax.screen_content_tools
    if tools and syntax.integer_motion == _EACH_FRAME_SAYS:
        bits.take(1)
    bits.take(1 + syntax.order_hint_bits)  # whether it has a size of its own, and its place
    if not is_resilient:
        bits.take(3)  # the slot from which it takes its initial probabilities
    return bits.take(8) == 0  # the slots that it refreshes


def _on_off_or_each(bits: Bits) -> int:
    return _EACH_FRAME_SAYS if bits.take(1) else bits.take(1)


def _skip_timing(bits: Bits) -> None:
    bits.take(64)
    if bits.take(1):  # all pictures have the same duration
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
    """Return a little-endian base-128 number and the byte where it ends."""
    value = shift = 0
    for end in range(at, min(at + 8, len(data))):
        value |= (data[end] & 0x7F) << shift
        shift += 7
        if not data[end] & 0x80:
            return value, end + 1
    return len(data), len(data)

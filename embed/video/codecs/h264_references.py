"""Which B-pictures of H.264 no needed picture refers to, although it may, and what to send in their place.

The numbering, order and marking of all later references depend on such a picture, so it cannot be left out. Its content
can be left out if no needed picture has it in a reference list. To find out, the lists are built from the slice headers
as the standard defines, beginning at an IDR picture. The stand-in is a P-picture with the same number, order and
markings that repeats another picture: a few bytes, which decode in a fraction of the time. Progressive frames and
short-term references are covered; all other pictures are kept as they are.

Source: ITU-T H.264, 7.3.4 (slice data), 8.2.1 (order counts), 8.2.4 (reference lists), 8.2.5 (marking).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from embed.video.codecs.bits import NotCovered
from embed.video.codecs.h264_headers import (
    IDR,
    KIND_B,
    KIND_I,
    KIND_P,
    PICTURE_PARAMETERS,
    WHOLE,
    FrameNumbering,
    ParameterSets,
    Slice,
)


@dataclass(frozen=True, eq=False)
class _Reference:
    place: int
    frame_number: int
    order: int


@dataclass(frozen=True)
class _Picture:
    """What is known about a picture before it is decoded; other pictures are given by their places."""

    lists: frozenset[int]
    is_b: bool
    stand_in: tuple[bytes, ...]


def stand_ins(
    units_of: Sequence[Sequence[bytes]], parameter_units: Iterable[bytes], is_target: Sequence[bool]
) -> dict[int, tuple[bytes, ...]]:
    """Return units to send in place of the B-pictures that are not needed; empty if the stream is not covered.

    Args:
        units_of: for each picture in decoding order, beginning at an IDR picture, the heads of its slices and parameter
            sets. It must include all pictures that others may refer to.
        parameter_units: the parameter sets in the stream's header.
        is_target: for each picture, True if it must be decoded as it is.

    Returns:
        For a picture's place in `units_of`: a parameter set and a slice.
    """
    try:
        pictures = list(_walk(units_of, parameter_units))
    except (NotCovered, KeyError, IndexError, ValueError):
        return {}
    needed = {place for place, picture in enumerate(pictures) if is_target[place] or not picture.is_b}
    for place in range(len(pictures) - 1, -1, -1):  # references come earlier
        if place in needed:
            needed |= pictures[place].lists
    return {place: picture.stand_in for place, picture in enumerate(pictures) if place not in needed}


def _walk(units_of: Sequence[Sequence[bytes]], parameter_units: Iterable[bytes]) -> Iterator[_Picture]:
    known = ParameterSets()
    for unit in parameter_units:
        known.learn(unit)
    marking: _Marking | None = None
    for place, units in enumerate(units_of):
        for unit in units:
            known.learn(unit)
        if known.has(_SPARE_PARAMETERS):
            raise NotCovered
        slices = [known.read_slice(unit) for unit in units if unit and 1 <= unit[0] & 31 <= IDR]
        sequence, first = slices[0]
        if first.is_idr:
            marking = _Marking(sequence)
        if marking is None or any(each != marking.sequence or not _is_of_one(found, first) for each, found in slices):
            raise NotCovered
        yield marking.take_in(place, [found for _, found in slices])


def _is_of_one(found: Slice, first: Slice) -> bool:
    """Return True if two slices agree on what all slices of a picture share."""
    return (found.frame_number, found.order_low, found.order_difference, found.unmarked) == (
        first.frame_number,
        first.order_low,
        first.order_difference,
        first.unmarked,
    ) and (found.reference_level, found.is_idr) == (first.reference_level, first.is_idr)


@final
class _Marking:
    """The references that a decoder holds, beginning at an IDR picture."""

    def __init__(self, sequence: FrameNumbering) -> None:
        self.sequence = sequence
        self._held: list[_Reference] = []
        self._previous_number = 0
        self._previous_order = 0

    def take_in(self, place: int, slices: list[Slice]) -> _Picture:
        """Return what is known about the next picture, after building its lists and marking references."""
        found, turn = slices[0], 1 << self.sequence.frame_number_bits
        if found.frame_number != (0 if found.is_idr else (self._previous_number + 1) % turn):
            raise NotCovered
        numbers = {r: r.frame_number - turn * (r.frame_number > found.frame_number) for r in self._held}
        order = self._order(found)
        leant_on = {reference for each in slices for reference in self._lists(each, order, numbers)}
        if found.is_reference:
            self._mark(found, numbers)
            self._held.append(_Reference(place, found.frame_number, order + min(0, found.order_difference)))
            self._previous_number, self._previous_order = found.frame_number, order
        return _Picture(
            lists=frozenset(reference.place for reference in leant_on),
            is_b=all(each.kind == KIND_B for each in slices),
            stand_in=(_repeating_parameters(found.sequence), _repeating_slice(found, self.sequence)),
        )

    def _order(self, found: Slice) -> int:
        """Return the order count, whose low bits are in the slice. Without them no picture is reordered."""
        if not self.sequence.order_bits:
            if found.kind == KIND_B:
                raise NotCovered
            return 0
        if found.is_idr:
            return found.order_low
        turn = 1 << self.sequence.order_bits
        step = (found.order_low - self._previous_order) % turn
        return self._previous_order + (step if step <= turn // 2 else step - turn)

    def _lists(self, found: Slice, order: int, numbers: dict[_Reference, int]) -> set[_Reference]:
        if found.kind == KIND_I:
            return set()
        if found.kind == KIND_P:
            lists = [sorted(self._held, key=lambda r: -numbers[r])]
        else:
            order += min(0, found.order_difference)
            before = sorted((r for r in self._held if r.order < order), key=lambda r: -r.order)
            after = sorted((r for r in self._held if r.order >= order), key=lambda r: r.order)
            lists = [before + after, after + before]
            if len(lists[1]) > 1 and lists[0] == lists[1]:
                lists[1][:2] = lists[1][1::-1]
        turn = 1 << self.sequence.frame_number_bits
        changed = [
            _reorder(*each, found.frame_number, turn, numbers) for each in zip(lists, found.changes, strict=False)
        ]
        return {r for entries, count in zip(changed, found.counts, strict=False) for r in entries[:count]}

    def _mark(self, found: Slice, numbers: dict[_Reference, int]) -> None:
        if found.unmarked is None:
            if len(self._held) >= max(1, self.sequence.reference_count):
                self._held.remove(min(self._held, key=lambda r: numbers[r]))
            return
        for step in found.unmarked:
            self._held.remove(_numbered(found.frame_number - step, numbers))
        if len(self._held) >= max(1, self.sequence.reference_count):
            raise NotCovered


def _reorder(
    entries: list[_Reference], steps: list[int], own: int, turn: int, numbers: dict[_Reference, int]
) -> list[_Reference]:
    """Return a list with pictures moved to its front, each found by the step from the previous picture's number."""
    number = own
    for front, step in enumerate(steps):
        number = (number + step) % turn
        chosen = _numbered(number - turn if number > own else number, numbers)
        entries = [*entries[:front], chosen, *(entry for entry in entries[front:] if entry is not chosen)]
    return entries


def _numbered(number: int, numbers: dict[_Reference, int]) -> _Reference:
    for reference, own in numbers.items():
        if own == number:
            return reference
    raise NotCovered


_SPARE_PARAMETERS = 255  # the last number that a set may have; 7.4.2.2


def _repeating_parameters(sequence: int) -> bytes:
    """Return picture parameters for slices of skipped macroblocks, such as those of `_repeating_slice`."""
    bits = _code_bits(_SPARE_PARAMETERS) + _code_bits(sequence)
    bits += "00"  # no CABAC, no second order count
    bits += _code_bits(0) * 3  # one slice group, one reference per list
    bits += "000"  # no weights
    bits += _code_bits(0) * 3  # quantisers
    bits += "100"  # deblocking is stated; no constrained intra prediction; no redundant pictures
    return _unit(3 << 5 | PICTURE_PARAMETERS, bits)


def _repeating_slice(found: Slice, sequence: FrameNumbering) -> bytes:
    """Return a P-slice to send in a picture's place; all its macroblocks repeat those of its first reference."""
    if found.order_difference:
        raise NotCovered
    bits = _code_bits(0) + _code_bits(KIND_P) + _code_bits(_SPARE_PARAMETERS)
    bits += f"{found.frame_number:0{sequence.frame_number_bits}b}"
    bits += f"{found.order_low:0{sequence.order_bits}b}" if sequence.order_bits else ""
    bits += "00"  # one reference, lists not reordered
    if found.is_reference and found.unmarked is None:
        bits += "0"
    elif found.is_reference:
        bits += "1" + "".join(_code_bits(1) + _code_bits(step - 1) for step in found.unmarked or ()) + _code_bits(0)
    bits += _code_bits(0) + _code_bits(1)  # quantiser unchanged, no deblocking
    return _unit(found.reference_level << 5 | WHOLE, bits + _code_bits(sequence.macroblock_count))


def _code_bits(number: int) -> str:
    """Return the bits of an unsigned Exp-Golomb code, ue(v)."""
    binary = f"{number + 1:b}"
    return "0" * (len(binary) - 1) + binary


def _unit(head: int, bits: str) -> bytes:
    """Return a complete unit, with a stop bit, and with emulation prevention bytes that keep start codes out of it."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    content, zeros = bytearray([head]), 0
    for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
        if zeros == 2 and byte <= 3:
            content.append(3)
            zeros = 0
        content.append(byte)
        zeros = 0 if byte else zeros + 1
    return bytes(content)

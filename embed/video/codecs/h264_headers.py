"""H.264's parameter sets and slice headers, read as far as needed to build reference lists.

Source: ITU-T H.264, 7.3.2.1 (sequence parameters), 7.3.2.2 (picture parameters), 7.3.3 (slice header).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

from embed.video.codecs.bits import Bits, NotCovered

WHOLE, IDR, SEQUENCE_PARAMETERS, PICTURE_PARAMETERS = 1, 5, 7, 8  # types of units
KIND_P, KIND_B, KIND_I = 0, 1, 2  # types of slices, modulo 5
_WITH_CHROMA_FORMAT = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True)
class FrameNumbering:
    """What a sequence parameter set states about the numbering and storage of pictures."""

    frame_number_bits: int
    order_bits: int  # 0: pictures are shown in decoding order
    reference_count: int
    macroblock_count: int
    has_colour: bool
    may_have_fields: bool
    is_covered: bool  # by `ParameterSets.read_slice`


@dataclass(frozen=True)
class _Parameters:
    sequence: int
    has_bottom_order: bool
    default_counts: tuple[int, int]
    is_weighted: bool
    weighting_of_b: int
    has_redundancy: bool


@dataclass
class Slice:
    """A slice's header, up to the marking of references.

    Args:
        kind: KIND_P, KIND_B or KIND_I.
        sequence: the number of its sequence parameter set.
        reference_level: nal_ref_idc.
        is_idr: True if it belongs to an IDR picture.
        frame_number: frame_num.
        order_low: the low bits of the order count; 0 if the stream has none.
        order_difference: the difference of the bottom field's order count.
        counts: how many entries of each list are used.
        changes: for each list, the steps from picture number to picture number that reorder it.
        unmarked: the steps back to the references that are released; None if the oldest one is released.
    """

    kind: int
    sequence: int
    reference_level: int
    is_idr: bool
    frame_number: int
    order_low: int = 0
    order_difference: int = 0
    counts: tuple[int, int] = (0, 0)
    changes: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    unmarked: list[int] | None = None

    @property
    def is_reference(self) -> bool:
        """True if other pictures may refer to it."""
        return self.reference_level > 0


@final
class ParameterSets:
    """The parameter sets read so far."""

    def __init__(self) -> None:
        self._sequences: dict[int, FrameNumbering] = {}
        self._parameters: dict[int, _Parameters] = {}

    @property
    def may_have_fields(self) -> bool:
        """True if pictures may be coded as two fields."""
        return any(sequence.may_have_fields for sequence in self._sequences.values())

    def has(self, picture_parameters: int) -> bool:
        """Return True if a picture parameter set of this number was read."""
        return picture_parameters in self._parameters

    def learn(self, unit: bytes) -> None:
        """Read a unit if it is a parameter set."""
        if unit and unit[0] & 31 == SEQUENCE_PARAMETERS:
            number, sequence = _read_sequence(_bits_of(unit))
            self._sequences[number] = sequence
        elif unit and unit[0] & 31 == PICTURE_PARAMETERS:
            number, parameters = _read_parameters(_bits_of(unit))
            self._parameters[number] = parameters

    def read_slice(self, unit: bytes) -> tuple[FrameNumbering, Slice]:
        """Read a slice's header.

        Raises:
            NotCovered: it uses a feature that this module does not read.
        """
        bits = _bits_of(unit)
        kind, parameters, sequence = self._begin(bits)
        is_whole = unit[0] & 31 in (WHOLE, IDR)
        if not is_whole or kind not in (KIND_P, KIND_B, KIND_I) or sequence.may_have_fields or not sequence.is_covered:
            raise NotCovered
        number = bits.take(sequence.frame_number_bits)
        found = Slice(kind, parameters.sequence, unit[0] >> 5 & 3, unit[0] & 31 == IDR, number)
        if found.is_idr:
            bits.code()
        if sequence.order_bits:
            found.order_low = bits.take(sequence.order_bits)
            if parameters.has_bottom_order:
                found.order_difference = _signed(bits.code())
        _read_lists(bits, found, parameters, sequence)
        return sequence, found

    def field_of(self, unit: bytes) -> int | None:
        """Return the field that a slice belongs to: 0 for the top, 1 for the bottom field, None for a whole frame.

        Raises:
            NotCovered: its header cannot be read.
            KeyError: its parameter sets have not been read.
        """
        bits = _bits_of(unit)
        *_, sequence = self._begin(bits)
        bits.take(sequence.frame_number_bits)
        return bits.take(1) if sequence.may_have_fields and bits.take(1) else None

    def frame_number_of(self, unit: bytes) -> int:
        """Return the number of the frame that a slice belongs to (frame_num), which both fields of a frame share.

        Raises:
            NotCovered: its header cannot be read.
            KeyError: its parameter sets have not been read.
        """
        bits = _bits_of(unit)
        *_, sequence = self._begin(bits)
        return bits.take(sequence.frame_number_bits)

    def _begin(self, bits: Bits) -> tuple[int, _Parameters, FrameNumbering]:
        """Read a slice's header up to its frame number."""
        bits.code()
        kind = bits.code() % 5
        parameters = self._parameters[bits.code()]
        return kind, parameters, self._sequences[parameters.sequence]


def _bits_of(unit: bytes) -> Bits:
    """Return the bits after a unit's header byte, without emulation prevention bytes."""
    return Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))


def _read_sequence(bits: Bits) -> tuple[int, FrameNumbering]:
    profile = bits.take(8)
    bits.take(16)
    number, chroma = bits.code(), 1
    if profile in _WITH_CHROMA_FORMAT:
        chroma = bits.code()
        if chroma == 3 and bits.take(1):  # each colour has its own slices
            raise NotCovered
        bits.skip_codes(2)
        bits.take(1)
        if bits.take(1):
            _skip_scaling_matrices(bits, 12 if chroma == 3 else 8)
    frame_number_bits, order_kind = bits.code() + 4, bits.code()
    order_bits = bits.code() + 4 if order_kind == 0 else 0
    if order_kind == 1:
        bits.take(1)
        bits.skip_codes(2)
        bits.skip_codes(bits.code())
    reference_count = bits.code()
    may_have_gaps = bits.take(1)
    macroblock_count = (bits.code() + 1) * (bits.code() + 1)
    may_have_fields, is_covered = not bits.take(1), not may_have_gaps and order_kind != 1
    return number, FrameNumbering(
        frame_number_bits, order_bits, reference_count, macroblock_count, chroma != 0, may_have_fields, is_covered
    )


def stated_colours(unit: bytes) -> dict[str, int]:
    """Return what a sequence parameter set states about colours: their range, and their primaries, transfer and matrix.

    FFmpeg keeps those of an earlier set where a set states none. Source: ITU-T H.264, E.1.1.

    Raises:
        NotCovered: the set cannot be read.
    """
    bits = _bits_of(unit)
    _, numbering = _read_sequence(bits)
    bits.take(1 + numbering.may_have_fields)
    if bits.take(1):
        bits.skip_codes(4)  # cropping
    if not bits.take(1):
        return {}
    if bits.take(1) and bits.take(8) == _OWN_ASPECT:
        bits.take(32)
    if bits.take(1):
        bits.take(1)  # overscan
    if not bits.take(1):
        return {}
    bits.take(3)
    is_full_range = bits.take(1)
    return {"range": is_full_range} | ({"colours": bits.take(24)} if bits.take(1) else {})


_OWN_ASPECT = 255  # a ratio that is stated, not one of a table


def _skip_scaling_matrices(bits: Bits, count: int) -> None:
    """Skip the lists of 7.3.2.1.1.1: the first six have 16 entries, the others 64."""
    for matrix in range(count):
        if not bits.take(1):
            continue
        scale = 8
        for _ in range(16 if matrix < 6 else 64):
            scale = (scale + _signed(bits.code())) % 256
            if scale == 0:  # the remaining entries repeat the last one
                break


def _read_parameters(bits: Bits) -> tuple[int, _Parameters]:
    number, sequence = bits.code(), bits.code()
    bits.take(1)
    has_bottom_order = bool(bits.take(1))
    if bits.code():  # slice groups
        raise NotCovered
    counts = bits.code() + 1, bits.code() + 1
    is_weighted, weighting_of_b = bool(bits.take(1)), bits.take(2)
    bits.skip_codes(3)
    bits.take(2)
    return number, _Parameters(
        sequence, has_bottom_order, counts, is_weighted, weighting_of_b, has_redundancy=bool(bits.take(1))
    )


def _read_lists(bits: Bits, found: Slice, parameters: _Parameters, sequence: FrameNumbering) -> None:
    """Read a slice header, from after its order count to the marking of references."""
    if parameters.has_redundancy and bits.code():
        raise NotCovered
    if found.kind == KIND_B:
        bits.take(1)
    list_count = {KIND_I: 0, KIND_P: 1, KIND_B: 2}[found.kind]
    if list_count:
        counts = parameters.default_counts
        if bits.take(1):
            counts = bits.code() + 1, bits.code() + 1 if found.kind == KIND_B else 0
        found.counts = counts[0], counts[1] if found.kind == KIND_B else 0
    for changes in found.changes[:list_count]:
        changes.extend(_read_changes(bits))
    if (found.kind == KIND_P and parameters.is_weighted) or (found.kind == KIND_B and parameters.weighting_of_b == 1):
        _skip_weights(bits, sum(found.counts), has_colour=sequence.has_colour)
    if found.is_reference:
        _read_marking(bits, found)


def _read_changes(bits: Bits) -> Iterator[int]:
    """Yield the signed steps, from one picture number to the next, that reorder a list."""
    if not bits.take(1):
        return
    while (kind := bits.code()) != 3:
        if kind > 1:
            raise NotCovered
        step = bits.code() + 1
        yield step if kind else -step


def _skip_weights(bits: Bits, count: int, *, has_colour: bool) -> None:
    bits.skip_codes(1 + has_colour)
    for _ in range(count):
        bits.skip_codes(2 * bits.take(1))
        if has_colour:
            bits.skip_codes(4 * bits.take(1))


def _read_marking(bits: Bits, found: Slice) -> None:
    if found.is_idr:
        if bits.take(2) & 1:  # long-term reference
            raise NotCovered
    elif bits.take(1):
        found.unmarked = []
        while (operation := bits.code()) != 0:
            if operation != 1:
                raise NotCovered
            found.unmarked.append(bits.code() + 1)


def _signed(code: int) -> int:
    """Return the signed value, se(v), of an unsigned code, ue(v)."""
    return (code + 1) // 2 if code & 1 else -(code // 2)

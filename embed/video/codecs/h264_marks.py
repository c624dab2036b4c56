"""The marks of H.264 packets. Source: ITU-T H.264, 7.3.1, 7.4.1 and D.2.8."""

from collections.abc import Iterable
from typing import final

from embed.video.codecs.bits import NotCovered
from embed.video.codecs.h264_headers import ParameterSets
from embed.video.codecs.lasting import LastingElements
from embed.video.codecs.marks import DISPOSABLE, ENTRY, HIDDEN, OPEN, PARAMETERS, PREDICTED, PYRAMIDAL, UNPROVEN
from embed.video.codecs.units import lasting_elements, messages, parameter_units, unit_splitter


@final
class H264Rule:
    """Marks the packets of one H.264 stream, and remembers its parameter sets.

    Args:
        extradata: the stream's header bytes.
    """

    def __init__(self, extradata: bytes) -> None:
        header = parameter_units("h264", extradata)
        self._split = unit_splitter("h264", extradata)
        self._known = ParameterSets()
        self._may_have_fields = False
        self._lone_field: tuple[int, int] | None = None
        self._learn(header)
        self._lasting = LastingElements(lasting_elements("h264", header))

    def marks(self, data: bytes, is_key: bool) -> int:
        """Return a packet's marks."""
        units = self._split(data)
        others = [unit for unit in units if unit and not 1 <= unit[0] & 31 <= 5]
        if others:  # most packets have only slices
            self._learn(others)
        if self._may_have_fields and not self._is_whole(units):
            return UNPROVEN | (HIDDEN if self._completes_a_frame(units) else 0)
        return self._lasting.marks(_h264_marks(units, is_key), lasting_elements("h264", others) if others else {})

    def _learn(self, units: Iterable[bytes]) -> None:
        for unit in units:
            try:
                self._known.learn(unit)
            except NotCovered:
                self._may_have_fields = True
        self._may_have_fields |= self._known.may_have_fields

    def _is_whole(self, units: list[bytes]) -> bool:
        """Return True if a packet holds a frame or both of its fields: from one field, decoders invent the other."""
        try:
            fields = {self._known.field_of(unit) for unit in units if unit and 1 <= unit[0] & 31 <= 5}
        except (NotCovered, KeyError):
            return False
        return fields in ({None}, {0, 1})

    def _completes_a_frame(self, units: list[bytes]) -> bool:
        """Return True if a packet without a whole frame holds the second field of the frame of the packet before it."""
        before, self._lone_field = self._lone_field, None
        try:
            found = {
                (self._known.field_of(unit), self._known.frame_number_of(unit))
                for unit in units
                if unit and 1 <= unit[0] & 31 <= 5
            }
        except (NotCovered, KeyError):
            return False
        if len(found) != 1:
            return False
        ((field, number),) = found
        if field is None:
            return False
        if before == (1 - field, number):
            return True
        self._lone_field = field, number
        return False


def _h264_marks(units: list[bytes], is_key: bool) -> int:
    kinds = {unit[0] & 31 for unit in units if unit}
    pictures = [unit for unit in units if len(unit) > 1 and 1 <= unit[0] & 31 <= 5]
    parameters = PARAMETERS if kinds & {7, 8} else 0
    if not pictures or len(kinds & {7, 8}) == 1:
        return UNPROVEN
    if 5 in kinds:
        return ENTRY | parameters
    if is_key and _is_recovery_point(units) and all(_is_intra_slice(unit) for unit in pictures):
        return ENTRY | OPEN | parameters
    marks = parameters
    if is_key and not all(_is_intra_slice(unit) for unit in pictures):
        marks |= PREDICTED
    if not any(unit[0] >> 5 & 3 for unit in pictures):
        return marks | DISPOSABLE
    return marks | (PYRAMIDAL if all(_slice_kind(unit) in _B_SLICES for unit in pictures) else 0)


def _is_recovery_point(units: list[bytes]) -> bool:
    """Return True if every picture from this one on is exact when decoding begins here.

    The message's payload begins with the number of pictures until recovery, where a single 1 bit is the code for 0;
    then comes a bit that is 1 if the pictures from there on are exact rather than approximately correct.
    """
    found = (message for unit in units if unit and unit[0] & 31 == 6 for message in messages(unit[1:]))
    content = next((content for kind, content in found if kind == _RECOVERY_POINT), b"")
    return bool(content) and content[0] & 0xC0 == 0xC0


_RECOVERY_POINT = 6
_B_SLICES, _I_SLICES = (1, 6), (2, 7)


def _is_intra_slice(unit: bytes) -> bool:
    return _slice_kind(unit) in _I_SLICES


def _slice_kind(unit: bytes) -> int:
    """Read first_mb_in_slice and slice_type, two Exp-Golomb codes after the unit's header byte."""
    bits = int.from_bytes(unit[1:9].ljust(8, b"\0"), "big")
    _, at = _exp_golomb(bits, 0)
    return _exp_golomb(bits, at)[0]


def _exp_golomb(bits: int, at: int) -> tuple[int, int]:
    """Return the unsigned code that begins at bit `at` of a 64-bit number, and the bit where it ends."""
    zeros = 64 - at - (bits & (1 << 64 - at) - 1).bit_length()
    end = at + 2 * zeros + 1
    return ((bits >> max(0, 64 - end)) & (1 << zeros + 1) - 1) - 1, end

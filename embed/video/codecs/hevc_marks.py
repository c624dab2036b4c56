"""The marks of HEVC packets. Source: ITU-T H.265, 7.3.1.2, 7.3.6.1 and 7.4.2.2."""

from typing import final

from embed.video.codecs.lasting import LastingElements
from embed.video.codecs.marks import DISPOSABLE, ENTRY, LAYERED, OPEN, PARAMETERS, SKIPPED, UNPROVEN
from embed.video.codecs.units import lasting_elements, parameter_units, unit_splitter

_PARAMETER_SETS, _ENDS = frozenset({32, 33, 34}), frozenset({36, 37})
_DISCARDS_WAITING = 0x40  # no_output_of_prior_pics_flag, the second bit of the slice header of an entry


@final
class HevcRule:
    """Marks the packets of one HEVC stream, and remembers its parameter sets and layers.

    Args:
        extradata: the stream's header bytes.
    """

    def __init__(self, extradata: bytes) -> None:
        self._split = unit_splitter("hevc", extradata)
        self._lasting = LastingElements(lasting_elements("hevc", parameter_units("hevc", extradata)))
        self._layers: frozenset[int] | None = None

    def marks(self, data: bytes, is_key: bool) -> int:  # noqa: ARG002
        """Return a packet's marks. Beside the pictures may be others of a higher layer: a second view, or alpha."""
        units = [unit for unit in self._split(data) if len(unit) > 2]
        layers = frozenset((unit[0] & 1) << 5 | unit[1] >> 3 for unit in units if unit[0] >> 1 & 63 < 32)
        is_first, self._layers = self._layers is None, self._layers or layers
        marks = _hevc_marks(units)
        if layers != self._layers or (not is_first and any(_discards_waiting(unit) for unit in units)):
            marks |= UNPROVEN
        return self._lasting.marks(marks, lasting_elements("hevc", units))


def _hevc_marks(units: list[bytes]) -> int:
    whole = [(unit[0] >> 1 & 63, unit[1] & 7) for unit in units]
    kinds = {kind for kind, _ in whole}
    pictures = {kind for kind in kinds if kind < 32}
    if len(pictures) != 1 or kinds & _ENDS or len(kinds & _PARAMETER_SETS) in (1, 2):
        return UNPROVEN
    (kind,) = pictures
    marks = PARAMETERS if kinds & _PARAMETER_SETS else 0
    if any(kind < 32 and layer > 1 for kind, layer in whole):
        marks |= LAYERED
    if kind in (19, 20, 21):
        return marks | ENTRY | (OPEN if kind == 21 else 0)
    if kind > 9:
        return UNPROVEN
    return marks | (SKIPPED if kind in (8, 9) else 0) | (DISPOSABLE if kind in (0, 2, 4, 6, 8) else 0)


def _discards_waiting(unit: bytes) -> bool:
    """Return True for an entry before which pictures are discarded that were not shown yet."""
    return 16 <= unit[0] >> 1 & 63 <= 23 and bool(unit[2] & _DISCARDS_WAITING)

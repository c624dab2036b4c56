"""The marks of HEVC packets. Source: ITU-T H.265, 7.3.1.2, 7.3.6.1 and 7.4.2.2."""

from functools import lru_cache
from typing import NamedTuple, final

from embed.video.codecs.lasting import LastingElements
from embed.video.codecs.marks import DISPOSABLE, ENTRY, LAYERED, OPEN, PARAMETERS, SKIPPED, UNPROVEN
from embed.video.codecs.units import lasting_elements, parameter_units, unit_splitter

_PARAMETER_SETS, _ENDS, _MESSAGES = frozenset({32, 33, 34}), frozenset({36, 37}), 39
_FIRST_SLICES = range(16, 24)  # kinds of pictures before which others may be discarded
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
        marks, layers, may_discard, may_last = _read_headers(frozenset([unit[0] << 8 | unit[1] for unit in units]))
        is_first, self._layers = self._layers is None, self._layers or layers
        is_discarding = may_discard and not is_first and any(_discards_waiting(unit) for unit in units)
        if is_discarding or layers != self._layers:
            marks |= UNPROVEN
        return self._lasting.marks(marks, lasting_elements("hevc", units) if may_last else {})


class _Headers(NamedTuple):
    """What the headers of a packet's units state.

    Args:
        marks: of the packet, so far.
        layers: of its pictures.
        may_discard: True if it is an entry, whose slice header may discard pictures that were not shown yet.
        may_last: True if it has parameter sets or messages.
    """

    marks: int
    layers: frozenset[int]
    may_discard: bool
    may_last: bool


@lru_cache(maxsize=256)  # a stream has few sets of headers, and an hour of it has 100,000 packets
def _read_headers(headers: frozenset[int]) -> _Headers:
    """Read unit headers of two bytes: a kind of six bits after the first, a layer of six, a sub-layer of three."""
    whole = [(header >> 9 & 63, header & 7) for header in headers]
    kinds = {kind for kind, _ in whole}
    layers = frozenset(header >> 3 & 63 for header in headers if header >> 9 & 63 < 32)
    may_last = not kinds.isdisjoint(_PARAMETER_SETS | {_MESSAGES})
    return _Headers(_hevc_marks(whole), layers, not kinds.isdisjoint(_FIRST_SLICES), may_last)


def _hevc_marks(whole: list[tuple[int, int]]) -> int:
    """Return the marks of a packet whose units have these kinds and sub-layers."""
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
    return unit[0] >> 1 & 63 in _FIRST_SLICES and bool(unit[2] & _DISCARDS_WAITING)

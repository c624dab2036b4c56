"""The marks of AV1 packets. Source: the AV1 bitstream specification, 5.3 and 5.9.2."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import final

from embed.video.codecs.av1_headers import (
    REPEATED_HEADER,
    SEQUENCE_HEADER,
    FrameSyntax,
    Unit,
    is_unreferenced,
    read_sequence_header,
    split_units,
)
from embed.video.codecs.bits import NotCovered
from embed.video.codecs.marks import DISPOSABLE, ENTRY, TRAILED, UNPROVEN


@final
class Av1Rule:
    """Marks the packets (temporal units) of one AV1 stream, and remembers its sequence header."""

    def __init__(self) -> None:
        self._header: bytes | None = None
        self._syntax: FrameSyntax | None = None

    def marks(self, data: bytes, is_key: bool) -> int:
        """Return a packet's marks. It is an entry if a sequence header precedes a shown key frame."""
        units = list(split_units(data))
        frames = [unit for unit in units if unit.begins_frame]
        if not frames:
            return UNPROVEN
        before = takewhile(lambda unit: not unit.begins_frame, units)
        header = next((unit.content for unit in before if unit.kind == SEQUENCE_HEADER), None)
        if header is not None:
            self._learn(header)
            if is_key and frames[0].is_shown_key:
                return ENTRY
        is_plain = not any(unit.is_layered or unit.kind == REPEATED_HEADER for unit in units)
        return self._marks_of(frames) if is_plain else 0

    def _marks_of(self, frames: Sequence[Unit]) -> int:
        if not self._is_unreferenced(frames[-1].content) or any(frame.shows for frame in frames[:-1]):
            return 0
        return TRAILED if len(frames) > 1 else DISPOSABLE

    def _learn(self, header: bytes) -> None:
        """Read the stream's sequence header. After a different one, no frame is marked as disposable any more."""
        if header == self._header:
            return
        is_first, self._header, self._syntax = self._header is None, header, None
        if is_first:
            with suppress(NotCovered):
                self._syntax = read_sequence_header(header)

    def _is_unreferenced(self, frame: bytes) -> bool:
        try:
            return self._syntax is not None and is_unreferenced(frame, self._syntax)
        except NotCovered:
            return False

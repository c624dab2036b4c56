"""The time that a run waits for the encoder, and the encoder's processor time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.encoders import Encoder, PendingVectors, begin_encoding
from embed.machine import StageClock


@final
class TimedEncoding:
    """Begins to encode batches, and adds their time to a clock.

    Processor time is that of the whole process while a batch is being encoded, because operators compute in threads
    that belong to no batch.
    """

    def __init__(self, encoder: Encoder, clock: StageClock) -> None:
        self._encoder, self._clock = encoder, clock
        self._pending_count = 0
        self._counted_cpu_s = 0.0

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to encode a batch, (B, W, side_px, side_px, 3)."""
        if not self._pending_count:
            self._counted_cpu_s = time.process_time()
        self._pending_count += 1
        started = time.monotonic()
        pending = begin_encoding(self._encoder, rgb)
        self._clock.encode_s += time.monotonic() - started
        return _TimedVectors(pending, self._finish)

    def _finish(self, pending: PendingVectors) -> NDArray[np.float32]:
        started = time.monotonic()
        vectors = pending.result()
        self._clock.encode_s += time.monotonic() - started
        cpu_s = time.process_time()
        self._clock.encode_cpu_s += cpu_s - self._counted_cpu_s
        self._counted_cpu_s = cpu_s
        self._pending_count -= 1
        return vectors


@final
@dataclass(frozen=True)
class _TimedVectors:
    """Pending vectors whose waiting time is added up. `result` is called once."""

    pending: PendingVectors
    finish: Callable[[PendingVectors], NDArray[np.float32]]

    def done(self) -> bool:
        return self.pending.done()

    def result(self) -> NDArray[np.float32]:
        return self.finish(self.pending)

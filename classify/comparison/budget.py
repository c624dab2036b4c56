"""The time that `auto` may take, counted so that a busy or halted machine costs no candidate.

On a processor, the time that counts is that of the training thread, but at least half of the time that passes: beside
other programs, a budget of 60 s may take up to 120 s on the wall. A GPU and a disk work while this thread waits, so
there all time that passes counts. A halt (a suspended machine, a stopped process) counts for a second at most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import final

_WAITING = 1 / 2  # the share of waiting that counts where other programs are what is waited for
_LONGEST_WAIT_S = 1.0  # between two looks at the clock, which lie a training step apart
_RESERVE = 1.5  # times the time of a fold alone is kept for a last training run, which has 5/4 of a fold's videos
_SURE = 0.05  # of a training run must be done before its pace is estimated: a short pause does not mean a slow head


@final
class Stopwatch:
    """Seconds since its creation, as described above.

    Args:
        counts_waiting: all time that passes counts.
        wall: a clock of the time that passes.
        processor: a clock of the time that this thread computes.
    """

    def __init__(
        self,
        *,
        counts_waiting: bool = False,
        wall: Callable[[], float] = perf_counter,
        processor: Callable[[], float] = thread_time,
    ) -> None:
        self._share = 1.0 if counts_waiting else _WAITING
        self._wall, self._processor = wall, processor
        self._last = wall(), processor()
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds that count so far."""
        now = self._wall(), self._processor()
        passed, worked = (own - last for own, last in zip(now, self._last, strict=True))
        self._last = now
        self._seconds += max(worked, self._share * min(passed, worked + _LONGEST_WAIT_S))
        return self._seconds


@dataclass(frozen=True)
class Budget:
    """The time for choosing and training.

    Args:
        clock: a function that returns seconds.
        started: when the time began.
        seconds: how much time there is.
        scale: number of videos of the last training run, divided by the number used for choosing.
    """

    clock: Callable[[], float]
    started: float
    seconds: float
    scale: float

    def end(self, share: float = 1.0) -> float:
        """Return when a share of the time is over."""
        return self.started + share * self.seconds

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.end() - self.clock()

    def last_s(self, alone_s: float) -> float:
        """Return the seconds to keep for the last training run of a candidate whose fold takes `alone_s` by itself."""
        return _RESERVE * self.scale * alone_s


class OutOfTimeError(Exception):
    """There is no time to end this."""


@final
class Watch:
    """Stops a training run as soon as it cannot end in time.

    Args:
        budget: the time there is.
        limit: when it must be done, the last training run of the same candidate left aside.
        alone: the share of its time that one fold takes by itself.
    """

    def __init__(self, budget: Budget, limit: float, alone: float) -> None:
        self._budget, self._limit, self._alone = budget, limit, alone
        self._began = self._last = self._first_s = budget.clock()
        self._first = self._calls = 0
        self._longest_s = 0.0
        self._heads_at_once = 1.0

    def __call__(self, done: int, total: int) -> None:
        """Check the time after a step.

        Raises:
            OutOfTimeError: this takes too long.
        """
        now, self._calls = self._budget.clock(), self._calls + 1
        self._heads_at_once = done / self._calls
        if not self._first:  # the time before the first step is not only training
            self._first, self._first_s = done, now
        else:
            self._longest_s = max(self._longest_s, now - self._last)
        self._last = now
        whole = now - self._began + self._pace(done, total) * (total - done)
        last = self._budget.last_s(self._alone * whole)
        if self._began + whole > min(self._limit, self._budget.end() - last):
            raise OutOfTimeError

    def _pace(self, done: int, total: int) -> float:
        """Return the seconds of a step, without the longest: a machine that halts once is not slow."""
        seen = (done - self._first) / self._heads_at_once
        if done - self._first <= _SURE * total or seen < 2:
            return 0.0
        return (self._last - self._first_s - self._longest_s) / (seen - 1) / self._heads_at_once

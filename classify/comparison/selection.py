"""The choice of a head and its recipe by cross-validation inside the training videos, in a given time.

Successive halving: all candidates are trained and tested on some folds; the better half is tested on more folds, and so
on. The first candidate, which is logistic regression, is never dropped, so the chosen candidate is no worse on the same
folds. Validation and test videos are not used.

Source: Jamieson & Talwalkar 2016, Non-stochastic best arm identification and hyperparameter optimization,
https://arxiv.org/abs/1502.07943, algorithm 1, with folds as the resource.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import mean
from time import perf_counter
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from classify.data import LabelTable, fold_videos
from classify.errors import TrainError
from classify.measures import decide_labels, micro_f1
from classify.training import (
    LabelledSet,
    TrainConfig,
    TrainingRun,
    TrainJob,
    fit_heads,
    predict_probabilities,
    take_videos,
)
from embed.machine import counted

AUTO = "auto"
"""The architecture that stands for a choice."""

BUDGET_S = 60.0
"""Default seconds for choosing and training."""

_CHOSEN = ("arch", "mixup", "epochs", "learning_rate", "weight_decay", "schedule", "project")
_FOLDS = 5
_PARTITIONS = 4  # into folds, each drawn anew
_MOST_VIDEOS = 1000  # for choosing: heads that need more videos to be good are at a disadvantage
_FIRST_SHARE = 1 / 2  # of the budget for the first round; later rounds take as many candidates as there is time for
_SURE = 0.05  # of a training run must be done before its pace is estimated: a short pause does not mean a slow head
_RESERVE = 2  # times the time of a fold alone is kept for the last training run, which has 5/4 of a fold's videos


@dataclass(frozen=True)
class Tried:
    """The results of one candidate.

    Args:
        settings: the settings in which candidates differ.
        scores: micro-F1 of each fold that it was tested on; every candidate has the same folds in the same order.
        seconds: mean time of one fold; None if no fold ended.
        outcome: "chosen", "dropped" (others were better), "skipped" (another recipe of its head was worse than the
            first candidate), "too slow" for the budget, or "not reached" within it.
    """

    settings: dict[str, Any]
    scores: tuple[float, ...]
    seconds: float | None
    outcome: str


@dataclass(frozen=True)
class Selection:
    """The chosen recipe, and all candidates.

    Args:
        config: the chosen recipe.
        tried: all candidates; the first is the linear head as logistic regression.
        seconds: time of the choice.
        budget_s: seconds for choosing and training.
    """

    config: TrainConfig
    tried: tuple[Tried, ...]
    seconds: float
    budget_s: float

    @property
    def chosen(self) -> Tried:
        """The candidate that was chosen."""
        return next(found for found in self.tried if found.outcome == "chosen")

    @property
    def gain(self) -> float | None:
        """Its micro-F1 minus the first candidate's, on the folds that both have; None if nothing was tested."""
        pairs = list(zip(self.chosen.scores, self.tried[0].scores, strict=False))
        return mean(own - other for own, other in pairs) if pairs else None


def choose_recipe(
    dataset: LabelledSet,
    table: LabelTable,
    train: NDArray[np.int64],
    candidates: Sequence[TrainConfig],
    *,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = perf_counter,
) -> Selection:
    """Choose a recipe, and leave enough of the budget to train with it.

    If there is time for all rounds, the same arguments choose the same recipe.

    Args:
        dataset: videos and labels; only those at `train` are used.
        table: the same videos with their groups, which stay whole.
        train: (n,) indices into the dataset.
        candidates: as from `classify.comparison.candidates`; the first is the one to beat.
        budget_s: seconds for choosing and training; if they are too few for any test, the first is chosen untested.
        clock: a function that returns seconds.

    Raises:
        TrainError: the budget is not above 0, or the training videos cannot be cross-validated.
    """
    started = clock()
    if not budget_s > 0:
        raise TrainError(f"The budget is {budget_s:g} s. Use a number of seconds above 0.")
    seed, field = candidates[0].seed, [_Candidate(config) for config in candidates]
    looked_at = np.sort(np.random.default_rng(seed).permutation(train)[:_MOST_VIDEOS])
    own = dataset.take(looked_at)
    rounds = _rounds(table.take(looked_at), seed)
    race = _Race(own, field, _Budget(clock, started, budget_s, len(train) / len(looked_at)))
    with suppress(_OutOfTimeError):
        race.run(rounds)
    race.best.outcome = "chosen"
    tried = tuple(candidate.describe() for candidate in field)
    return Selection(race.best.config, tried, clock() - started, budget_s)


def _rounds(table: LabelTable, seed: int) -> list[list[NDArray[np.bool_]]]:
    """Return the videos that each fold of each round holds out, (N,) bool.

    Raises:
        TrainError: no fold leaves two labels to learn from.
    """
    unit_count = len(set(table.groups or table.ids))
    folds: list[list[NDArray[np.bool_]]] = []
    for partition in range(_PARTITIONS if unit_count > 1 else 0):
        fold_of = fold_videos(table, min(_FOLDS, unit_count), seed=seed + partition)
        tests = [fold_of == fold for fold in range(fold_of.max() + 1)]
        folds.append([test for test in tests if table.targets[~test].any(axis=0).sum() > 1])
    if not any(folds):
        what = "video" if table.groups is None else "group"
        raise TrainError(
            f"{counted(len(table.ids), 'training video')} in {counted(unit_count, what)} cannot be cross-validated: "
            f"whatever is held out, fewer than two labels are left to learn. Add {what}s, or name a head with --arch."
        )
    return [tests for tests in (folds[0][:2], folds[0][2:], *folds[1:]) if tests]


class _OutOfTimeError(Exception):
    """There is no time for more folds."""


@final
@dataclass(eq=False)
class _Candidate:
    """A recipe with its results so far."""

    config: TrainConfig
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # time of each fold
    alone_s: float = 0.0  # the most that one fold takes by itself
    outcome: str = "not reached"

    @property
    def fold_s(self) -> float:
        """Mean seconds of one fold."""
        return mean(self.seconds) if self.seconds else 0.0

    def describe(self) -> Tried:
        settings = {name: getattr(self.config, name) for name in _CHOSEN}
        return Tried(settings, tuple(self.scores), self.fold_s if self.seconds else None, self.outcome)


@dataclass(frozen=True)
class _Budget:
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

    def last_s(self, alone_s: float) -> float:
        """Return the seconds to keep for the last training run of a candidate whose fold takes `alone_s` by itself."""
        return _RESERVE * self.scale * alone_s


@final
class _Watch:
    """Stops a training run as soon as it cannot end in time, or leaves too little time for the last training run.

    Args:
        budget: the time there is.
        fold_count: number of folds that are trained.
        limit: when they must be done.
    """

    def __init__(self, budget: _Budget, fold_count: int, limit: float) -> None:
        self._budget, self._fold_count, self._limit = budget, fold_count, limit
        self._began = self._first_s = budget.clock()
        self._first = self._calls = 0
        self._heads_at_once = 1.0

    def __call__(self, done: int, total: int) -> None:
        """Check the time after a step.

        Raises:
            _OutOfTimeError: this takes too long.
        """
        now, self._calls = self._budget.clock(), self._calls + 1
        self._heads_at_once = done / self._calls
        if not self._first:  # the time before the first step is not only training
            self._first, self._first_s = done, now
        seen = done - self._first
        pace = (now - self._first_s) / seen if seen > _SURE * total else 0.0
        whole = now - self._began + pace * (total - done)
        last = self._budget.last_s(self.alone_s(whole))
        if self._began + whole > min(self._limit, self._budget.end() - last):
            raise _OutOfTimeError

    def alone_s(self, whole_s: float) -> float:
        """Return the time of one fold by itself, from that of all folds; at most as long, if they train together."""
        return whole_s * self._heads_at_once / self._fold_count


@final
class _Race:
    """The rounds of candidates.

    Args:
        dataset: the videos for choosing.
        candidates: the candidates, the reference first.
        budget: the time there is.
    """

    def __init__(self, dataset: LabelledSet, candidates: Sequence[_Candidate], budget: _Budget) -> None:
        self._dataset, self._budget = dataset, budget
        self._reference, self._running = candidates[0], list(candidates)

    @property
    def best(self) -> _Candidate:
        """The best on the folds that all remaining candidates have; of equals, the first.

        If time ran out within a round, these folds are few. If that candidate is worse than the reference on all folds
        that both have, the reference is the best.
        """
        tested = [found for found in self._running if found.scores]
        shared = min((len(found.scores) for found in tested), default=0)
        best = max(tested, key=lambda found: mean(found.scores[:shared]), default=self._reference)
        pairs = list(zip(best.scores, self._reference.scores, strict=False))
        return self._reference if sum(own for own, _ in pairs) < sum(other for _, other in pairs) else best

    def run(self, rounds: Sequence[Sequence[NDArray[np.bool_]]]) -> None:
        """Run the rounds.

        Raises:
            _OutOfTimeError: there is no time for all of them.
        """
        self._begin(rounds[0])
        for tests in rounds[1:]:
            self._keep_better_half(len(tests))
            for candidate in self._running:
                self._test(candidate, tests)

    def _begin(self, tests: Sequence[NDArray[np.bool_]]) -> None:
        """Test all candidates that there is time for; if a head's first recipe fails, its other recipes are skipped."""
        self._test(self._reference, tests)
        failed: dict[str, str] = {}
        for candidate in self._running[1:]:
            if self._budget.clock() > self._budget.end(_FIRST_SHARE):
                break
            arch = candidate.config.arch
            if arch in failed:
                candidate.outcome = failed[arch]
                continue
            with suppress(_OutOfTimeError):
                self._test(candidate, tests, share=_FIRST_SHARE)
            if not candidate.scores:
                candidate.outcome = failed[arch] = "too slow"
            elif arch != self._reference.config.arch and mean(candidate.scores) < mean(self._reference.scores):
                failed[arch] = "skipped"
        self._running = [found for found in self._running if found.scores]

    def _keep_better_half(self, fold_count: int) -> None:
        """Drop the worse half, or more if there is no time to test the others on further folds."""
        others = sorted(self._running[1:], key=lambda found: -mean(found.scores))
        room = self._last_end() - self._budget.clock() - self._reference.fold_s * fold_count
        kept = [self._reference]
        for candidate in others[: len(self._running) // 2]:
            room -= candidate.fold_s * fold_count
            if room > 0:
                kept.append(candidate)
        if not others or others[0] not in kept:
            raise _OutOfTimeError
        self._running = [found for found in self._running if found in kept]

    def _last_end(self) -> float:
        """Return when the last training run of the best must begin."""
        return self._budget.end() - self._budget.last_s(self.best.alone_s)

    def _test(self, candidate: _Candidate, tests: Sequence[NDArray[np.bool_]], *, share: float = 1.0) -> None:
        """Test a candidate on some folds, and stop when a share of the budget is over."""
        nobody = np.array([], dtype=np.int64)
        config = replace(candidate.config, patience=None, thresholds="half")  # they need validation videos
        jobs = [TrainJob(np.flatnonzero(~test), nobody, config) for test in tests]
        began = self._budget.clock()
        watch = _Watch(self._budget, len(jobs), min(self._last_end(), self._budget.end(share)))
        runs = fit_heads(self._dataset, jobs, on_step=watch)
        scores = [self._score(run, np.flatnonzero(test)) for run, test in zip(runs, tests, strict=True)]
        candidate.scores += scores
        seconds = self._budget.clock() - began
        candidate.seconds += [seconds / len(jobs)] * len(jobs)
        candidate.alone_s = watch.alone_s(seconds)
        candidate.outcome = "dropped"  # unless it is chosen

    def _score(self, run: TrainingRun, tested: NDArray[np.int64]) -> float:
        videos = take_videos(self._dataset.videos, tested)
        found = predict_probabilities(run.head, videos, run.thresholds, device=run.config.device)
        return micro_f1(self._dataset.targets[tested], decide_labels(found, run.thresholds))

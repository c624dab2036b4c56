"""Choose a head and its recipe by cross-validation inside the training videos, in a given time.

Successive halving: all candidates learn from some folds and are tested on the others; the better half goes on to more
folds, and so on. The first candidate, linear with the weight decay of logistic regression, is never dropped, so that
what is chosen was no worse on the same folds. Validation and test videos are not looked at.

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

AUTO = "auto"
"""The architecture to ask for where it is to be chosen."""

BUDGET_S = 60.0
"""Seconds for choice and training, where nothing else is asked for."""

_CHOSEN = ("arch", "mixup", "epochs", "learning_rate", "weight_decay", "schedule", "project")
_FOLDS = 5
_PARTITIONS = 4  # into folds, each drawn anew
_MOST_VIDEOS = 1000  # to choose by: heads that need more of them to show what they can are at a disadvantage
_FIRST_SHARE = 1 / 2  # of the budget, for the first round: later ones take as many candidates as there is time for
_SURE = 0.05  # of a training has to be seen before its pace is told: a moment's pause is not a slow head
_RESERVE = 2  # times a fold's training alone is kept for the last one, which has 5/4 of a fold's videos


@dataclass(frozen=True)
class Tried:
    """What one candidate reached.

    Args:
        settings: those that are chosen.
        scores: micro-F1 of each fold that it was tested on; every candidate has the same folds in the same order.
        seconds: of one fold, on the average; None where none ended.
        outcome: "chosen", "dropped" (others were better), "skipped" (another recipe of its head was worse than the
            first candidate), "too slow" for the budget, or "not reached" within it.
    """

    settings: dict[str, Any]
    scores: tuple[float, ...]
    seconds: float | None
    outcome: str


@dataclass(frozen=True)
class Selection:
    """What was chosen, and of what.

    Args:
        config: the recipe.
        tried: all candidates; the first is linear, as logistic regression.
        seconds: that the choice took.
        budget_s: that choice and training may take.
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
        """Micro-F1 over the first candidate's, on the folds that both have; None where nothing was tested."""
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
    """Choose a recipe, and leave enough of the budget to train by it.

    Where the time suffices for all rounds, the same arguments choose the same recipe.

    Args:
        dataset: videos and labels; those at `train` alone are looked at.
        table: the same videos, in their groups, which stay whole.
        train: (n,) indices into the dataset.
        candidates: as from `classify.comparison.candidates`; the first is the one to beat.
        budget_s: seconds for choice and training; where they suffice for nothing, the first is chosen untested.
        clock: tells seconds.

    Raises:
        TrainError: the budget is not above 0, or the training videos cannot be cross-validated.
    """
    started = clock()
    if not budget_s > 0:
        raise TrainError(f"The budget is {budget_s:g} s. Give seconds above 0.")
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
    """Return which videos each fold of each round holds out, (N,) bool.

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
        what = "videos" if table.groups is None else "groups"
        raise TrainError(
            f"{len(table.ids)} training videos in {unit_count} {what} cannot be cross-validated: whatever is held out, "
            f"fewer than two labels are left to learn. Add {what}, or name a head with --arch."
        )
    return [tests for tests in (folds[0][:2], folds[0][2:], *folds[1:]) if tests]


class _OutOfTimeError(Exception):
    """There is no time for more folds."""


@final
@dataclass(eq=False)
class _Candidate:
    """A recipe on its way."""

    config: TrainConfig
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each fold
    alone_s: float = 0.0  # that one fold takes by itself, at most
    outcome: str = "not reached"

    @property
    def fold_s(self) -> float:
        """Seconds that one fold takes."""
        return mean(self.seconds) if self.seconds else 0.0

    def describe(self) -> Tried:
        settings = {name: getattr(self.config, name) for name in _CHOSEN}
        return Tried(settings, tuple(self.scores), self.fold_s if self.seconds else None, self.outcome)


@dataclass(frozen=True)
class _Budget:
    """What time there is.

    Args:
        clock: tells seconds.
        started: when it began to run.
        seconds: how much there is.
        scale: videos of the last training, over those that candidates are chosen by.
    """

    clock: Callable[[], float]
    started: float
    seconds: float
    scale: float

    def end(self, share: float = 1.0) -> float:
        """When a share of it is over."""
        return self.started + share * self.seconds

    def last_s(self, alone_s: float) -> float:
        """Seconds to keep for the last training of a candidate of which one fold takes `alone_s` by itself."""
        return _RESERVE * self.scale * alone_s


@final
class _Watch:
    """Stops a training as soon as it will not end in time, or leave none for the same once more.

    Args:
        budget: what time there is.
        fold_count: folds that are trained.
        limit: when they have to be.
    """

    def __init__(self, budget: _Budget, fold_count: int, limit: float) -> None:
        self._budget, self._fold_count, self._limit = budget, fold_count, limit
        self._began = self._first_s = budget.clock()
        self._first = self._calls = 0
        self._heads_at_once = 1.0

    def __call__(self, done: int, total: int) -> None:
        """Look at the clock after a step.

        Raises:
            _OutOfTimeError: this takes too long.
        """
        now, self._calls = self._budget.clock(), self._calls + 1
        self._heads_at_once = done / self._calls
        if not self._first:  # before it, there is more to do than to train
            self._first, self._first_s = done, now
        seen = done - self._first
        pace = (now - self._first_s) / seen if seen > _SURE * total else 0.0
        whole = now - self._began + pace * (total - done)
        last = self._budget.last_s(self.alone_s(whole))
        if self._began + whole > min(self._limit, self._budget.end() - last):
            raise _OutOfTimeError

    def alone_s(self, whole_s: float) -> float:
        """Return what one fold takes by itself, of all folds' seconds: where they train at once, as long at most."""
        return whole_s * self._heads_at_once / self._fold_count


@final
class _Race:
    """Candidates on their way through the rounds.

    Args:
        dataset: the videos to choose by.
        candidates: the reference first.
        budget: what time there is.
    """

    def __init__(self, dataset: LabelledSet, candidates: Sequence[_Candidate], budget: _Budget) -> None:
        self._dataset, self._budget = dataset, budget
        self._reference, self._running = candidates[0], list(candidates)

    @property
    def best(self) -> _Candidate:
        """The best by the folds that all who are still running have; of equals, the plainest.

        Where time ran out within a round, these are few: what is worse than the reference by more of them gives way.
        """
        tested = [found for found in self._running if found.scores]
        shared = min((len(found.scores) for found in tested), default=0)
        best = max(tested, key=lambda found: mean(found.scores[:shared]), default=self._reference)
        pairs = list(zip(best.scores, self._reference.scores, strict=False))
        return self._reference if sum(own for own, _ in pairs) < sum(other for _, other in pairs) else best

    def run(self, rounds: Sequence[Sequence[NDArray[np.bool_]]]) -> None:
        """Go through the rounds.

        Raises:
            _OutOfTimeError: there is no time for all of them.
        """
        self._begin(rounds[0])
        for tests in rounds[1:]:
            self._keep_better_half(len(tests))
            for candidate in self._running:
                self._test(candidate, tests)

    def _begin(self, tests: Sequence[NDArray[np.bool_]]) -> None:
        """Test all candidates that there is time for; a head whose first recipe fails is not tested by others."""
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
        """Drop the worse half, or more where there is no time to test the others on further folds."""
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
        """When the last training of the best has to begin."""
        return self._budget.end() - self._budget.last_s(self.best.alone_s)

    def _test(self, candidate: _Candidate, tests: Sequence[NDArray[np.bool_]], *, share: float = 1.0) -> None:
        """Test a candidate on some folds, until a share of the budget is over."""
        nobody = np.array([], dtype=np.int64)
        config = replace(candidate.config, patience=None, thresholds="half")  # which take validation videos
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

"""The race of candidates over folds: which is tested next, which go on, and which is the best.

1. The first candidate is tested, then the others by expected gain a second, until half of the time is spent.
2. The better half, but six at least, goes on to further partitions into folds, the best first, and so on.
3. What time is left goes to candidates that were not tested yet, and to those of them that turn out good.

Every candidate has the same folds in the same order, so two are compared on the folds that both have. A head that looks
at one vector of a video is the best only if the best of the others is worse beyond noise.

Sources: halving: Jamieson & Talwalkar 2016, https://arxiv.org/abs/1502.07943, algorithm 1, with folds as the resource.
Gain a second: Snoek, Larochelle & Adams 2012, https://arxiv.org/abs/1206.2944, section 3.2. Noise of differences
between folds that share training videos: Nadeau & Bengio 2003, Inference for the Generalization Error, section 3.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil, erf, exp, pi, sqrt
from statistics import mean, variance
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from classify.comparison.budget import Budget, OutOfTimeError, Watch
from classify.errors import ClassifyError
from classify.heads import StandardisedHead, takes_all
from classify.measures import decide_labels, micro_f1
from classify.training import (
    LabelledSet,
    SharedRows,
    TrainConfig,
    TrainJob,
    configure_head,
    fit_heads,
    predict_probabilities,
    take_videos,
)

_FIRST_SHARE = 1 / 2  # of the budget for first tests
_FEWEST = 6  # candidates that go on while there is time: their average may be better than each
_LONG = 1 / 20  # of the budget: a candidate whose first partition takes longer is tested on two folds first
_LEADERS = 3  # whose last training runs together are reserved time, for their average
# Expected micro-F1 above the first candidate's before any test: guesses, informed by a few runs on ut_interaction6.
# They and the two costs below decide only in which order candidates are tested.
_PRIOR = {"motion": 0.04, "statistics": 0.03, "attention": 0.02, "transformer": 0.02, "random-frame": -0.1}
_PRIOR_SPREAD, _TESTED_SPREAD = 0.06, 0.03
_STEP_S, _PRODUCT_S = 3e-4, 5e-10  # of a fold: a step, and a multiplication forward and backward, on a usual core
_SURE_T = 2.0  # standard errors that are more than noise


@final
@dataclass(eq=False)
class Candidate:
    """A recipe with its results so far.

    Args:
        config: the recipe.
        steps, products: of one fold: training steps, and multiplications.
        pools: the head pools.
        sees_one: the head looks at one vector of a video.
        can_join: the head can be part of an average.
    """

    config: TrainConfig
    steps: int = 1
    products: float = 1.0
    pools: bool = True
    sees_one: bool = False
    can_join: bool = True
    scores: list[float] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)  # of each fold's held-out videos
    seconds: list[float] = field(default_factory=list)  # time of each fold
    alone_s: float = 0.0  # the most that one fold takes by itself
    outcome: str = "not reached"
    note: str | None = None

    @property
    def fold_s(self) -> float:
        """Mean seconds of one fold."""
        return mean(self.seconds) if self.seconds else 0.0


def describe_candidate(config: TrainConfig, dataset: LabelledSet) -> Candidate:
    """Return a candidate with what its head is and how much work a fold takes."""
    with torch.device("meta"):
        head = configure_head(config, dataset.videos.dimension, len(dataset.names))
    size = sum(parameter.numel() for parameter in head.parameters())
    rows = 1.0 if head.pools else float(np.minimum(dataset.videos.row_counts, config.max_frames or 1 << 30).mean())
    steps = (config.epochs or 1) * -(-len(dataset.videos) // config.batch_size)
    products = steps * min(config.batch_size, len(dataset.videos)) * rows * size
    return Candidate(config, steps, products, head.pools, _sees_one(head), takes_all(head))


def _sees_one(head: StandardisedHead) -> bool:
    return len(head.choose(np.zeros((4, len(head.mean) if head.components is None else 1)), "any.mp4")) == 1


@final
class Race:
    """The tests of candidates.

    Args:
        dataset: the videos for choosing.
        candidates: the candidates, the reference first.
        budget: the time there is.
        catches: the errors of a candidate that end its own tests only.
    """

    def __init__(
        self,
        dataset: LabelledSet,
        candidates: Sequence[Candidate],
        budget: Budget,
        *,
        catches: Callable[[TrainConfig], tuple[type[Exception], ...]] = lambda _: (ClassifyError,),
    ) -> None:
        self._dataset, self._budget, self._catches = dataset, budget, catches
        self._rows = SharedRows()
        self._reference, self._all, self._running = candidates[0], list(candidates), [candidates[0]]
        self._slowness = {True: 1.0, False: 1.0}  # seconds of a test over those that were expected; pools -> factor

    @property
    def running(self) -> list[Candidate]:
        """The candidates that are still in the race, those that were tested."""
        return [found for found in self._running if found.scores]

    @property
    def common_count(self) -> int:
        """The number of folds that all candidates in the race have."""
        return min((len(found.scores) for found in self.running), default=0)

    @property
    def best(self) -> Candidate:
        """The best on the folds that all remaining candidates have; of equals, the first.

        If it is worse than the reference on all folds that both have, the reference is the best.
        """
        shared = self.common_count
        tested = [found for found in self._all if found in self.running]
        best = max(tested, key=lambda found: mean(found.scores[:shared]), default=self._reference)
        others = [found for found in tested if not found.sees_one]
        if best.sees_one and others:
            rival = max(others, key=lambda found: mean(found.scores[:shared]))
            best = best if _is_better(best.scores, rival.scores) else rival
        pairs = list(zip(best.scores, self._reference.scores, strict=False))
        return self._reference if sum(own for own, _ in pairs) < sum(other for _, other in pairs) else best

    def run(self, partitions: Sequence[Sequence[NDArray[np.bool_]]]) -> None:
        """Run all tests that there is time for.

        Args:
            partitions: for each partition the videos that each fold holds out, (N,) bool.
        """
        self._folds = [test for tests in partitions for test in tests]
        ends = np.cumsum([len(tests) for tests in partitions]).tolist()
        with suppress(OutOfTimeError):
            self._test(self._reference, min(2, ends[0]), self._budget.end())
        if not self._reference.scores:
            return
        self._advance(self._reference, ends[0])
        self._try_others(ends[0])
        self._complete_first(ends[0])
        for end in ends[1:]:
            self._halve(end)
        self._try_late(ends[0])

    def _try_others(self, end: int) -> None:
        """Test the others on the first folds, by expected gain a second, until a share of the time is spent."""
        limit, waiting = self._budget.end(_FIRST_SHARE), self._all[1:]
        while waiting and (left := limit - self._budget.clock()) > 0:
            waiting.remove(found := max(waiting, key=self._gain_a_second))
            count = end if self._expected_s(found) * end <= _LONG * self._budget.seconds else min(2, end)
            if self._expected_s(found) * count > left:
                continue
            with suppress(OutOfTimeError):
                self._test(found, count, limit)
            if found.scores:
                self._running.append(found)
            elif found.outcome == "not reached":
                found.outcome = "too slow"

    def _try_late(self, end: int) -> None:
        """Spend what time is left on candidates that were not tested, each on a whole partition."""
        waiting = [found for found in self._all[1:] if found.outcome in ("not reached", "too slow")]
        while waiting:
            waiting.remove(found := max(waiting, key=self._gain_a_second))
            depth = self.common_count
            if self._advance(found, min(end, depth)) and self._is_promising(found) and self._advance(found, depth):
                self._running.append(found)

    def _is_promising(self, found: Candidate) -> bool:
        """Return True if a late candidate is at least as good as the best on its folds."""
        count = len(found.scores)
        return mean(found.scores) >= mean(self.best.scores[:count])

    @property
    def ranked(self) -> list[Candidate]:
        """All that are in the race by their scores on the common folds, the best first; of equals, the first listed."""
        shared, running = self.common_count, self.running
        return sorted(
            (found for found in self._all if found in running), key=lambda found: -mean(found.scores[:shared])
        )

    def _complete_first(self, end: int) -> None:
        """Test the better of those that were tested on two folds on the rest of the first partition."""
        if len(self._reference.scores) < end:
            return
        ranked = [found for found in self.ranked if found is not self._reference]
        for found in ranked[: max(_FEWEST, ceil(len(ranked) / 2))]:
            self._advance(found, end)
        complete = [found for found in ranked if len(found.scores) >= end]
        self._running = [self._reference, *(complete or ranked)]

    def _halve(self, end: int) -> None:
        """Keep the better half, and test it on all folds up to one, if there is time for the best of it."""
        kept = self.ranked[: max(_FEWEST, ceil(len(self.running) / 2))]
        first = list(dict.fromkeys([*kept[:1], self._reference]))
        if not all(self._advance(found, end) for found in first):
            return
        rest = [found for found in kept if found not in first and self._advance(found, end)]
        self._running = [found for found in self._all if found in first or found in rest]

    def _advance(self, found: Candidate, end: int) -> bool:
        """Test a candidate on further folds, if there is time for all of them. Return True if it has them all."""
        if len(found.scores) < end and self._has_time(found, end):
            with suppress(OutOfTimeError):
                self._test(found, end, self._budget.end() - self._reserve_s())
        return len(found.scores) >= end

    def _has_time(self, found: Candidate, end: int) -> bool:
        needed = self._expected_s(found) * (end - len(found.scores))
        last = max(self._reserve_s(), self._budget.last_s(found.alone_s or self._expected_s(found)))
        return needed + last < self._budget.left()

    def _reserve_s(self) -> float:
        """Return the seconds to keep for the last training run: of the best, or of an average of some."""
        return self._budget.last_s(sum(found.alone_s for found in self.ranked[:_LEADERS]))

    def _expected_s(self, found: Candidate) -> float:
        """Return the seconds of one fold: those measured, or by the work that it is."""
        return found.fold_s if found.seconds else self._slowness[found.pools] * _work_s(found)

    def _gain_a_second(self, found: Candidate) -> float:
        """Return the gain over the best so far that is expected of a first test, divided by its seconds."""
        reference = self._reference.scores
        best = max((_gain(one.scores, reference) for one in self.running), default=0.0)
        alike = [_gain(one.scores, reference) for one in self.running if one.config.arch == found.config.arch]
        centre, spread = _PRIOR.get(found.config.arch, 0.0), _PRIOR_SPREAD
        if alike:
            centre, spread = max(alike), _TESTED_SPREAD
        return _expected_excess(centre - best, spread) / max(self._expected_s(found), 1e-3)

    def _test(self, found: Candidate, end: int, limit: float) -> None:
        """Test a candidate on its next folds, up to one.

        Raises:
            OutOfTimeError: that would take longer than until `limit`.
        """
        tests = self._folds[len(found.scores) : end]
        nobody = np.array([], dtype=np.int64)
        config = replace(found.config, patience=None, thresholds="half")  # they need validation videos
        jobs = [TrainJob(np.flatnonzero(~test), nobody, config) for test in tests]
        began = self._budget.clock()
        alone = _share_alone(found, len(jobs))
        watch = Watch(self._budget, limit, alone)
        try:
            runs = fit_heads(self._dataset, jobs, on_step=watch, rows=self._rows)
            for run, test in zip(runs, tests, strict=True):
                videos = take_videos(self._dataset.videos, np.flatnonzero(test))
                probabilities = predict_probabilities(run.head, videos, run.thresholds, device=config.device)
                found.scores.append(micro_f1(self._dataset.targets[test], decide_labels(probabilities, run.thresholds)))
                found.probabilities.append(probabilities)
        except OutOfTimeError:
            raise
        except self._catches(config) as error:
            if found is self._reference:
                raise
            found.outcome, found.note = "failed", f"{type(error).__name__}: {error}"
            del found.scores[:], found.probabilities[:]
            return
        seconds = self._budget.clock() - began
        self._slowness[found.pools] = seconds / len(jobs) / _work_s(found)
        found.seconds += [seconds / len(jobs)] * len(jobs)
        found.alone_s = alone * seconds
        found.outcome = "dropped"  # unless it is chosen


def _work_s(found: Candidate) -> float:
    """Return the seconds of a fold on a usual core."""
    return _STEP_S * found.steps + _PRODUCT_S * found.products


def _share_alone(found: Candidate, count: int) -> float:
    """Return the share that one fold by itself takes of the time of `count` folds.

    Heads that pool train at once: they share the time that a step takes beside its products. Others take turns.
    """
    if not found.pools:
        return 1 / count
    return _work_s(found) / (_STEP_S * found.steps + count * _PRODUCT_S * found.products)


def _gain(scores: Sequence[float], reference: Sequence[float]) -> float:
    """Return the mean difference on the folds that both have."""
    return mean(own - other for own, other in zip(scores, reference, strict=False))


def _expected_excess(centre: float, spread: float) -> float:
    """Return the mean of the positive part of a normal variable.

    >>> round(_expected_excess(0.0, 1.0), 3), round(_expected_excess(2.0, 1e-9), 3)
    (0.399, 2.0)
    """
    z = centre / spread
    return centre * (1 + erf(z / sqrt(2))) / 2 + spread * exp(-z * z / 2) / sqrt(2 * pi)


def _is_better(scores: Sequence[float], others: Sequence[float]) -> bool:
    """Return True if scores are higher than others on the same folds, beyond noise.

    >>> _is_better([0.9, 0.8, 0.9, 0.85, 0.9], [0.5, 0.4, 0.5, 0.45, 0.55]), _is_better([0.9, 0.4], [0.5, 0.5])
    (True, False)
    """
    differences = [own - other for own, other in zip(scores, others, strict=False)]
    if len(differences) < 2:
        return False
    # The folds' training videos overlap: a test of a fifth of the videos adds a quarter to 1 / folds.
    error = sqrt((1 / len(differences) + 1 / 4) * variance(differences))
    return mean(differences) > _SURE_T * error

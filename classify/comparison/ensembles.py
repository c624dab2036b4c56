"""An average of the best candidates, by their predictions on videos that they were not trained on.

Greedy selection with replacement: to an average that begins with the best, the candidate is added that improves it
most, again and again; how often each was added is its weight. It is repeated on random halves of the candidates, and
the weights are averaged. That an average is better than its best member on the same videos shows little, since it was
selected by them. So both selections, of an average and of a single candidate, are made again without the videos of each
fold, and compared on these.

Source: Caruana, Niculescu-Mizil, Crew & Ksikes 2004, Ensemble Selection from Libraries of Models,
https://dl.acm.org/doi/10.1145/1015330.1015432, sections 2.1 to 2.3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.measures import HALF, decide_labels, micro_f1

_ROUNDS = 12  # candidates that are added to each average
_BAGS = 8  # random halves of the candidates
_FEWEST = 3  # candidates in a half
_SMALLEST = 0.1  # weights below are noise, and cost a whole training run each
_TIE = 1e-3  # of the mean log-likelihood counts beside micro-F1, of which many averages have the same
_LOWEST = 1e-7

Weights = NDArray[np.float64]
"""(K,) the share of each candidate."""


@dataclass(frozen=True)
class Library:
    """What K candidates give videos that they were not trained on.

    Args:
        probabilities: (K, R, C); a video has a row for each partition.
        targets: (R, C) bool.
        folds: (R,) the fold of the first partition that holds the row's video out.
        is_multi_label: videos may have several labels.
    """

    probabilities: NDArray[np.float32]
    targets: NDArray[np.bool_]
    folds: NDArray[np.int64]
    is_multi_label: bool

    def take(self, rows: NDArray[np.bool_]) -> "Library":
        """Return the library of some rows."""
        return Library(self.probabilities[:, rows], self.targets[rows], self.folds[rows], self.is_multi_label)

    def mix(self, weights: Weights) -> NDArray[np.float32]:
        """Return the weighted mean of the candidates' probabilities, (R, C)."""
        return np.asarray(np.tensordot(weights, self.probabilities, axes=1), dtype=np.float32)

    def score(self, probabilities: NDArray[np.floating]) -> float:
        """Return the micro-F1 of probabilities (R, C)."""
        thresholds = (HALF,) * self.targets.shape[1] if self.is_multi_label else None
        return micro_f1(self.targets, decide_labels(probabilities, thresholds))

    def value(self, probabilities: NDArray[np.floating]) -> float:
        """Return micro-F1 and a little of the log-likelihood."""
        sure = np.log(np.clip(probabilities, _LOWEST, 1))[self.targets].mean()
        return self.score(probabilities) + _TIE * float(sure)


def select_average(library: Library, seed: int) -> Weights:
    """Return the weights of an average, of which several are above 0, or a single one where no average is better."""
    rng, count = np.random.default_rng(seed), len(library.probabilities)
    total = np.zeros(count)
    for _ in range(_BAGS):
        bag = rng.permutation(count)[: max(_FEWEST, -(-count // 2))]
        total += _select_from(library, np.sort(bag))
    weights = np.where(total / total.sum() >= _SMALLEST, total, 0)
    return np.asarray(weights / weights.sum())


def gain_of_average(library: Library, seed: int, choose_single: Callable[[Library], int]) -> float:
    """Return by how much an average is better than a single candidate, both selected without the tested videos.

    Args:
        library: the candidates' predictions.
        seed: of the random halves.
        choose_single: returns the candidate that would be chosen by a library.

    Returns:
        The difference of micro-F1, over all rows.
    """
    average, single = (np.zeros_like(library.probabilities[0]) for _ in range(2))
    for fold in np.unique(library.folds):
        test = library.folds == fold
        seen, unseen = library.take(~test), library.take(test)
        average[test] = unseen.mix(select_average(seen, seed))
        single[test] = unseen.probabilities[choose_single(seen)]
    return library.score(average) - library.score(single)


def selection_s(library: Library, clock: Callable[[], float]) -> float:
    """Return the seconds that selecting an average takes, for all folds, from the time of a single step of it."""
    began = clock()
    library.value(library.probabilities[0])
    steps = _BAGS * _ROUNDS * max(_FEWEST, -(-len(library.probabilities) // 2))
    return (clock() - began) * steps * (len(np.unique(library.folds)) + 1)


def choose_best(library: Library) -> int:
    """Return the candidate with the highest micro-F1; of equals, the first."""
    return int(np.argmax([library.score(own) for own in library.probabilities]))


def _select_from(library: Library, bag: NDArray[np.int64]) -> Weights:
    """Return how often each candidate of a bag was added."""
    values: Sequence[float] = [library.value(library.probabilities[place]) for place in bag]
    counts = np.zeros(len(library.probabilities))
    counts[bag[int(np.argmax(values))]] = 1
    total = library.probabilities[bag[int(np.argmax(values))]].astype(np.float64)
    best, kept = max(values), counts.copy()
    for size in range(2, _ROUNDS + 1):
        values = [library.value((total + library.probabilities[place]) / size) for place in bag]
        added = bag[int(np.argmax(values))]
        counts[added] += 1
        total += library.probabilities[added]
        if max(values) > best:
            best, kept = max(values), counts.copy()
    return np.asarray(kept / kept.sum())

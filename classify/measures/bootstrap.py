"""How far figures would move with other test videos: bootstrap by group.

Groups (videos, where they are not grouped) are drawn with replacement, as many as there are, and the figures taken
anew; the middle 95% of them is the interval. Videos of one group resemble each other, so drawing single videos would
promise too much. All draws are computed at once, as weights (R, N) of the videos.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval); Field & Welsh 2007,
Bootstrapping clustered data (drawing whole groups).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from classify.measures.ranking import class_average_precisions, global_average_precisions

_BLOCK_WEIGHTS = 500_000  # draws x videos at once; GAP takes 20 times that, in several arrays
_RANKING_WORK = 100_000_000  # draws x videos x classes: some seconds; above it, rankings get no interval

Figures = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
"""Weights (R, N) of the videos -> name of a figure -> its values (R,)."""


@dataclass(frozen=True)
class BootstrapConfig:
    """How intervals are made.

    Args:
        draws: samples of the groups.
        confidence: share of the draws within an interval.
        seed: of the draws.
    """

    draws: int = 1000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Interval:
    """A figure and where it may lie.

    Args:
        value: of the videos as they are.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float


def bootstrap_intervals(
    targets: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    probabilities: NDArray[np.floating],
    *,
    groups: Sequence[str] | None = None,
    config: BootstrapConfig = BootstrapConfig(),
) -> dict[str, Interval]:
    """Return the intervals of micro_f1, macro_f1, accuracy, mean_average_precision and gap_at_20.

    The last two are left out of sets so large that their draws would take minutes.

    Args:
        targets: (N, C) bool.
        predicted: (N, C) bool.
        probabilities: (N, C).
        groups: (N,) what the videos are grouped by; None draws videos.
        config: how many draws, and from which seed.
    """
    parts = [_label_figures(targets, predicted)]
    if targets.size * config.draws <= _RANKING_WORK:
        parts.append(_ranking_figures(targets, probabilities))
    return _intervals(
        lambda weights: {k: v for part in parts for k, v in part(weights).items()}, targets, groups, config
    )


def bootstrap_labels(
    targets: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    *,
    groups: Sequence[str] | None = None,
    config: BootstrapConfig = BootstrapConfig(),
) -> dict[str, Interval]:
    """Return the intervals of micro_f1, macro_f1 and accuracy, which need no probabilities.

    Args:
        targets: (N, C) bool.
        predicted: (N, C) bool.
        groups: (N,) what the videos are grouped by; None draws videos.
        config: how many draws, and from which seed.
    """
    return _intervals(_label_figures(targets, predicted), targets, groups, config)


def bootstrap_difference(
    targets: NDArray[np.bool_],
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    *,
    groups: Sequence[str] | None = None,
    config: BootstrapConfig = BootstrapConfig(),
) -> dict[str, Interval]:
    """Return by how much the second prediction is better than the first on the same videos, paired draw by draw.

    An interval that holds 0 is no sign of a difference.

    Args:
        targets: (N, C) bool.
        first: (N, C) bool.
        second: (N, C) bool.
        groups: (N,) what the videos are grouped by; None draws videos.
        config: how many draws, and from which seed.

    Returns:
        The intervals of the differences in micro_f1, macro_f1 and accuracy.
    """
    one, other = _label_figures(targets, first), _label_figures(targets, second)

    def differ(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        before, after = one(weights), other(weights)
        return {name: after[name] - before[name] for name in before}

    return _intervals(differ, targets, groups, config)


def _intervals(
    figures: Figures, targets: NDArray[np.bool_], groups: Sequence[str] | None, config: BootstrapConfig
) -> dict[str, Interval]:
    values = figures(np.ones((1, len(targets))))
    blocks = [figures(weights) for weights in _draw_weights(len(targets), groups, config)]
    tail = (1 - config.confidence) / 2
    intervals = {}
    for name in values:
        drawn = np.concatenate([block[name] for block in blocks])
        low, high = np.nanquantile(drawn, [tail, 1 - tail]).tolist()
        intervals[name] = Interval(float(values[name][0]), low, high)
    return intervals


def _draw_weights(
    video_count: int, groups: Sequence[str] | None, config: BootstrapConfig
) -> Iterator[NDArray[np.float64]]:
    """Yield blocks (R, N): how often each video's group was drawn."""
    group_of = np.arange(video_count) if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    group_count = int(group_of.max()) + 1
    rng = np.random.default_rng(config.seed)
    size = max(1, _BLOCK_WEIGHTS // video_count)
    for start in range(0, config.draws, size):
        drawn = rng.multinomial(group_count, np.full(group_count, 1 / group_count), min(size, config.draws - start))
        yield drawn[:, group_of].astype(np.float64)


def _label_figures(targets: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Figures:
    # Sparse: of thousands of classes, a video has few.
    tables = [sparse.csr_matrix(table.astype(np.float64)) for table in (targets & predicted, targets, predicted)]
    is_exact = (targets == predicted).all(axis=1)
    is_empty = ~(targets | predicted).any(axis=0)  # 0 in `measure`, and so in every draw

    def figures(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        hits, true, found = (weights @ table for table in tables)  # (R, C)
        # A class that a draw misses says nothing there: as 0, it would pull the whole interval below the value.
        counted = ((true + found > 0) | is_empty).sum(axis=1)
        return {
            "micro_f1": _f1(hits.sum(axis=1), true.sum(axis=1), found.sum(axis=1)),
            "macro_f1": _f1(hits, true, found).sum(axis=1) / np.maximum(counted, 1),
            "accuracy": weights @ is_exact / weights.sum(axis=1),
        }

    return figures


def _ranking_figures(targets: NDArray[np.bool_], scores: NDArray[np.floating]) -> Figures:
    def figures(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        precisions = class_average_precisions(targets, scores, weights)
        return {
            "mean_average_precision": np.nanmean(precisions, axis=1),
            "gap_at_20": global_average_precisions(targets, scores, weights),
        }

    return figures


def _f1(hits: NDArray[np.float64], true: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(2 * hits, true + found, out=np.zeros(hits.shape), where=true + found > 0))

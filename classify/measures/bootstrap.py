"""Confidence intervals: how far figures would move with other test videos, by a bootstrap over groups.

Each draw takes as many groups as there are, with replacement, and computes the figures again; the interval is the
middle 95% of the results. Without groups, videos are drawn. Videos of one group resemble each other, so drawing single
videos would promise too much. All draws are computed at once, as weights (R, N) of the videos.

Where all draws give the same figure (every video is right, or there is one group), the bootstrap gives a point, which
claims certainty. Micro-F1 and accuracy then get an interval that assumes this: at least a share l of all groups is like
the n that were seen, where l = n / (n + z^2) is the lower end of Wilson's score interval for n of n; the other groups
may have any value. Around 0 and 1 this is Wilson's interval. It counts groups, not videos, so it is rather too wide
than too narrow. Micro-F1 of several labels a video is no proportion, but it is a weighted mean of the groups' own
micro-F1; the interval takes the weights as equal. The means over classes (macro-F1, mAP) and GAP get no interval then.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval); Field & Welsh 2007,
Bootstrapping clustered data (drawing whole groups); Wilson 1927, Probable inference, the law of succession, and
statistical inference; Brown, Cai & DasGupta 2001, Interval estimation for a binomial proportion (why Wilson's for few).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from classify.measures.ranking import class_average_precisions, global_average_precisions

_BLOCK_WEIGHTS = 500_000  # draws x videos at once; GAP takes 20 times that, in several arrays
_RANKING_WORK = 100_000_000  # draws x videos x classes: some seconds; above it, rankings get no interval
_FEW_UNITS = 6  # with fewer, draws reach no further than the groups seen: the interval is at least that of no spread
_SAME = 1e-9  # an interval narrower than this is a point: its ends differ by rounding
_MEANS_OF_SHARES = ("micro_f1", "accuracy")  # the figures whose interval is known where all draws are the same

INTERVALS = ("micro_f1", "macro_f1", "accuracy", "mean_average_precision", "gap_at_20")
"""Names of the figures that `bootstrap_intervals` can give an interval."""

Figures = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
"""Weights (R, N) of the videos -> name of a figure -> its values (R,)."""


@dataclass(frozen=True)
class BootstrapConfig:
    """Settings of the intervals.

    Args:
        draws: number of samples of the groups.
        confidence: share of the draws within an interval.
        seed: seed of the draws.
    """

    draws: int = 1000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval.

    Args:
        value: the figure on the videos as they are.
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

    The last two are absent for sets so large that their draws would take minutes. All but micro_f1 and accuracy are
    absent where the videos are too few for an interval: every draw gives the same figure.

    Args:
        targets: (N, C) bool.
        predicted: (N, C) bool.
        probabilities: (N, C).
        groups: (N,) the group of each video; None draws videos.
        config: number of draws, confidence and seed.
    """
    parts = [_label_figures(targets, predicted)]
    if targets.size * config.draws <= _RANKING_WORK:
        parts.append(_ranking_figures(targets, probabilities))
    return _intervals(
        lambda weights: {k: v for part in parts for k, v in part(weights).items()}, targets, groups, config, lowest=0
    )


def bootstrap_labels(
    targets: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    *,
    groups: Sequence[str] | None = None,
    config: BootstrapConfig = BootstrapConfig(),
) -> dict[str, Interval]:
    """Return the intervals of micro_f1, macro_f1 and accuracy, which need no probabilities.

    macro_f1 is absent where every draw gives the same figure.

    Args:
        targets: (N, C) bool.
        predicted: (N, C) bool.
        groups: (N,) the group of each video; None draws videos.
        config: number of draws, confidence and seed.
    """
    return _intervals(_label_figures(targets, predicted), targets, groups, config, lowest=0)


def bootstrap_difference(
    targets: NDArray[np.bool_],
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    *,
    groups: Sequence[str] | None = None,
    config: BootstrapConfig = BootstrapConfig(),
) -> dict[str, Interval]:
    """Return by how much the second prediction is better than the first on the same videos, paired draw by draw.

    An interval that contains 0 shows no difference.

    Args:
        targets: (N, C) bool.
        first: (N, C) bool.
        second: (N, C) bool.
        groups: (N,) the group of each video; None draws videos.
        config: number of draws, confidence and seed.

    Returns:
        The intervals of the differences in micro_f1, macro_f1 and accuracy; macro_f1 is absent where every draw gives
        the same difference.
    """
    one, other = _label_figures(targets, first), _label_figures(targets, second)

    def differ(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        before, after = one(weights), other(weights)
        return {name: after[name] - before[name] for name in before}

    return _intervals(differ, targets, groups, config, lowest=-1)


def _intervals(
    figures: Figures, targets: NDArray[np.bool_], groups: Sequence[str] | None, config: BootstrapConfig, *, lowest: int
) -> dict[str, Interval]:
    """Return the interval of each figure that has one; `lowest` is the least that a figure can be."""
    values = figures(np.ones((1, len(targets))))
    blocks = [figures(weights) for weights in _draw_weights(len(targets), groups, config)]
    unit_count = len(targets) if groups is None else len(set(groups))
    tail = (1 - config.confidence) / 2
    intervals = {}
    for name in values:
        value, drawn = float(values[name][0]), np.concatenate([block[name] for block in blocks])
        low, high = np.nanquantile(drawn, [tail, 1 - tail]).tolist()
        has_spread = high - low > _SAME
        if has_spread and (unit_count >= _FEW_UNITS or name not in _MEANS_OF_SHARES):
            intervals[name] = Interval(value, low, high)
        elif name in _MEANS_OF_SHARES:
            least = _without_spread(value, unit_count, config.confidence, lowest)
            intervals[name] = Interval(value, min(low, least.low), max(high, least.high)) if has_spread else least
    return intervals


def _without_spread(value: float, unit_count: int, confidence: float, lowest: int) -> Interval:
    """Return the interval of a figure that all units share; others may have anything from `lowest` to 1."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    alike = unit_count / (unit_count + z**2)
    return Interval(value, alike * value + (1 - alike) * lowest, alike * value + (1 - alike))


def _draw_weights(
    video_count: int, groups: Sequence[str] | None, config: BootstrapConfig
) -> Iterator[NDArray[np.float64]]:
    """Yield blocks (R, N): how often each draw has the video's group."""
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

    def figures(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        hits, true, found = (weights @ table for table in tables)  # (R, C)
        # As `measure` does: a class that a draw misses is left out of it. As 0, it would pull the interval down.
        occurring = (true > 0).sum(axis=1)
        return {
            "micro_f1": _f1(hits.sum(axis=1), true.sum(axis=1), found.sum(axis=1)),
            "macro_f1": _f1(hits, true, found).sum(axis=1) / np.maximum(occurring, 1),
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

"""Ranking figures (average precision, Hit@1, PERR, GAP), which do not depend on thresholds.

Scores are probabilities, or anything that increases with them. Tied entries count together, as in scikit-learn: each
holds its share of the ranks that they share, which is the mean over their orders. No figure depends on the order of
videos or classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOP_COUNT = 20
"""Number of labels of each video that GAP takes into account."""


@dataclass(frozen=True)
class RankingMetrics:
    """Figures of one part of a set.

    Args:
        mean_average_precision: mean over the classes that at least one video shows (mAP).
        average_precisions: (C,) average precision of each class; None where no video shows it.
        hit_at_1: share of the videos whose likeliest class is one of their labels.
        perr: precision at equal recall rate: for a video with G labels, the share of true labels among its G likeliest;
            averaged over the videos that have labels.
        gap_at_20: global average precision: the average precision of one list of the 20 likeliest classes of every
            video.
    """

    mean_average_precision: float
    average_precisions: tuple[float | None, ...]
    hit_at_1: float
    perr: float
    gap_at_20: float


def rank(targets: NDArray[np.bool_], scores: NDArray[np.floating]) -> RankingMetrics:
    """Return the ranking figures of scores against true labels.

    Args:
        targets: (N, C) bool, N >= 1; at least one video has a label.
        scores: (N, C), finite.

    Source: average precision: scikit-learn's user guide, 3.4.4.4 (step-wise). Hit@1, PERR: Abu-El-Haija et al. 2016,
    YouTube-8M, section 5.1, https://arxiv.org/abs/1609.08675. GAP@20: the YouTube-8M challenge, with recall over all
    positives.
    """
    everyone = np.ones((1, len(targets)))
    relevance = _relevance_by_rank(targets, scores)[1]
    precisions = class_average_precisions(targets, scores, everyone)[0]
    return RankingMetrics(
        mean_average_precision=float(np.nanmean(precisions)),
        average_precisions=tuple(None if np.isnan(value) else float(value) for value in precisions),
        hit_at_1=float(relevance[:, 0].mean()),
        perr=_equal_recall(targets, relevance),
        gap_at_20=float(global_average_precisions(targets, scores, everyone)[0]),
    )


def class_average_precisions(
    targets: NDArray[np.bool_], scores: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the average precision of each class in R weightings of the videos; NaN where all positives weigh 0.

    Args:
        targets: (N, C) bool.
        scores: (N, C).
        weights: (R, N), the weight of each video.

    Returns:
        (R, C).
    """
    positives = weights @ targets
    precisions = np.full(positives.shape, np.nan)
    for index in range(targets.shape[1]):
        sums = _precision_sums(targets[:, index], scores[:, index], weights)
        np.divide(sums, positives[:, index], out=precisions[:, index], where=positives[:, index] > 0)
    return precisions


def global_average_precisions(
    targets: NDArray[np.bool_], scores: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return GAP@20 in R weightings of the videos, (R,); 0 where all videos with labels weigh 0.

    Args:
        targets: (N, C) bool.
        scores: (N, C).
        weights: (R, N), the weight of each video.
    """
    ranked, relevance = _relevance_by_rank(targets, scores)
    count = min(TOP_COUNT, scores.shape[1])
    sums = _precision_sums(relevance[:, :count].ravel(), ranked[:, :count].ravel(), weights.repeat(count, axis=1))
    positives = weights @ targets.sum(axis=1)
    return np.asarray(np.divide(sums, positives, out=np.zeros(len(weights)), where=positives > 0))


def _relevance_by_rank(
    targets: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """Return each video's scores in descending order, and the share of true labels among the entries of that score.

    Returns:
        Two arrays (N, C).
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    is_first = np.ones(ranked.shape, dtype=np.bool_)  # of the entries with the same score
    is_first[:, 1:] = np.diff(ranked, axis=1) != 0
    tie_of = is_first.ravel().cumsum() - 1
    shares = np.bincount(tie_of, weights=np.take_along_axis(targets, order, axis=1).ravel()) / np.bincount(tie_of)
    return ranked, shares[tie_of].reshape(ranked.shape)


def _precision_sums(
    relevant: NDArray[np.bool_] | NDArray[np.float64], scores: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the sum, over the relevant of n entries, of the precision among all that score as high or higher; (R,).

    Args:
        relevant: (n,) bool, or shares from 0 to 1.
        scores: (n,).
        weights: (R, n).
    """
    order = np.argsort(-scores, kind="stable")
    is_last = np.append(np.diff(scores[order]) != 0, True)  # of the entries with the same score
    ordered = weights[:, order]
    hits = np.cumsum(ordered * relevant[order], axis=1)[:, is_last]
    seen = np.cumsum(ordered, axis=1)[:, is_last]
    precision = np.divide(hits, seen, out=np.zeros(hits.shape), where=seen > 0)
    return np.asarray((np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1))


def _equal_recall(targets: NDArray[np.bool_], relevance: NDArray[np.float64]) -> float:
    counts = targets.sum(axis=1)
    is_top = np.arange(targets.shape[1]) < counts[:, None]
    hits = (relevance * is_top).sum(axis=1)
    return float((hits[counts > 0] / counts[counts > 0]).mean())

"""The baselines of benchmark_accuracy.py: each describes a video by one row of numbers, and learns from these rows."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from classify import LabelledSet
from classify.comparison import predict_baseline

MEAN, BINS = "logistic regression on the mean", "the same bins, not standardised, C = 10"
UNSCALED_C = 10.0  # the best of 0.1 to 100 on other seeds, so that the bins are a strong baseline

Rows = NDArray[np.floating]
Learner = Callable[[LabelledSet, NDArray[np.int64]], NDArray[np.float64]]


def _mean(views: Rows) -> Rows:
    return np.asarray(views[0].mean(axis=0))


def _mean_of_all_views(views: Rows) -> Rows:
    return np.asarray(views.mean(axis=(0, 1)))


def _middle(views: Rows) -> Rows:
    return np.asarray(views[0, views.shape[1] // 2])


def _statistics(views: Rows) -> Rows:
    rows = views[0]
    changes = np.abs(np.diff(rows, axis=0, append=rows[-1:])).sum(axis=0) / max(1, len(rows) - 1)
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0), changes])


def _time_bins(views: Rows) -> Rows:
    """Return the mean, and the 7 differences between the means of 8 equal parts, each of at least one row."""
    rows = views[0]
    edges = np.arange(9) * len(rows) // 8
    bins = [rows[first : max(first + 1, last)].mean(axis=0) for first, last in pairwise(edges)]
    return np.concatenate([rows.mean(axis=0), np.diff(bins, axis=0).ravel()])


def _regress(
    dataset: LabelledSet, train: NDArray[np.int64], *, strictness: float, is_scaled: bool
) -> NDArray[np.float64]:
    """Return the probability of each label, as `predict_baseline` does; `strictness` is scikit-learn's C."""
    rows, shown = np.asarray(dataset.videos.rows_of(np.arange(len(dataset.videos)))), dataset.targets.argmax(axis=1)
    if is_scaled:
        rows = StandardScaler().fit(rows[train]).transform(rows)
    with threadpool_limits(1):
        model = LogisticRegression(C=strictness, max_iter=10_000).fit(rows[train], shown[train])
    found = np.zeros(dataset.targets.shape)
    found[:, model.classes_] = model.predict_proba(rows)
    return found


_LOGISTIC = partial(predict_baseline, "logistic-regression")
BASELINES: dict[str, tuple[Learner, Callable[[Rows], Rows]]] = {
    "majority": (partial(predict_baseline, "majority"), _mean),
    "nearest neighbours of the mean": (partial(predict_baseline, "nearest-neighbours"), _mean),
    "logistic regression on the middle frame": (_LOGISTIC, _middle),
    MEAN: (_LOGISTIC, _mean),
    "logistic regression on the mean of all views": (_LOGISTIC, _mean_of_all_views),
    "logistic regression on mean, deviation and change": (_LOGISTIC, _statistics),
    "the same three, C = 0.01": (partial(_regress, strictness=0.01, is_scaled=True), _statistics),
    "logistic regression on the mean and 8 time bins": (_LOGISTIC, _time_bins),
    BINS: (partial(_regress, strictness=UNSCALED_C, is_scaled=False), _time_bins),
}
"""Name -> the function that learns, and the function that computes its input from a video's rows (V, T, D).

Rows are standardised and C is 1, except where the name says otherwise.
"""

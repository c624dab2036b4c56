"""Baselines: classifiers without a network, which a head has to beat.

Each learns from the training videos alone and gives the probability of every label for every video. All but the
majority use the mean of a video's vectors; logistic-statistics also uses their standard deviation and mean absolute
change, as the `statistics` head does. Zero-shot learns from no video: it compares videos with the words of labels.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from classify.errors import TrainError
from classify.measures import HALF, tune_thresholds
from classify.training import LabelledSet, Videos, blocks_of

MAJORITY, LOGISTIC_REGRESSION, ZERO_SHOT = "majority", "logistic-regression", "zero-shot"
LOGISTIC_STATISTICS = "logistic-statistics"
STATISTICS_STRICTNESS = 0.01
"""The C of scikit-learn for logistic regression on [mean, deviation, change]: three times as many numbers need more
restraint. With C = 1 it overfits: on 300 held-back clips of 45 groups, C = 0.01 was right in 0.741 of them."""

_NEIGHBOURS = 5
_LOGIT_SCALE = 100.0  # where CLIP's own training ends: Radford et al. 2021, section 2.5
_ITERATIONS = 1000  # of the solver: it converges long before on standardised vectors
# Training videos x dimensions x labels: of 100 million, logistic regression takes 4 to 7 s with one label a video and
# 6 to 18 s with several, measured on one core of an AMD EPYC on correlated vectors of 512 and 1,280 dimensions.
_QUICK_WORK = 50_000_000
_STATISTICS = 3  # numbers for each dimension: mean, deviation and change


def list_baselines() -> list[str]:
    """Return the names of all baselines that need no text encoder."""
    return [*_BASELINES]


def is_baseline(name: str) -> bool:
    """Return True if a contender is a baseline."""
    return name in (*_BASELINES, ZERO_SHOT)


def list_quick_baselines(train_count: int, dimension: int, label_count: int, *, is_multi_label: bool) -> list[str]:
    """Return the baselines that take some seconds at most: the majority, and on all but large sets the regressions.

    Args:
        train_count: number of training videos.
        dimension: D.
        label_count: C.
        is_multi_label: videos have several labels, so that each label has a regression of its own.
    """
    work = train_count * dimension * label_count * (2 if is_multi_label else 1)
    sizes = {MAJORITY: 0, LOGISTIC_REGRESSION: 1, LOGISTIC_STATISTICS: _STATISTICS}
    return [name for name, size in sizes.items() if size * work <= _QUICK_WORK]


def predict_baseline(name: str, dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability of each label for all videos, (N, C), learned from the videos at `train`.

    Args:
        name: "majority": the share of each label; "logistic-regression": scikit-learn's, on standardised means;
            "logistic-statistics": the same on standardised means, deviations and mean changes, with C = 0.01;
            "nearest-neighbours": the labels of the five videos whose means are closest by cosine, weighted by
            closeness.
        dataset: N videos.
        train: (n,) indices into the dataset.

    Raises:
        TrainError: no baseline has that name.
    """
    if name not in _BASELINES:
        raise TrainError(f"There is no baseline {name!r}. Choose one of: {', '.join(_BASELINES)}, zero-shot.")
    return _BASELINES[name](dataset, train)


def predict_zero_shot(videos: Videos, label_vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability of each label for N videos, (N, C), from the words of the labels alone.

    Args:
        videos: videos whose vectors come from an encoder that also encodes text.
        label_vectors: (C, D) of length 1, the labels' vectors from that encoder.

    Source: CLIP, Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 3.1.2; a video's vector is the mean of
    its frames' of length 1, as in CLIP4Clip, Luo et al. 2021, https://arxiv.org/abs/2104.08860, section 3.3.
    """
    from scipy.special import softmax

    cosines = _to_length_one(mean_vectors(videos, of_length_one=True)) @ label_vectors.T.astype(np.float64)
    found: NDArray[np.float64] = softmax(_LOGIT_SCALE * cosines, axis=1)
    return found


def choose_thresholds(probabilities: NDArray[np.floating], targets: NDArray[np.bool_], goal: str) -> tuple[float, ...]:
    """Return a baseline's thresholds, chosen on validation videos as those of heads are.

    Args:
        probabilities: (n, C) of validation videos.
        targets: (n, C) bool, their labels.
        goal: as in `TrainConfig`; "half" needs no videos.
    """
    return (HALF,) * targets.shape[1] if goal == "half" else tune_thresholds(probabilities, targets, goal)


def mean_vectors(videos: Videos, *, of_length_one: bool = False) -> NDArray[np.float64]:
    """Return the mean of each video's vectors, (N, D); with `of_length_one`, they are scaled to length 1 first."""

    def average(rows: NDArray[np.floating]) -> NDArray[np.float64]:
        rows = _to_length_one(rows.astype(np.float64)) if of_length_one else rows
        return np.asarray(rows.mean(axis=0, dtype=np.float64))

    return _describe(videos, average)


def _statistics_vectors(videos: Videos) -> NDArray[np.float64]:
    """Return mean, deviation and mean absolute change of each video's vectors, (N, 3 D)."""
    return _describe(videos, _statistics)


def _statistics(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return mean, deviation and mean absolute change of rows (T, D): (3 D,). One row has no deviation and no change.

    >>> _statistics(np.array([[1.0], [3.0], [1.0], [3.0]])).tolist(), _statistics(np.array([[1.0]])).tolist()
    ([2.0, 1.0, 2.0], [1.0, 0.0, 0.0])
    """
    wide = rows.astype(np.float64)
    change = np.abs(np.diff(wide, axis=0)).mean(axis=0) if len(wide) > 1 else np.zeros(wide.shape[1])
    return np.concatenate([wide.mean(axis=0), wide.std(axis=0), change])


def _describe(videos: Videos, describe: Callable[[NDArray[np.floating]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return what a function makes of the vectors (T, D) of each video, stacked; of views, the mean over them."""
    found: list[NDArray[np.float64]] = []
    views = videos.each_view()
    for block in blocks_of(np.arange(len(views))):
        found += map(describe, np.split(views.rows_of(block), views.row_counts[block].cumsum()[:-1]))
    return np.asarray(np.stack(found).reshape(len(videos), videos.view_count, -1).mean(axis=1))


def _to_length_one(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row scaled to length 1; a row of zeros, which has no direction, stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths))


def _majority(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = dataset.targets[train].mean(axis=0)
    return np.broadcast_to(shares, (len(dataset.videos), len(shares)))  # a view: of millions of videos, one row


def _logistic_regression(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    return _fit_on(mean_vectors(dataset.videos), dataset, train, strictness=1.0)


def _logistic_statistics(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    return _fit_on(_statistics_vectors(dataset.videos), dataset, train, strictness=STATISTICS_STRICTNESS)


def _fit_on(
    described: NDArray[np.float64], dataset: LabelledSet, train: NDArray[np.int64], *, strictness: float
) -> NDArray[np.float64]:
    """Return the probabilities of a logistic regression on standardised rows (N, D'); `strictness` is C."""
    from sklearn.preprocessing import StandardScaler

    targets = dataset.targets[train]
    rows = StandardScaler(with_std=not dataset.is_reduced).fit(described[train]).transform(described)
    if dataset.is_reduced:  # small components are noise: one deviation for all keeps them small
        rows /= rows[train].std() or 1.0
    if not dataset.is_multi_label:
        return _fit_logistic(rows, train, targets.argmax(axis=1), targets.shape[1], strictness)
    columns = [_fit_logistic(rows, train, column.astype(np.int64), 2, strictness)[:, 1] for column in targets.T]
    return np.stack(columns, axis=1)


def _fit_logistic(
    rows: NDArray[np.float64],
    train: NDArray[np.int64],
    classes: NDArray[np.int64],
    class_count: int,
    strictness: float,
) -> NDArray[np.float64]:
    """Return the probability of each class for all rows; a class that is absent from training gets 0."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    present = np.unique(classes)
    found = np.zeros((len(rows), class_count))
    if len(present) == 1:
        found[:, present] = 1.0
    else:
        # One thread: when several processes train at once, BLAS's threads wait for each other for seconds.
        with threadpool_limits(1):
            model = LogisticRegression(C=strictness, max_iter=_ITERATIONS).fit(rows[train], classes)
        found[:, present] = model.predict_proba(rows)
    return found


def _nearest_neighbours(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    from sklearn.neighbors import KNeighborsRegressor

    means = mean_vectors(dataset.videos)
    # A regressor on the labels' 0 and 1 gives their weighted shares among the neighbours, for one label or several.
    model = KNeighborsRegressor(min(_NEIGHBOURS, len(train)), weights="distance", metric="cosine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a distance of 0 weighs infinitely, which scikit-learn handles
        found = model.fit(means[train], dataset.targets[train].astype(np.float64)).predict(means)
    return np.asarray(found, dtype=np.float64)


_BASELINES: dict[str, Callable[[LabelledSet, NDArray[np.int64]], NDArray[np.float64]]] = {
    MAJORITY: _majority,
    LOGISTIC_REGRESSION: _logistic_regression,
    LOGISTIC_STATISTICS: _logistic_statistics,
    "nearest-neighbours": _nearest_neighbours,
}

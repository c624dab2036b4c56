"""What a head has to beat: classifiers that train no network.

Each takes the training videos alone and gives the probability of every label for every video. All but the majority
look at the mean of a video's vectors.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from classify.batches import LabelledSet, Videos, blocks_of
from classify.errors import TrainError

_NEIGHBOURS = 5
_ITERATIONS = 1000  # of the solver: it converges long before on standardised vectors


def list_baselines() -> list[str]:
    """Return the names of all baselines that need no text encoder."""
    return [*_BASELINES]


def predict_baseline(name: str, dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Learn from the videos at `train`, and return the probability of each label for all videos, (N, C).

    Args:
        name: "majority", the share of each label; "logistic-regression", scikit-learn's, on standardised means;
            "nearest-neighbours", the labels of the five videos whose means are nearest by cosine, nearer ones counting
            more.
        dataset: N videos.
        train: (n,) indices into the dataset.

    Raises:
        TrainError: there is no such baseline.
    """
    if name not in _BASELINES:
        raise TrainError(f"There is no baseline {name!r}. Choose one of: {', '.join(_BASELINES)}, zero-shot.")
    return _BASELINES[name](dataset, train)


def mean_vectors(videos: Videos) -> NDArray[np.float64]:
    """Average each video's vectors, (N, D)."""
    means = []
    for block in blocks_of(np.arange(len(videos))):
        pieces = np.split(videos.rows_of(block), videos.row_counts[block].cumsum()[:-1])
        means += [piece.mean(axis=0, dtype=np.float64) for piece in pieces]
    return np.stack(means)


def _majority(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = dataset.targets[train].mean(axis=0)
    return np.tile(shares, (len(dataset.videos), 1))


def _logistic_regression(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    from sklearn.preprocessing import StandardScaler

    means, targets = mean_vectors(dataset.videos), dataset.targets[train]
    rows = StandardScaler().fit(means[train]).transform(means)
    if (targets.sum(axis=1) == 1).all():
        return _fit_logistic(rows, train, targets.argmax(axis=1), targets.shape[1])
    columns = [_fit_logistic(rows, train, column.astype(np.int64), 2)[:, 1] for column in targets.T]
    return np.stack(columns, axis=1)


def _fit_logistic(
    rows: NDArray[np.float64], train: NDArray[np.int64], classes: NDArray[np.int64], class_count: int
) -> NDArray[np.float64]:
    """Return the probability of each class for all rows; those that training lacks have none."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    present = np.unique(classes)
    found = np.zeros((len(rows), class_count))
    if len(present) == 1:
        found[:, present] = 1.0
    else:
        # One thread: in several processes at once, those of BLAS wait for each other, seconds long and busily.
        with threadpool_limits(1):
            model = LogisticRegression(max_iter=_ITERATIONS).fit(rows[train], classes)
        found[:, present] = model.predict_proba(rows)
    return found


def _nearest_neighbours(dataset: LabelledSet, train: NDArray[np.int64]) -> NDArray[np.float64]:
    from sklearn.neighbors import KNeighborsRegressor

    means = mean_vectors(dataset.videos)
    # A regressor of the labels' 0 and 1 gives their weighted shares among the neighbours, with one label or several.
    model = KNeighborsRegressor(min(_NEIGHBOURS, len(train)), weights="distance", metric="cosine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a distance of 0 counts infinitely, which scikit-learn handles
        found = model.fit(means[train], dataset.targets[train].astype(np.float64)).predict(means)
    return np.asarray(found, dtype=np.float64)


_BASELINES: dict[str, Callable[[LabelledSet, NDArray[np.int64]], NDArray[np.float64]]] = {
    "majority": _majority,
    "logistic-regression": _logistic_regression,
    "nearest-neighbours": _nearest_neighbours,
}

"""Labels that are probably wrong, found by confident learning.

Each video gets its probabilities from a logistic regression on the means of other videos' vectors, so no video vouches
for its own label. A label is doubted where too many videos of its kind look surely like another.

Source: Northcutt, Jiang & Chuang 2021, Confident Learning, https://arxiv.org/abs/1911.00068, as cleanlab computes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
MOST_VIDEOS = 20_000
MOST_LABELS = 200
"""Beyond these the regressions would take longer than most trainings."""


@dataclass(frozen=True)
class LabelDoubt:
    """A video whose label is probably wrong.

    Args:
        video: its place in the set.
        label_probability: of the label that it has; the lowest where it has several.
        suggested: the class (its place) that it looks like, which where videos have several is one of 0.5 or more;
            None where it looks like no other than it has.
        suggested_probability: of that class; 0 without one.
    """

    video: int
    label_probability: float
    suggested: int | None
    suggested_probability: float


def find_label_errors(
    means: NDArray[np.floating], targets: NDArray[np.bool_], groups: tuple[str, ...] | None = None
) -> tuple[LabelDoubt, ...]:
    """Return the videos whose labels are probably wrong, the least plausible first.

    Classes that cannot be judged are left out with their videos.

    Args:
        means: (N, D) the mean vector of each video, N at most MOST_VIDEOS.
        targets: (N, C) bool, C at most MOST_LABELS.
        groups: (N,) of videos that may not vouch for each other, or None.
    """
    from cleanlab import filter as single_label
    from cleanlab.multilabel_classification import filter as multi_label

    is_single_label = bool((targets.sum(axis=1) == 1).all())
    classes = np.flatnonzero(can_judge(targets, groups))
    videos = np.flatnonzero(targets[:, classes].any(axis=1))
    if len(classes) < 2:
        return ()
    known = targets[np.ix_(videos, classes)]
    places = None if groups is None else np.unique(np.array(groups)[videos], return_inverse=True)[1]
    probabilities = _out_of_sample(means[videos], known, places, is_single_label)
    find, labels = single_label.find_label_issues, known.argmax(axis=1)
    if not is_single_label:
        find, labels = multi_label.find_label_issues, [np.flatnonzero(row).tolist() for row in known]
    found = find(
        labels,
        probabilities,
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return tuple(_doubt(row, videos, classes, known, probabilities) for row in np.asarray(found).tolist())


def can_judge(targets: NDArray[np.bool_], groups: tuple[str, ...] | None = None) -> NDArray[np.bool_]:
    """Say which classes a regression can know without having seen the video in question, bool (C,).

    They, and what is not of them, have 5 videos or more, one for each fold, and do not lie in a single group.
    """
    enough: NDArray[np.bool_] = (targets.sum(axis=0) >= FOLDS) & ((~targets).sum(axis=0) >= FOLDS)
    if groups is None:
        return enough
    _, place_of, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    counts = np.zeros((len(sizes), targets.shape[1]), dtype=np.int64)
    np.add.at(counts, place_of, targets)
    is_spread = ((counts > 0).sum(axis=0) > 1) & ((counts < sizes[:, None]).sum(axis=0) > 1)
    return np.asarray(enough & is_spread)


def _doubt(
    row: int,
    videos: NDArray[np.int64],
    classes: NDArray[np.int64],
    known: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
) -> LabelDoubt:
    others = np.where(known[row], 0, probabilities[row])
    best, lowest = int(others.argmax()), float(probabilities[row][known[row]].min())
    is_several = (known.sum(axis=1) != 1).any()
    is_likelier = others[best] > (max(lowest, 0.5) if is_several else lowest)
    return LabelDoubt(
        video=int(videos[row]),
        label_probability=lowest,
        suggested=int(classes[best]) if is_likelier else None,
        suggested_probability=float(others[best]) if is_likelier else 0.0,
    )


def _out_of_sample(
    means: NDArray[np.floating], targets: NDArray[np.bool_], groups: NDArray[np.int64] | None, is_single_label: bool
) -> NDArray[np.float64]:
    """Return probabilities (N, C) by regressions that have not seen the video, nor another of its group."""
    columns = [targets.argmax(axis=1)] if is_single_label else list(targets.T.astype(np.int64))
    return np.concatenate(
        [_predict_column(means, column, groups)[:, 0 if is_single_label else 1 :] for column in columns], axis=1
    )


def _predict_column(
    means: NDArray[np.floating], column: NDArray[np.int64], groups: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """Return the probability of each value of a column (N,) of 0 to K - 1: (N, K)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probabilities = np.full((len(column), int(column.max()) + 1), 1e-6)
    for seen, unseen in _folds(column, groups):
        if len(np.unique(column[seen])) < 2:
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        model.fit(means[seen], column[seen])
        probabilities[np.ix_(unseen, model.classes_)] = model.predict_proba(means[unseen])
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def _folds(
    column: NDArray[np.int64], groups: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if groups is None or len(np.unique(groups)) < FOLDS:
        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(column, column)
    else:
        yield from StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(column, column, groups)

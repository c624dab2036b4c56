"""Labels that are probably wrong, found by confident learning.

A logistic regression on the mean vectors of other videos gives each video its probabilities, so no video vouches for
its own label. A label is doubted if the regression is surer of another label than it is on average of that label's own
videos.

Source: Northcutt, Jiang & Chuang 2021, Confident Learning, https://arxiv.org/abs/1911.00068, as cleanlab computes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
MOST_VIDEOS = 20_000
MOST_LABELS = 200
"""Above these, the regressions take longer than most training runs."""


@dataclass(frozen=True)
class LabelDoubt:
    """A video whose label is probably wrong.

    Args:
        video: its index in the set.
        doubted: the class (index) that it has and looks least like.
        label_probability: of that class.
        suggested: the class (index) that it looks like; None if it looks like none but its own. If videos have several
            labels, a suggested class has a probability of 0.5 or more.
        suggested_probability: of that class; 0 without one.
    """

    video: int
    doubted: int
    label_probability: float
    suggested: int | None
    suggested_probability: float


@dataclass(frozen=True)
class LabelCheck:
    """The labels that are probably wrong, and how good the classifier is that judges them.

    Args:
        doubts: the least plausible first; none where the judge is weak.
        right: share of the labels that the judge gives right to videos that it has not seen; None if it cannot judge.
        guessed: the share that is right where every video gets the most frequent answer.
    """

    doubts: tuple[LabelDoubt, ...]
    right: float | None = None
    guessed: float = 0.0

    @property
    def is_weak(self) -> bool:
        """True if the judge knows no more than which label is the most frequent."""
        return self.right is not None and self.right <= self.guessed


def check_labels(
    means: NDArray[np.floating], targets: NDArray[np.bool_], groups: tuple[str, ...] | None = None
) -> LabelCheck:
    """Look for videos whose labels are probably wrong.

    Classes that cannot be judged (`can_judge`) are left out with their videos.

    Args:
        means: (N, D) the mean vector of each video, N at most MOST_VIDEOS.
        targets: (N, C) bool, C at most MOST_LABELS.
        groups: (N,) group of each video, or None. Videos of one group do not vouch for each other.
    """
    from cleanlab import filter as single_label
    from cleanlab.multilabel_classification import filter as multi_label

    is_single_label = bool((targets.sum(axis=1) == 1).all())
    classes = np.flatnonzero(can_judge(targets, groups))
    videos = np.flatnonzero(targets[:, classes].any(axis=1))
    if len(classes) < 2:
        return LabelCheck(())
    known = targets[np.ix_(videos, classes)]
    places = None if groups is None else np.unique(np.array(groups)[videos], return_inverse=True)[1]
    probabilities = _out_of_sample(means[videos], known, places, is_single_label)
    right, guessed = _judge_the_judge(known, probabilities, is_single_label)
    if right <= guessed:
        return LabelCheck((), right, guessed)
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
    doubts = tuple(_doubt(row, videos, classes, known, probabilities) for row in np.asarray(found).tolist())
    return LabelCheck(doubts, right, guessed)


def _judge_the_judge(
    known: NDArray[np.bool_], probabilities: NDArray[np.float64], is_single_label: bool
) -> tuple[float, float]:
    """Return the share of labels that probabilities (N, C) give right, and that of the most frequent answers."""
    if is_single_label:
        is_right = known[np.arange(len(known)), probabilities.argmax(axis=1)]
        return float(is_right.mean()), float(known.mean(axis=0).max())
    shares = known.mean(axis=0)
    return float(((probabilities >= 0.5) == known).mean()), float(np.maximum(shares, 1 - shares).mean())


def can_judge(targets: NDArray[np.bool_], groups: tuple[str, ...] | None = None) -> NDArray[np.bool_]:
    """Return which classes a regression can judge without having seen the video in question, bool (C,).

    Such a class has 5 videos or more (one for each fold) in more than one group, and so have the videos without it.
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
    own = np.where(known[row], probabilities[row], np.inf)
    best, lowest = int(others.argmax()), float(own.min())
    is_several = (known.sum(axis=1) != 1).any()
    is_likelier = others[best] > (max(lowest, 0.5) if is_several else lowest)
    return LabelDoubt(
        video=int(videos[row]),
        doubted=int(classes[own.argmin()]),
        label_probability=lowest,
        suggested=int(classes[best]) if is_likelier else None,
        suggested_probability=float(others[best]) if is_likelier else 0.0,
    )


def _out_of_sample(
    means: NDArray[np.floating], targets: NDArray[np.bool_], groups: NDArray[np.int64] | None, is_single_label: bool
) -> NDArray[np.float64]:
    """Return probabilities (N, C) from regressions that have seen neither the video nor another of its group."""
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

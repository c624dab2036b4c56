"""Precision, recall, F1 and accuracy of predicted labels.

Everything is counted from bool tables (N, C): true and predicted labels of N videos over C classes. Where every video
has one true and one predicted label, micro-F1, micro precision, micro recall and accuracy are the same number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassMetrics:
    """Figures of one class; the ratio 0 / 0 counts as 0.

    Args:
        name: the label.
        precision: share of the videos predicted to have the label that have it.
        recall: share of the videos with the label that are predicted to have it.
        f1: harmonic mean of the two.
        support: number of videos with the label.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """Figures of one part of a set.

    Args:
        videos: number of videos.
        micro_f1, micro_precision, micro_recall: from true positives, false positives and false negatives summed over
            classes and videos.
        macro_f1, macro_precision, macro_recall: means over the classes that some video has, as scikit-learn's with
            `labels` set to these; 0 if there are none. A class that no video has is left out, even where it is
            predicted: it counts in the micro figures as false positives. mAP leaves out the same classes.
        accuracy: share of the videos whose labels are all predicted exactly (exact match).
        is_single_label: True if every video has one true and one predicted label; then micro-F1 is accuracy.
        classes: (C,) figures of each class.
    """

    videos: int
    micro_f1: float
    micro_precision: float
    micro_recall: float
    macro_f1: float
    macro_precision: float
    macro_recall: float
    accuracy: float
    is_single_label: bool
    classes: tuple[ClassMetrics, ...]


def measure(targets: NDArray[np.bool_], predicted: NDArray[np.bool_], names: Sequence[str]) -> Metrics:
    """Return the figures of predicted labels against true labels.

    Args:
        targets: (N, C) bool, True where the video has the label. N is 1 or more.
        predicted: (N, C) bool.
        names: (C,) label names.

    >>> truth = np.array([[True, False], [True, False], [False, True]])
    >>> found = np.array([[True, False], [False, True], [False, True]])
    >>> round(measure(truth, found, ["hug", "kick"]).micro_f1, 3)
    0.667

    Source: Sokolova & Lapalme 2009, A systematic analysis of performance measures for classification tasks, table 3.
    """
    hits = (targets & predicted).sum(axis=0)
    false_alarms = (~targets & predicted).sum(axis=0)
    misses = (targets & ~predicted).sum(axis=0)
    precision = _ratio(hits, hits + false_alarms)
    recall = _ratio(hits, hits + misses)
    f1 = _ratio(2 * hits, 2 * hits + false_alarms + misses)
    occurs = (hits + misses) > 0
    classes = zip(names, precision.tolist(), recall.tolist(), f1.tolist(), (hits + misses).tolist(), strict=True)
    return Metrics(
        videos=len(targets),
        micro_f1=micro_f1(targets, predicted),
        micro_precision=float(_ratio(hits.sum(), predicted.sum())),
        micro_recall=float(_ratio(hits.sum(), targets.sum())),
        macro_f1=_mean(f1[occurs]),
        macro_precision=_mean(precision[occurs]),
        macro_recall=_mean(recall[occurs]),
        accuracy=float((targets == predicted).all(axis=1).mean()),
        is_single_label=_has_one_label_each(targets) and _has_one_label_each(predicted),
        classes=tuple(ClassMetrics(*figures) for figures in classes),
    )


def micro_f1(targets: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Return 2 TP / (2 TP + FP + FN), summed over classes and videos; 0 if no label is true or predicted.

    Args:
        targets: (N, C) bool.
        predicted: (N, C) bool.
    """
    hits = (targets & predicted).sum()
    return float(_ratio(2 * hits, targets.sum() + predicted.sum()))


def decide_labels(probabilities: NDArray[np.floating], thresholds: Sequence[float] | None) -> NDArray[np.bool_]:
    """Return the labels that probabilities give.

    Args:
        probabilities: (N, C).
        thresholds: (C,) lowest probability at which a label is given; None gives each video its likeliest label.

    Returns:
        (N, C) bool.

    >>> decide_labels(np.array([[0.5, 0.3, 0.2]]), None).tolist()
    [[True, False, False]]
    >>> decide_labels(np.array([[0.5, 0.3, 0.6]]), [0.5, 0.5, 0.5]).tolist()
    [[True, False, True]]
    """
    if thresholds is not None:
        return np.asarray(probabilities >= np.asarray(thresholds))
    likeliest = probabilities.argmax(axis=1)
    return np.asarray(likeliest[:, None] == np.arange(probabilities.shape[1]))


def confuse(targets: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of videos by true label (rows) and predicted label (columns), (C, C).

    Args:
        targets: (N, C) bool, one label per video.
        predicted: (N, C) bool, one label per video.

    >>> truth = np.array([[True, False], [True, False], [False, True]])
    >>> found = np.array([[True, False], [False, True], [False, True]])
    >>> confuse(truth, found).tolist()
    [[1, 1], [0, 1]]
    """
    class_count = targets.shape[1]
    cells = targets.argmax(axis=1) * class_count + predicted.argmax(axis=1)
    return np.bincount(cells, minlength=class_count**2).reshape(class_count, class_count)


def _has_one_label_each(labels: NDArray[np.bool_]) -> bool:
    return bool((labels.sum(axis=1) == 1).all())


def _mean(figures: NDArray[np.float64]) -> float:
    return float(figures.mean()) if len(figures) else 0.0


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0))

"""Thresholds: the lowest probability at which a label is given, where a video may have several labels.

Thresholds are chosen on videos that trained nothing. Each lies half-way between two probabilities of the label there;
of several that do equally well, the one closest to 0.5 is chosen. A label that none of these videos has keeps 0.5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HALF = 0.5


def tune_thresholds(probabilities: NDArray[np.floating], targets: NDArray[np.bool_], goal: str) -> tuple[float, ...]:
    """Return the threshold of each label that gives the best F1.

    Args:
        probabilities: (n, C) of videos that trained nothing.
        targets: (n, C) bool, their labels.
        goal: "micro-f1" for the best micro-F1 over all labels, or "label-f1" for the best F1 of each label alone.

    Returns:
        (C,) thresholds.

    >>> tune_thresholds(np.array([[0.1], [0.2], [0.3], [0.4]]), np.array([[0], [0], [1], [1]], dtype=bool), "label-f1")
    (0.25,)
    """
    shown = np.flatnonzero(targets.any(axis=0)).tolist()
    curves = {label: _trace(probabilities[:, label], targets[:, label]) for label in shown}
    if goal == "label-f1":
        chosen = {label: curve.best(curve.f1) for label, curve in curves.items()}
    else:
        wrong = int((probabilities[:, ~targets.any(axis=0)] >= HALF).sum())
        chosen = _maximise_micro_f1(curves, wrong)
    found = np.full(targets.shape[1], HALF)
    for label, place in chosen.items():
        found[label] = curves[label].thresholds[place]
    return tuple(found.tolist())


@dataclass(frozen=True)
class _Curve:
    """The counts of one label at each of K thresholds.

    Args:
        thresholds: (K,).
        hits: (K,) number of videos that have the label and are given it: TP.
        given: (K,) number of videos that are given it: TP + FP.
        positives: number of videos that have it: TP + FN.
    """

    thresholds: NDArray[np.float64]
    hits: NDArray[np.int64]
    given: NDArray[np.int64]
    positives: int

    @property
    def f1(self) -> NDArray[np.float64]:
        return 2 * self.hits / (self.given + self.positives)

    def best(self, figures: NDArray[np.float64]) -> int:
        """Return the index of the highest figure; of several, the one whose threshold is closest to 0.5."""
        highest = np.flatnonzero(figures >= figures.max() - 1e-12)
        return int(highest[np.abs(self.thresholds[highest] - HALF).argmin()])


def _trace(probabilities: NDArray[np.floating], has_label: NDArray[np.bool_]) -> _Curve:
    order = np.argsort(-probabilities, kind="stable")
    falling = np.concatenate([[1.0], probabilities[order].astype(np.float64), [0.0]])
    thresholds = (falling[:-1] + falling[1:]) / 2
    hits = np.concatenate([[0], has_label[order].cumsum()])
    splits = np.flatnonzero(falling[:-1] > falling[1:])  # no threshold lies between equal probabilities
    return _Curve(thresholds[splits], hits[splits], splits, int(has_label.sum()))


def _maximise_micro_f1(curves: dict[int, _Curve], wrong: int) -> dict[int, int]:
    """Return the index on each label's curve for the best micro-F1 of all labels, with `wrong` more false positives.

    Source: Dinkelbach 1967, On nonlinear fractional programming, Management Science 13 (7). With F the best ratio so
    far, the choice that maximises 2 TP - F (2 TP + FP + FN) can be made for each label separately. The ratio of that
    choice is the next F; the best is found when F stops growing.
    """
    f1, previous = 0.0, -1.0
    chosen: dict[int, int] = {}
    while f1 > previous:
        chosen = {
            label: curve.best(2 * curve.hits - f1 * (curve.given + curve.positives)) for label, curve in curves.items()
        }
        previous = f1
        counted = [(curves[label], place) for label, place in chosen.items()]
        hits = sum(int(curve.hits[place]) for curve, place in counted)
        size = sum(int(curve.given[place]) + curve.positives for curve, place in counted) + wrong
        f1 = 2 * hits / size if size else 0.0
    return chosen

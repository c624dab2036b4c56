"""All figures of one part of a set: labels, rankings, calibration, confusion, and their confidence intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.measures.bootstrap import INTERVALS, BootstrapConfig, Interval, bootstrap_intervals
from classify.measures.calibration import Calibration, calibrate, calibration_error
from classify.measures.metrics import Metrics, confuse, decide_labels, measure
from classify.measures.ranking import RankingMetrics, rank


@dataclass(frozen=True)
class Evaluation:
    """All figures of one part.

    Args:
        metrics: figures of the predicted labels.
        ranking: figures of the order of the probabilities.
        calibration: figures of the probabilities themselves.
        confusion: (C, C) number of videos by true label (rows) and predicted label; None where videos have several.
        intervals: name of a figure -> its interval, as from `bootstrap_intervals`; empty for training videos.
        unit: what the bootstrap draws, "groups" or "videos".
        unit_count: how many of them there are.
    """

    metrics: Metrics
    ranking: RankingMetrics
    calibration: Calibration
    confusion: tuple[tuple[int, ...], ...] | None
    intervals: Mapping[str, Interval]
    unit: str
    unit_count: int

    def to_json(self) -> dict[str, Any]:
        """Return all figures JSON-ready, with all figures of a class in one object. A missing interval is None."""
        ranking = asdict(self.ranking)
        precisions = ranking.pop("average_precisions")
        figures = {**asdict(self.metrics), **ranking, **asdict(self)}
        for name in ("metrics", "ranking"):
            del figures[name]
        if self.intervals:
            figures["intervals"] = {name: figures["intervals"].get(name) for name in INTERVALS}
        figures["classes"] = [
            {**found, "average_precision": precision}
            for found, precision in zip(figures["classes"], precisions, strict=True)
        ]
        return figures


@dataclass(frozen=True)
class Outcome:
    """The probabilities that a classifier gives N videos, and their true labels.

    Args:
        targets: (N, C) bool, N >= 1.
        probabilities: (N, C) at temperature 1.
        temperature: the classifier's temperature.
        thresholds: (C,) the classifier's thresholds, at its temperature; None if each video gets its likeliest label.
        groups: (N,) the group of each video, or None.
    """

    targets: NDArray[np.bool_]
    probabilities: NDArray[np.floating]
    temperature: float
    thresholds: tuple[float, ...] | None
    groups: tuple[str, ...] | None

    @property
    def calibrated(self) -> NDArray[np.floating]:
        """The probabilities (N, C) at the classifier's temperature."""
        return calibrate(self.probabilities, self.temperature, is_single_label=self.thresholds is None)

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """The labels (N, C) that the classifier gives."""
        return decide_labels(self.calibrated, self.thresholds)

    def take(self, rows: NDArray[np.int64]) -> "Outcome":
        """Return the same for the videos at `rows` alone."""
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows)
        return replace(self, targets=self.targets[rows], probabilities=self.probabilities[rows], groups=groups)


def evaluate(outcome: Outcome, names: Sequence[str], *, bootstrap: BootstrapConfig | None) -> Evaluation:
    """Return all figures of a classifier on one part.

    Args:
        outcome: probabilities and true labels of the part's videos.
        names: (C,) label names.
        bootstrap: settings of the intervals; None computes no intervals.
    """
    targets, is_softmax = outcome.targets, outcome.thresholds is None
    found, predicted = outcome.calibrated, outcome.predicted
    metrics = measure(targets, predicted, names)
    drawn = {}
    if bootstrap is not None:
        drawn = bootstrap_intervals(targets, predicted, found, groups=outcome.groups, config=bootstrap)
    return Evaluation(
        metrics=metrics,
        ranking=rank(targets, found),
        calibration=Calibration(
            error=calibration_error(targets, found, is_single_label=is_softmax),
            error_before=calibration_error(targets, outcome.probabilities, is_single_label=is_softmax),
            temperature=outcome.temperature,
        ),
        confusion=tuple(map(tuple, confuse(targets, predicted).tolist())) if metrics.is_single_label else None,
        intervals=drawn,
        unit="videos" if outcome.groups is None else "groups",
        unit_count=len(targets) if outcome.groups is None else len(set(outcome.groups)),
    )

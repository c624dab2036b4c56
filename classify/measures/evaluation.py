"""All that is measured of one part of a set: labels, rankings, calibration, confusion, and how sure the figures are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.measures.bootstrap import BootstrapConfig, Interval, bootstrap_intervals
from classify.measures.calibration import Calibration, calibrate, calibration_error
from classify.measures.metrics import Metrics, confuse, decide_labels, measure
from classify.measures.ranking import RankingMetrics, rank


@dataclass(frozen=True)
class Evaluation:
    """Figures of one part.

    Args:
        metrics: of the labels that were given.
        ranking: of the probabilities' order.
        calibration: of the probabilities themselves.
        confusion: (C, C) videos by true label (rows) and given label; None where videos have several.
        intervals: name of a figure -> its bootstrap interval; empty for videos that trained the head.
        unit: what the intervals' draws are made of, "groups" or "videos".
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
        """Return all figures JSON-ready, those of a class beside each other."""
        ranking = asdict(self.ranking)
        precisions = ranking.pop("average_precisions")
        figures = {**asdict(self.metrics), **ranking, **asdict(self)}
        for name in ("metrics", "ranking"):
            del figures[name]
        figures["classes"] = [
            {**found, "average_precision": precision}
            for found, precision in zip(figures["classes"], precisions, strict=True)
        ]
        return figures


@dataclass(frozen=True)
class Outcome:
    """What a classifier said of N videos, and what is true.

    Args:
        targets: (N, C) bool, N >= 1.
        probabilities: (N, C) at temperature 1.
        temperature: of the classifier.
        thresholds: (C,) of the classifier, at its temperature; None where each video gets its likeliest label.
        groups: (N,) what the videos are grouped by, or None.
    """

    targets: NDArray[np.bool_]
    probabilities: NDArray[np.floating]
    temperature: float
    thresholds: tuple[float, ...] | None
    groups: tuple[str, ...] | None

    def take(self, rows: NDArray[np.int64]) -> "Outcome":
        """Return the outcome of the videos at `rows`."""
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows)
        return replace(self, targets=self.targets[rows], probabilities=self.probabilities[rows], groups=groups)


def evaluate(outcome: Outcome, names: Sequence[str], *, bootstrap: BootstrapConfig | None) -> Evaluation:
    """Measure what a classifier said.

    Args:
        outcome: of one part.
        names: (C,) label names.
        bootstrap: how to draw intervals; None draws none.
    """
    targets, is_softmax = outcome.targets, outcome.thresholds is None
    found = calibrate(outcome.probabilities, outcome.temperature, is_single_label=is_softmax)
    predicted = decide_labels(found, outcome.thresholds)
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

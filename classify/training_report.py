"""What `train_head` returns and writes beside the head: its figures, their history, and what chose them."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from classify.classifier import VideoClassifier
from classify.comparison import Selection
from classify.measures import Evaluation, Interval, Metrics
from classify.training import EpochRecord, Outputs


@dataclass(frozen=True)
class TrainingReport:
    """The head that `train_head` trained, and its figures.

    Args:
        folder: the head's folder.
        classifier: the head, ready for use.
        evaluations: "train", "validation", "test" -> figures; a part without videos is absent.
        history: one record per epoch.
        best_epoch: the epoch whose weights the head has.
        seconds: wall time of the training, without reading and writing.
        notes: sentences about videos and classes that were left out or say little.
        outputs: the head's temperature and thresholds, and the videos that they were fitted on.
        selection: the recipes that were tried; None if the architecture was not "auto".
        test_evaluations: number of evaluations on the split's test videos, including this one; None if unknown.
        baselines: "validation", "test" -> "majority", "logistic-regression", "logistic-statistics" -> figures on the
            same videos, with intervals of micro-F1, macro-F1 and accuracy alone. Regressions are absent for large sets.
        over_baselines: name of a baseline -> by how much the head's micro-F1 on the test videos is higher, paired.
        unlearned_videos: number of test videos with a label that no training video has.
        replaced: a sentence about the head that was replaced; None if none was.
    """

    folder: Path
    classifier: VideoClassifier
    evaluations: Mapping[str, Evaluation]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float
    notes: tuple[str, ...]
    outputs: Outputs
    selection: Selection | None = None
    test_evaluations: int | None = None
    baselines: Mapping[str, Mapping[str, Evaluation]] = field(default_factory=dict)
    over_baselines: Mapping[str, Interval] = field(default_factory=dict)
    unlearned_videos: int = 0
    replaced: str | None = None

    @property
    def parts(self) -> dict[str, Metrics]:
        """The figures of the predicted labels, for each part with videos."""
        return {part: found.metrics for part, found in self.evaluations.items()}

    @property
    def loss(self) -> str:
        """The loss that was minimised, and why, in words."""
        if self.classifier.thresholds is None:
            return "softmax and cross-entropy, since every video has one label"
        return "sigmoid and binary cross-entropy, since some videos have several labels or none"

    @property
    def test_use(self) -> str:
        """How often the test videos were used, and what that means, in words."""
        if self.test_evaluations is None:
            return (
                "How often the test videos of this split were looked at is unknown: the log beside the split file "
                "cannot be read or written."
            )
        if self.test_evaluations == 1:
            return "The test videos of this split were looked at once, after training."
        return (
            f"The test videos of this split were looked at {self.test_evaluations} times, each after training a head. "
            "If you keep the best of these heads, its test figures are too high."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report JSON-ready; the figures at its top level are those of the test videos."""
        test = self.parts["test"]
        return {
            "micro_f1": test.micro_f1,
            "macro_f1": test.macro_f1,
            "test_videos": test.videos,
            "test_evaluations": self.test_evaluations,
            "seconds": self.seconds,
            "best_epoch": self.best_epoch,
            "calibrated_on": self.outputs.calibrated_on,
            "thresholds_on": self.outputs.thresholds_on,
            "is_multi_label": self.classifier.thresholds is not None,
            "loss": self.loss,
            "config": asdict(self.classifier.config),
            "parts": {part: found.to_json() for part, found in self.evaluations.items()},
            "baselines": {
                part: {name: _shorten(found.to_json()) for name, found in of_part.items()}
                for part, of_part in self.baselines.items()
            },
            "over_baselines": {name: asdict(found) for name, found in self.over_baselines.items()},
            "unlearned_test_videos": self.unlearned_videos,
            "notes": self.notes,
            "selection": None if self.selection is None else self.selection.to_json(),
        }

    def files(self) -> dict[str, str]:
        """Return the names and texts of the files that stand beside the head: history.csv and report.json."""
        history = io.StringIO()
        writer = csv.writer(history, lineterminator="\n")
        columns = [field.name for field in fields(EpochRecord) if field.name != "epochs"]  # the same in every row
        writer.writerow(columns)
        writer.writerows([getattr(record, name) for name in columns] for record in self.history)
        return {"history.csv": history.getvalue(), "report.json": json.dumps(self.to_json(), indent=2) + "\n"}


def _shorten(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what grows with the number of classes, and the calibration, which baselines have none of."""
    return {name: found for name, found in figures.items() if name not in ("classes", "confusion", "calibration")}

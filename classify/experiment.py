"""One experiment: a store, labels and a split become a trained head and its figures, in one folder."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

from classify.batches import LabelledSet
from classify.classifier import VideoClassifier, refuse_foreign_folder
from classify.errors import SplitError
from classify.labels import Labels, read_labels
from classify.metrics import Metrics, measure
from classify.splits import PARTS, Split, describe_gaps, read_split
from classify.training import EpochRecord, TrainConfig, fit_head
from embed.store import EmbeddingStore


@dataclass(frozen=True)
class TrainingReport:
    """What `train_head` made.

    Args:
        folder: where the head lies.
        classifier: the head, ready for use.
        parts: "train", "validation", "test" -> figures; a part without videos is absent.
        history: one record an epoch.
        seconds: wall time of the training, without reading and writing.
        notes: sentences about videos and classes that were left out or say little.
    """

    folder: Path
    classifier: VideoClassifier
    parts: Mapping[str, Metrics]
    history: tuple[EpochRecord, ...]
    seconds: float
    notes: tuple[str, ...]

    @property
    def loss(self) -> str:
        """What was minimised, and why, in words."""
        if self.classifier.thresholds is None:
            return "softmax and cross-entropy, since every training video has one label"
        return "sigmoid and binary cross-entropy, since training videos have several labels or none"

    def to_json(self) -> dict[str, Any]:
        """Return the report JSON-ready; its first figures are those of the test videos."""
        test = self.parts["test"]
        return {
            "micro_f1": test.micro_f1,
            "macro_f1": test.macro_f1,
            "test_videos": test.videos,
            "test_evaluations": 1,
            "seconds": self.seconds,
            "is_multi_label": self.classifier.thresholds is not None,
            "loss": self.loss,
            "config": asdict(self.classifier.config),
            "parts": {part: asdict(metrics) for part, metrics in self.parts.items()},
            "notes": self.notes,
        }


def train_head(
    store: str | Path,
    split: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainingReport:
    """Train a head on a store, measure it on each part of the split, and write its folder.

    The test videos are looked at once, after the training.

    Args:
        store: the store's path.
        split: the split file, made by `split_videos`.
        output: folder for the head; a head that lies there already is replaced, anything else is not.
        labels: as for `split_videos`, with the same minimum count.
        config: how to train.
        on_epoch: called with each epoch's record.

    Raises:
        ClassifyError: labels, split, configuration or output folder do not fit; its children say which.
        EmbedError: the store cannot be read.
    """
    output = Path(output)
    refuse_foreign_folder(output)
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels)
        parts = read_split(split, table)
        _refuse_without_test(parts, split)
        dataset = LabelledSet.read(opened, table)
        provenance = opened.provenance
    run = fit_head(dataset, parts.indices("train"), parts.indices("validation"), config, on_epoch=on_epoch)
    classifier = VideoClassifier(run.head, table.names, run.thresholds, provenance, config)
    metrics = _measure_parts(classifier, dataset, parts)
    classifier = replace(classifier, metrics={part: asdict(found) for part, found in metrics.items()})
    notes = (*table.notes, *describe_gaps(parts, table))
    report = TrainingReport(output, classifier, metrics, run.history, run.seconds, notes)
    classifier.save(output, reports=_reports(report))
    return report


def _measure_parts(classifier: VideoClassifier, dataset: LabelledSet, split: Split) -> dict[str, Metrics]:
    """Measure each part that has videos, on the CPU as a saved head would."""
    predicted = classifier.decide(classifier.predict_probabilities(dataset.videos))
    rows = {part: split.indices(part) for part in PARTS}
    return {
        part: measure(dataset.targets[found], predicted[found], dataset.names)
        for part, found in rows.items()
        if len(found)
    }


def _reports(report: TrainingReport) -> dict[str, str]:
    """Return the texts of history.csv and report.json."""
    history = io.StringIO()
    writer = csv.writer(history, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochRecord))
    writer.writerows(astuple(record) for record in report.history)
    return {
        "history.csv": history.getvalue(),
        "report.json": json.dumps(report.to_json(), indent=2) + "\n",
    }


def _refuse_without_test(split: Split, path: str | Path) -> None:
    if not len(split.indices("test")):
        raise SplitError(f"{path} has no test video, so nothing would be known of the head. Make it with split-videos.")

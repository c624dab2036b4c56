"""One experiment: a store, labels and a split become a trained head and its figures, in one folder."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.classifier import VideoClassifier, refuse_output_folder
from classify.comparison import AUTO, BUDGET_S, LOGISTIC, Selection, choose_recipe, list_candidates, refuse_chosen
from classify.data import PARTS, Labels, LabelTable, Split, describe_gaps, read_labels, read_split
from classify.errors import SplitError, TrainError
from classify.measures import (
    BootstrapConfig,
    Evaluation,
    Metrics,
    Outcome,
    evaluate,
    fit_temperature,
    log_evaluation,
    move_thresholds,
)
from classify.training import EpochRecord, LabelledSet, TrainConfig, TrainingRun, fit_head, predict_probabilities
from embed.store import EmbeddingStore


@dataclass(frozen=True)
class TrainingReport:
    """What `train_head` made.

    Args:
        folder: where the head lies.
        classifier: the head, ready for use.
        evaluations: "train", "validation", "test" -> figures; a part without videos is absent.
        history: one record an epoch.
        best_epoch: the epoch whose weights the head has.
        seconds: wall time of the training, without reading and writing.
        notes: sentences about videos and classes that were left out or say little.
        selection: what was tried, where architecture and recipe were chosen; None where they were asked for.
        test_evaluations: how often the split's test videos were looked at, this time included; None where unknown.
    """

    folder: Path
    classifier: VideoClassifier
    evaluations: Mapping[str, Evaluation]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float
    notes: tuple[str, ...]
    selection: Selection | None = None
    test_evaluations: int | None = None

    @property
    def parts(self) -> dict[str, Metrics]:
        """The figures of the labels that were given, of each part with videos."""
        return {part: found.metrics for part, found in self.evaluations.items()}

    @property
    def loss(self) -> str:
        """What was minimised, and why, in words."""
        if self.classifier.thresholds is None:
            return "softmax and cross-entropy, since every video has one label"
        return "sigmoid and binary cross-entropy, since some videos have several labels, or none"

    @property
    def test_use(self) -> str:
        """How often the test videos were looked at, and what that means, in words."""
        if self.test_evaluations is None:
            return (
                "How often the test videos of this split were looked at is unknown: the list beside the split file "
                "cannot be read or written."
            )
        if self.test_evaluations == 1:
            return "The test videos of this split were looked at once, after training."
        return (
            f"The test videos of this split were looked at {self.test_evaluations} times, each after a training: "
            "if the best of these heads is kept, its figures flatter."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report JSON-ready; its first figures are those of the test videos."""
        test = self.parts["test"]
        return {
            "micro_f1": test.micro_f1,
            "macro_f1": test.macro_f1,
            "test_videos": test.videos,
            "test_evaluations": self.test_evaluations,
            "seconds": self.seconds,
            "best_epoch": self.best_epoch,
            "is_multi_label": self.classifier.thresholds is not None,
            "loss": self.loss,
            "config": asdict(self.classifier.config),
            "parts": {part: found.to_json() for part, found in self.evaluations.items()},
            "notes": self.notes,
            "selection": None if self.selection is None else asdict(self.selection),
        }


def train_head(
    store: str | Path,
    split: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen
    budget_s: float | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainingReport:
    """Train a head on a store, measure it on each part of the split, and write its folder.

    The test videos are looked at once, after the training, and that is noted beside the split file. Until all is
    measured, the folder holds the head without figures, at temperature 1.

    Args:
        store: the store's path.
        split: the split file, made by `split_videos`.
        output: folder for the head; a head that lies there already is replaced, anything else is not.
        labels: as for `split_videos`, with the same minimum count.
        config: how to train. With the architecture "auto", architecture, mixup, epochs, learning rate, its schedule and
            weight decay are chosen by cross-validation inside the training part (`classify.comparison.selection`). For
            them, and for dropout, other values than the defaults are refused; logistic regression, the first to try,
            has others of its own, and a note names those where it is chosen.
        budget_s: seconds that choice and training may take, with "auto" alone; None gives it 60. A training that they
            do not suffice for is cut, with a note.
        on_epoch: called with each epoch's record; while choosing, it is not.

    Raises:
        ClassifyError: labels, split, configuration or output folder do not fit; its children say which.
        EmbedError: the store cannot be read.
    """
    output = Path(output)
    refuse_output_folder(output)
    _refuse_misplaced(config, budget_s)
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels)
        parts = read_split(split, table)
        _refuse_without_test(parts, split)
        dataset = LabelledSet.read(opened, table, stream=config.stream, device=config.device)
        selection = _choose(dataset, replace(table, groups=parts.groups), parts, config, budget_s)
        asked, config = config, config if selection is None else selection.config
        rows = parts.indices("train"), parts.indices("validation")
        run = fit_head(dataset, *rows, config, on_epoch=on_epoch, is_late=_alarm(selection))
        # Of a very large set, measuring takes more memory than training: should that end the run, the head is there.
        plain = VideoClassifier(run.head, table.names, run.thresholds, opened.provenance, config)
        plain.save(output)
        classifier, evaluations = _measure(plain, dataset, parts)
    notes = (*table.notes, *describe_gaps(parts, table), *_note_own(asked, config), *_note_cut(run, selection))
    looks = log_evaluation(split, parts, head=output, arch=config.arch, micro_f1=evaluations["test"].metrics.micro_f1)
    report = TrainingReport(
        output, classifier, evaluations, run.history, run.best_epoch, run.seconds, notes, selection, looks
    )
    classifier.save(output, reports=_reports(report))
    return report


def _choose(
    dataset: LabelledSet, table: LabelTable, split: Split, config: TrainConfig, budget_s: float | None
) -> Selection | None:
    """Choose a recipe where that is asked for."""
    if config.arch != AUTO:
        return None
    train = split.indices("train")
    candidates = list_candidates(dataset, train, config)
    return choose_recipe(dataset, table, train, candidates, budget_s=BUDGET_S if budget_s is None else budget_s)


def _refuse_misplaced(config: TrainConfig, budget_s: float | None) -> None:
    """Refuse what has no effect: settings that are chosen, and a budget where nothing is."""
    if config.arch == AUTO:
        refuse_chosen(config)
    elif budget_s is not None:
        raise TrainError(
            f"A budget of {budget_s:g} s is given, but {config.arch} is asked for, which takes the time that it needs. "
            f"Leave the budget out, or have the head chosen: {AUTO}."
        )


def _alarm(selection: Selection | None) -> Callable[[], bool]:
    """Give what says whether the budget is spent; without one it never is."""
    if selection is None:
        return lambda: False
    end = perf_counter() + selection.budget_s - selection.seconds
    return lambda: perf_counter() > end


def _note_own(asked: TrainConfig, config: TrainConfig) -> tuple[str, ...]:
    """Say what the head has instead of what was asked for: where logistic regression is chosen, its own settings."""
    own = [name for name in LOGISTIC if getattr(config, name) != getattr(asked, name)]
    if not own:
        return ()
    named = ", ".join(f"{name} ({getattr(asked, name)})" for name in own)
    return (f"Logistic regression is chosen, which has settings of its own instead of {named}: name a head for them.",)


def _note_cut(run: TrainingRun, selection: Selection | None) -> tuple[str, ...]:
    """Say where the budget ended the training."""
    if selection is None or not run.is_cut:
        return ()
    last = run.history[-1]
    return (
        f"The budget of {selection.budget_s:g} s ended the training after {last.step} step{'s' * (last.step > 1)}, in "
        f"epoch {last.epoch} of {run.config.epochs}: the head may have learned too little. Give a larger --budget.",
    )


def _measure(
    classifier: VideoClassifier, dataset: LabelledSet, split: Split
) -> tuple[VideoClassifier, dict[str, Evaluation]]:
    """Calibrate a head on the validation videos, and measure it on each part; return it with its figures, and them."""
    found = predict_probabilities(
        classifier.head, dataset.videos, classifier.thresholds, device=classifier.config.device
    )
    temperature = _fit_temperature(dataset.targets, found, split, is_single_label=classifier.thresholds is None)
    thresholds = move_thresholds(classifier.thresholds, temperature)
    outcome = Outcome(dataset.targets, found, temperature, thresholds, split.groups)
    evaluations = _evaluate_parts(outcome, classifier.names, split)
    metrics = {part: asdict(evaluation.metrics) for part, evaluation in evaluations.items()}
    return replace(classifier, thresholds=thresholds, metrics=metrics, temperature=temperature), evaluations


def _fit_temperature(
    targets: NDArray[np.bool_], probabilities: NDArray[np.floating], split: Split, *, is_single_label: bool
) -> float:
    """Fit the temperature on the validation videos; 1 where there are none."""
    rows = split.indices("validation")
    if not len(rows):
        return 1.0
    return fit_temperature(targets[rows], probabilities[rows], is_single_label=is_single_label)


def _evaluate_parts(outcome: Outcome, names: Sequence[str], split: Split) -> dict[str, Evaluation]:
    """Measure each part that has videos; figures of training videos promise nothing, so they get no interval."""
    rows = {part: split.indices(part) for part in PARTS}
    return {
        part: evaluate(outcome.take(found), names, bootstrap=None if part == "train" else BootstrapConfig())
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

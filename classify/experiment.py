"""`train_head`: from a store, labels and a split to a trained head and its figures, in one folder."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.classifier import LEARNED_FILE, VideoClassifier, digest_videos, refuse_output_folder
from classify.comparison import (
    AUTO,
    BUDGET_S,
    LOGISTIC,
    Judgement,
    Selection,
    choose_recipe,
    judge_head,
    list_candidates,
    note_left_out,
    refuse_chosen,
)
from classify.data import (
    PARTS,
    Labels,
    LabelTable,
    Split,
    describe_gaps,
    note_torn_copies,
    read_labelled_split,
)
from classify.errors import SplitError, TrainError
from classify.measures import (
    BootstrapConfig,
    Evaluation,
    Interval,
    Metrics,
    Outcome,
    evaluate,
    log_evaluation,
)
from classify.training import (
    EpochRecord,
    HeldOut,
    LabelledSet,
    Member,
    Outputs,
    TrainConfig,
    TrainingRun,
    fit_average,
    fit_head,
    fit_outputs,
    predict_held_out,
    predict_probabilities,
    refuse_untrainable,
    refuse_untunable,
)
from embed.store import EmbeddingStore

_LATE = 1.1  # times the budget is worth a note


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


def train_head(
    store: str | Path,
    split: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen
    budget_s: float | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    overwrite: bool = False,
) -> TrainingReport:
    """Train a head on a store, measure it on each part of the split, and write its folder.

    The test videos are used once, after the training, and the log beside the split file records it. The majority and
    logistic regression are measured on the same videos; they choose nothing. Until all figures are computed, a new
    folder holds the head without figures, at temperature 1; one with an older head still holds that.

    Args:
        store: the store's path.
        split: the split file, made by `split_videos`.
        output: folder for the head; it replaces a head that is already there, and nothing else.
        labels: as for `split_videos`, with the same minimum count; None takes those that the split was made with.
        config: how to train. With the architecture "auto", architecture, mixup, epochs, learning rate, schedule and
            weight decay are chosen by cross-validation inside the training part (`classify.comparison.selection`). For
            these and for dropout, other values than the defaults are refused. Logistic regression, the first candidate,
            has some settings of its own; if it is chosen, a note names them.
        budget_s: seconds for choosing and training, only with "auto"; None is 60. What is chosen is always trained to
            its end; if that takes longer, a note says so. Measuring comes on top.
        on_epoch: called with each epoch's record, but not while choosing.
        overwrite: replace files in the folder that have the names of a head's, although they are of no head.

    Raises:
        ClassifyError: labels, split, configuration or output folder do not fit; its children say which.
        EmbedError: the store cannot be read.
    """
    output = Path(output)
    replaced = refuse_output_folder(output, overwrite=overwrite)
    _refuse_misplaced(config, budget_s)
    with EmbeddingStore(store) as opened:
        table, parts = read_labelled_split(opened, split, labels)
        _refuse_without_test(parts, split)
        torn = note_torn_copies(parts.ids, parts.parts, opened)
        dataset = LabelledSet.read(opened, table, stream=config.stream, device=config.device)
        selection = _choose(dataset, replace(table, groups=parts.groups), parts, config, budget_s)
        asked, config = config, config if selection is None else selection.config
        rows = parts.indices("train"), parts.indices("validation")
        run = _fit(dataset, *rows, config, selection, on_epoch)
        members = selection.members if selection is not None and len(selection.members) > 1 else ()
        # Measuring a very large set takes more memory than training. The head is saved first, in case that fails.
        plain = VideoClassifier(run.head, table.names, run.thresholds, opened.provenance, run.config, members=members)
        learned = "\n".join((*digest_videos(opened, [parts.ids[row] for row in np.concatenate(rows)]), ""))
        if replaced is None:
            plain.save(output, reports={LEARNED_FILE: learned})
        held_out = None if selection is None else selection.held_out
        held_out = held_out or predict_held_out(dataset, parts, run)
        classifier, evaluations, outputs, judged = _measure(plain, dataset, parts, held_out)
    gaps, own = describe_gaps(parts, table), () if members else _note_own(asked, config)
    choice = () if selection is None else (*note_left_out(dataset, asked), *selection.notes)
    found = evaluations["test"].metrics.micro_f1
    looks = log_evaluation(split, parts, head=output, arch=run.config.arch, micro_f1=found)
    report = TrainingReport(
        folder=output,
        classifier=classifier,
        evaluations=evaluations,
        history=run.history,
        best_epoch=run.best_epoch,
        seconds=run.seconds,
        notes=(*table.notes, *torn, *gaps, *own, *choice, *_note_late(run, selection), *judged.notes),
        outputs=outputs,
        selection=selection,
        test_evaluations=looks,
        baselines=judged.baselines,
        over_baselines=judged.differences,
        unlearned_videos=judged.unlearned,
        replaced=replaced,
    )
    classifier.save(output, reports={**_reports(report), LEARNED_FILE: learned}, overwrite=overwrite)
    return report


def _choose(
    dataset: LabelledSet, table: LabelTable, split: Split, config: TrainConfig, budget_s: float | None
) -> Selection | None:
    """Return the recipe that cross-validation chooses; None if an architecture is named. Refuse bad settings first."""
    if config.arch != AUTO:
        refuse_untunable(dataset, split, config)
        return None
    train = split.indices("train")
    refuse_untrainable(dataset.targets, train, split.indices("validation"), replace(config, thresholds="half"))
    candidates = list_candidates(dataset, train, config)
    return choose_recipe(dataset, table, train, candidates, budget_s=BUDGET_S if budget_s is None else budget_s)


def _refuse_misplaced(config: TrainConfig, budget_s: float | None) -> None:
    """Refuse options without effect: settings that "auto" chooses, and a budget without "auto"."""
    if config.arch == AUTO:
        refuse_chosen(config)
    elif budget_s is not None:
        raise TrainError(
            f"A budget of {budget_s:g} s has no effect on the {config.arch} head, which takes the time that it needs. "
            f"Leave out `budget`, or use --arch {AUTO}."
        )


def _fit(
    dataset: LabelledSet,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    config: TrainConfig,
    selection: Selection | None,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> TrainingRun:
    """Train a head, or what was chosen: one head, or all heads of an average.

    Without validation videos, thresholds stay at 0.5 here; `fit_outputs` chooses them on held-out folds.
    """
    goal = config.thresholds if len(validation) else "half"
    if selection is None:
        run = fit_head(dataset, train, validation, replace(config, thresholds=goal), on_epoch=on_epoch)
    else:
        members = [Member(replace(own.config, thresholds=goal), own.weight) for own in selection.members]
        run = fit_average(dataset, train, validation, members, on_epoch=on_epoch)
    return replace(run, config=replace(run.config, thresholds=config.thresholds))


def _note_own(asked: TrainConfig, config: TrainConfig) -> tuple[str, ...]:
    """Return a note on the settings that were asked for but that logistic regression, if chosen, does not take."""
    own = [name for name in LOGISTIC if getattr(config, name) != getattr(asked, name)]
    if not own:
        return ()
    named = ", ".join(f"`{name}` {getattr(asked, name)}" for name in own)
    return (
        f"Logistic regression was chosen. It has its own settings, so these have no effect: {named}. To use them, name "
        "a head with --arch.",
    )


def _note_late(run: TrainingRun, selection: Selection | None) -> tuple[str, ...]:
    """Return a note if training took clearly longer than the budget left."""
    if selection is None or selection.seconds + run.seconds <= _LATE * selection.budget_s:
        return ()
    return (
        f"Choosing took {selection.seconds:.1f} s and training {run.seconds:.1f} s, more than the budget of "
        f"{selection.budget_s:g} s: what is chosen is trained to its end, however busy the machine is. Use a larger "
        "--budget to try more candidates.",
    )


def _measure(
    classifier: VideoClassifier, dataset: LabelledSet, split: Split, held_out: HeldOut | None
) -> tuple[VideoClassifier, dict[str, Evaluation], Outputs, Judgement]:
    """Calibrate a head on videos that did not train it; return it with its figures on each part and of baselines."""
    plain, goal = classifier.thresholds, classifier.config.thresholds
    found = predict_probabilities(classifier.head, dataset.videos, plain, device=classifier.config.device)
    outputs = fit_outputs(dataset, split, found, held_out, thresholds=plain, goal=goal)
    outcome = Outcome(dataset.targets, found, outputs.temperature, outputs.thresholds, split.groups)
    evaluations = _evaluate_parts(outcome, classifier.names, split)
    metrics = {part: asdict(evaluation.metrics) for part, evaluation in evaluations.items()}
    measured = replace(classifier, thresholds=outputs.thresholds, metrics=metrics, temperature=outputs.temperature)
    return measured, evaluations, outputs, judge_head(outcome, dataset, split, goal=goal)


def _evaluate_parts(outcome: Outcome, names: Sequence[str], split: Split) -> dict[str, Evaluation]:
    """Return the figures of each part that has videos; those of training videos get no interval, as they are biased."""
    rows = {part: split.indices(part) for part in PARTS}
    return {
        part: evaluate(outcome.take(found), names, bootstrap=None if part == "train" else BootstrapConfig())
        for part, found in rows.items()
        if len(found)
    }


def _shorten(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what grows with the number of classes, and the calibration, which baselines have none of."""
    return {name: found for name, found in figures.items() if name not in ("classes", "confusion", "calibration")}


def _reports(report: TrainingReport) -> dict[str, str]:
    """Return the texts of history.csv and report.json."""
    history = io.StringIO()
    writer = csv.writer(history, lineterminator="\n")
    columns = [field.name for field in fields(EpochRecord) if field.name != "epochs"]  # the same in every row
    writer.writerow(columns)
    writer.writerows([getattr(record, name) for name in columns] for record in report.history)
    return {
        "history.csv": history.getvalue(),
        "report.json": json.dumps(report.to_json(), indent=2) + "\n",
    }


def _refuse_without_test(split: Split, path: str | Path) -> None:
    if not len(split.indices("test")):
        raise SplitError(f"{path} has no test video to measure the head on. Make the split with split-videos.")

"""`train_head`: from a store, labels and a split to a trained head and its figures, in one folder."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from classify.classifier import LEARNED_FILE, VideoClassifier, keep_pca, list_learned, refuse_output_folder
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
    labels_of_split,
    note_torn_copies,
    read_labelled_split,
)
from classify.errors import ClassifyError, SplitError, TrainError
from classify.heads import LAST_BLOCK, describe_tail, list_options, refuse_misplaced
from classify.measures import (
    BootstrapConfig,
    Evaluation,
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
from classify.training_report import TrainingReport
from embed.machine import real_path
from embed.store import EmbeddingStore

_LATE = 1.1  # times the budget is worth a note


def train_head(
    store: str | Path,
    split: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: TrainConfig = TrainConfig(),  # noqa: B008 - frozen
    budget_s: float | None = None,
    on_start: Callable[[str | None], None] | None = None,
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
        on_start: called once, when all is read and choosing or training begins, with a sentence about the head that
            will be replaced; None if there is none.
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
        config = _with_encoder(config, opened)
        found = _Material.read(opened, split, labels, config)
        _refuse_own_labels(output, labels_of_split(split, found.split, labels)[0].path)
        if on_start is not None:
            on_start(replaced)
        selection = _choose(found, config, budget_s)
        run = _fit(found, config if selection is None else selection.config, selection, on_epoch)
        members = selection.members if selection is not None and len(selection.members) > 1 else ()
        # Measuring a very large set takes more memory than training. The head is saved first, in case that fails.
        names = found.table.names
        plain = VideoClassifier(run.head, names, run.thresholds, opened.provenance, run.config, members=members)
        pca, pca_notes = keep_pca(opened, [found.split.ids[row] for row in found.split.indices("test")])
        kept: dict[str, str | bytes] = {
            LEARNED_FILE: list_learned(opened, [found.split.ids[row] for row in found.learned]),
            **pca,
        }
        if replaced is None:
            plain.save(output, reports=kept)
        held_out = None if selection is None else selection.held_out
        held_out = held_out or predict_held_out(found.dataset, found.split, run)
        classifier, evaluations, outputs, judged = _measure(plain, found.dataset, found.split, held_out)
    test = evaluations["test"].metrics.micro_f1
    report = TrainingReport(
        folder=output,
        classifier=classifier,
        evaluations=evaluations,
        history=run.history,
        best_epoch=run.best_epoch,
        seconds=run.seconds,
        notes=(*found.notes, *pca_notes, *_note_choice(found.dataset, config, selection, run), *judged.notes),
        outputs=outputs,
        selection=selection,
        test_evaluations=log_evaluation(split, found.split, head=output, arch=run.config.arch, micro_f1=test),
        baselines=judged.baselines,
        over_baselines=judged.differences,
        unlearned_videos=judged.unlearned,
        replaced=replaced,
    )
    classifier.save(output, reports={**report.files(), **kept}, overwrite=overwrite)
    return report


def _with_encoder(config: TrainConfig, store: EmbeddingStore) -> TrainConfig:
    """Return the configuration with what a head needs that is a part of the store's encoder.

    Raises:
        HeadError: the head does not take what the store has.
        EmbedError: the encoder is not available.
    """
    identity = store.provenance.encoder
    refuse_misplaced(config.arch, identity, str(store.path))
    if config.arch != LAST_BLOCK:
        return config
    return replace(config, tail=describe_tail(identity, config.pretrained))


def _refuse_own_labels(output: Path, labels: str | Path | None) -> None:
    """Raise ClassifyError if the labels are in a file that is deleted with the head in the folder."""
    if labels is not None and real_path(labels).parent == real_path(output):
        raise ClassifyError(
            f"{labels} has the labels of this training, and would be deleted with the head that is in {output}. Name "
            "another folder for the new head."
        )


@dataclass(frozen=True)
class _Material:
    """What a head is trained and measured on: N videos with their labels and parts, and notes on them."""

    table: LabelTable
    split: Split
    dataset: LabelledSet
    notes: tuple[str, ...]

    @classmethod
    def read(cls, store: EmbeddingStore, path: str | Path, labels: Labels, config: TrainConfig) -> Self:
        """Read labels, split and vectors, and refuse those that cannot be trained and measured on."""
        table, split = read_labelled_split(store, path, labels)
        if not len(split.indices("test")):
            raise SplitError(f"{path} has no test video to measure the head on. Make the split with split-videos.")
        torn = note_torn_copies(split.ids, split.parts, store)
        dataset = LabelledSet.read(store, table, stream=config.stream, device=config.device)
        train, validation = split.indices("train"), split.indices("validation")
        # Without validation videos, thresholds are chosen on held-out folds.
        refuse_untrainable(table.targets, train, validation, replace(config, thresholds="half"))
        if config.arch != AUTO:
            refuse_untunable(dataset, split, config)
        return cls(table, split, dataset, (*table.notes, *torn, *describe_gaps(split, table)))

    @property
    def learned(self) -> NDArray[np.int64]:
        """Rows of the training and validation videos, int64."""
        return np.concatenate([self.split.indices("train"), self.split.indices("validation")])


def _choose(found: _Material, config: TrainConfig, budget_s: float | None) -> Selection | None:
    """Return the recipe that cross-validation chooses; None if an architecture is named."""
    if config.arch != AUTO:
        return None
    train = found.split.indices("train")
    candidates = list_candidates(found.dataset, train, config)
    table = replace(found.table, groups=found.split.groups)
    return choose_recipe(found.dataset, table, train, candidates, budget_s=BUDGET_S if budget_s is None else budget_s)


def _refuse_misplaced(config: TrainConfig, budget_s: float | None) -> None:
    """Refuse an unknown head, settings that "auto" chooses, and a budget without "auto"."""
    if config.arch == AUTO:
        refuse_chosen(config)
        return
    list_options(config.arch)  # an unknown head is an error before anybody reads which head is replaced
    if budget_s is not None:
        raise TrainError(
            f"A budget of {budget_s:g} s has no effect on the {config.arch} head, which takes the time that it needs. "
            f"Leave out `budget`, or use --arch {AUTO}."
        )


def _fit(
    found: _Material,
    config: TrainConfig,
    selection: Selection | None,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> TrainingRun:
    """Train a head as configured, or what was chosen: one head, or all heads of an average.

    Without validation videos, thresholds stay at 0.5 here; `fit_outputs` chooses them on held-out folds.
    """
    rows = found.split.indices("train"), found.split.indices("validation")
    goal = config.thresholds if len(rows[1]) else "half"
    if selection is None:
        run = fit_head(found.dataset, *rows, replace(config, thresholds=goal), on_epoch=on_epoch)
    else:
        members = [Member(replace(own.config, thresholds=goal), own.weight) for own in selection.members]
        run = fit_average(found.dataset, *rows, members, on_epoch=on_epoch)
    return replace(run, config=replace(run.config, thresholds=config.thresholds))


def _note_choice(
    dataset: LabelledSet, asked: TrainConfig, selection: Selection | None, run: TrainingRun
) -> tuple[str, ...]:
    """Return notes on a choice: settings without effect, heads that were left out, and whether it took too long."""
    if selection is None:
        return ()
    own = _note_own(asked, selection.config) if len(selection.members) < 2 else ()
    return (*own, *note_left_out(dataset, asked), *selection.notes, *_note_late(run, selection))


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


def _note_late(run: TrainingRun, selection: Selection) -> tuple[str, ...]:
    """Return a note if training took clearly longer than the budget left."""
    if selection.seconds + run.seconds <= _LATE * selection.budget_s:
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

"""`evaluate_head`: a trained head on a labelled set that it has not learned from, with the figures of `train_head`.

evaluation/evaluation.json    all figures             (written by `evaluate_head`)
evaluation/report.html        a page to look at       (written by `classify.write_evaluation_page`)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.classifier import VideoClassifier, digest_videos, read_learned
from classify.data import Labels, LabelTable, label_config, label_inputs, list_first, read_labels
from classify.errors import LabelError
from classify.files import is_unfinished, refuse_other_folder, refuse_output_file, write_whole
from classify.measures import BootstrapConfig, Evaluation, Outcome, evaluate
from classify.training import open_videos, predict_probabilities
from embed.machine import counted
from embed.store import EmbeddingStore

EVALUATION_FILE, PAGE_FILE = "evaluation.json", "report.html"
OWN_FILES = (EVALUATION_FILE, PAGE_FILE)


@dataclass(frozen=True)
class HeadEvaluation:
    """The figures of a head on a labelled set.

    Args:
        head: the head's folder.
        folder: where evaluation.json is.
        classifier: the head.
        evaluation: the figures.
        table: the labels of the N videos that were measured, over the C labels of the head, in the head's order.
        labels: the label file; None if the folders' names are the labels.
        notes: sentences about what was left out, and about labels without a video.
        replaced: a sentence about the evaluation that was replaced; None if none was.
    """

    head: Path
    folder: Path
    classifier: VideoClassifier
    evaluation: Evaluation
    table: LabelTable
    labels: Path | None
    notes: tuple[str, ...]
    replaced: str | None = None

    @property
    def evaluations(self) -> Mapping[str, Evaluation]:
        """The figures as a `TrainingReport` has them: "test" -> figures."""
        return {"test": self.evaluation}

    @property
    def baselines(self) -> Mapping[str, Mapping[str, Evaluation]]:
        """No baselines: they would have to learn from the head's training videos."""
        return {}

    @property
    def test_use(self) -> str:
        """What is known of the videos, in words."""
        return f"The head of {self.head} was measured on videos that it has not learned from."

    def to_json(self) -> dict[str, Any]:
        """Return the figures JSON-ready; the main ones are at its top level."""
        found = self.evaluation
        return {
            "head": str(self.head),
            "micro_f1": found.metrics.micro_f1,
            "macro_f1": found.metrics.macro_f1,
            "videos": found.metrics.videos,
            **found.to_json(),
            "notes": self.notes,
        }


def evaluate_head(
    head: str | Path,
    store: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    group_by: str | None = None,
    device: str = "auto",
    overwrite: bool = False,
) -> HeadEvaluation:
    """Measure a head on the labelled videos of a store, and write the figures.

    Videos that the head has learned from are left out, known by their content; so are videos of which the head knows no
    label. Notes count both. The head stays as it is: temperature and thresholds are its own.

    Args:
        head: the head's folder.
        store: a store made in the same way as the one that the head learned from.
        output: folder for evaluation.json. It replaces an earlier evaluation there, and nothing else.
        labels: as for `split_videos`. A vocabulary has no effect, since the head has one.
        group_by: the label file's column with the groups over which intervals are computed.
        device: as in `TrainConfig`.
        overwrite: replace also other files of these names, except inputs.

    Raises:
        ClassifyError: the output folder holds something else, or cannot be written.
        HeadError: the folder holds no head.
        EncoderMismatch: the store's vectors are of another kind.
        LabelError: labels cannot be read, or no video is left to measure.
        EmbedError: the store cannot be read.
    """
    folder = Path(output)
    replaced = _refuse_output(folder, [head, store, *label_inputs(labels)], overwrite)
    classifier = VideoClassifier.load(head)
    with EmbeddingStore(store) as opened:
        classifier.check(opened.provenance, str(store), is_labelled=True)
        table, notes = _read_table(Path(head), opened, labels, group_by, classifier)
        videos = open_videos(opened, table.ids, device=device)
        found = predict_probabilities(classifier.head, videos, classifier.thresholds, device=device)
    source = label_config(labels).path
    outcome = Outcome(table.targets, found, classifier.temperature, classifier.thresholds, table.groups)
    evaluation = evaluate(outcome, table.names, bootstrap=BootstrapConfig())
    path = None if source is None else Path(source)
    measured = HeadEvaluation(Path(head), folder, classifier, evaluation, table, path, notes, replaced)
    (folder / PAGE_FILE).unlink(missing_ok=True)  # it would show the figures of an earlier evaluation
    write_whole(folder / EVALUATION_FILE, json.dumps(measured.to_json(), indent=2) + "\n")
    return measured


def _refuse_output(folder: Path, inputs: Sequence[str | Path], overwrite: bool) -> str | None:
    """Raise ClassifyError if the folder is something else than one for an evaluation; return what is replaced."""
    refuse_other_folder(
        folder,
        what="an evaluation",
        is_own=lambda path: path.name in OWN_FILES or is_unfinished(path.name),
        inputs=inputs,
    )
    replaced = [
        refuse_output_file(
            folder / name,
            kind=f"{name} of evaluate-head",
            recognise=lambda _: _describe_evaluation(folder),
            inputs=inputs,
            overwrite=overwrite,
        )
        for name in OWN_FILES
    ]
    return replaced[0]


def _describe_evaluation(folder: Path) -> str | None:
    """Return which evaluation a folder holds, in words; None if it holds none."""
    found = json.loads((folder / EVALUATION_FILE).read_bytes())
    is_ours = isinstance(found, dict) and found.keys() >= {"head", "micro_f1", "macro_f1", "videos", "notes"}
    return f"the evaluation of {found['head']}, micro-F1 {float(found['micro_f1']):.2f}" if is_ours else None


def _read_table(
    head: Path, store: EmbeddingStore, labels: Labels, group_by: str | None, classifier: VideoClassifier
) -> tuple[LabelTable, tuple[str, ...]]:
    """Return the labels of the videos to measure, over the head's labels, and notes on the others."""
    table = read_labels(store, replace(label_config(labels), vocabulary=head), group_by=group_by)
    known, strange = _known_labels(table, len(classifier.names))
    seen, unsure = _seen(head, store, table)
    rows = np.flatnonzero(known.targets.any(axis=1) & ~seen)
    if not len(rows):
        raise LabelError(_nothing_left(head, table, classifier.names, seen) + _other_folder(labels, strange))
    kept = known.take(rows)
    absent = [name for name, count in zip(kept.names, kept.targets.sum(axis=0), strict=True) if not count]
    notes = (
        *table.notes,
        *strange,
        *([f"{counted(int(seen.sum()), 'video')} that the head learned from left out."] if seen.any() else []),
        *unsure,
        *([f"Labels of the head without a video here: {list_first(absent)}."] if absent else []),
    )
    return kept, notes


def _known_labels(table: LabelTable, count: int) -> tuple[LabelTable, tuple[str, ...]]:
    """Return the table of the first `count` labels, which are the head's, and a note on the others."""
    names = table.names[count:]
    known = replace(table, names=table.names[:count], targets=table.targets[:, :count])
    if not names:
        return known, ()
    lost = int((~known.targets.any(axis=1)).sum())
    left = f" {counted(lost, 'video')} without another label left out; the head is wrong on all of them."
    return known, (
        f"The head does not know {counted(len(names), 'label')}: {list_first(names)}.{left if lost else ''}",
    )


def _seen(head: Path, store: EmbeddingStore, table: LabelTable) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return which videos the head has learned from, (N,), and a note if that is unknown."""
    learned = read_learned(head)
    if learned is None:
        note = f"{head} does not tell which videos it learned from. If some are among these, the figures are too high."
        return np.zeros(len(table.ids), dtype=np.bool_), (note,)
    return np.array([digest in learned for digest in digest_videos(store, table.ids)], dtype=np.bool_), ()


def _other_folder(labels: Labels, strange: Sequence[str]) -> str:
    """Return advice where the names of other folders may be the labels, else an empty text."""
    config = label_config(labels)
    if config.path is not None or config.label_folder is not None or not strange:
        return ""
    return (
        " The labels here are the names of the innermost folders: if the head was trained with others, name them, such "
        "as with --label-folder outermost."
    )


def _nothing_left(head: Path, table: LabelTable, known: tuple[str, ...], seen: NDArray[np.bool_]) -> str:
    if seen.all():
        return (
            f"The head of {head} has learned from all {len(seen)} labelled videos here, so there is nothing to measure "
            "it on. Name a store of other videos."
        )
    if seen.any():
        return (
            f"The head of {head} has learned from {seen.sum()} of {counted(len(seen), 'labelled video')}, and knows no "
            "label of the others, so there is nothing to measure it on. Name a store of other videos."
        )
    return (
        f"The head of {head} knows none of the labels here: {list_first(table.names[len(known) :])}. It knows "
        f"{list_first(known)}. Name labels as they were when it was trained."
    )

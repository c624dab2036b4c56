"""What `report.html` and `suspects.csv` show of a training run, gathered once from report, store, labels and split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from classify.comparison import mean_vectors
from classify.data import (
    MOST_LABELS,
    MOST_VIDEOS,
    LabelCheck,
    LabelDoubt,
    Labels,
    LabelTable,
    Split,
    check_labels,
    labels_of_split,
    read_labelled_split,
)
from classify.evaluation import HeadEvaluation
from classify.training import open_videos
from classify.training_report import TrainingReport
from embed.store import EmbeddingStore

_MOST_DIMENSIONS = 8_192  # beyond, vectors are activations, on which a regression takes minutes
_SHORT = 1_024

GrabFrames = Callable[[str], Sequence[NDArray[np.uint8]]]
"""Takes a video's location and returns a few of its frames, (H, W_px, 3) RGB; none if it can no longer be read."""


@dataclass(frozen=True)
class Sources:
    """What a head was trained from, or measured on, as it was named.

    Args:
        store: the store's path.
        split: the split file; None for a set that is measured whole.
        labels: the label file; None if the folders' names are the labels.
        command: the command as typed; None from Python.
    """

    store: Path
    split: Path | None
    labels: Path | None
    command: str | None


@dataclass(frozen=True)
class Findings:
    """What the page shows.

    Args:
        report: what `train_head` or `evaluate_head` returned.
        sources: what the head was trained from, or measured on.
        table: labels of N videos.
        split: their parts.
        probabilities: (N, C).
        given: (N, C) bool, the labels that the head gives.
        means: (N, D) mean vectors; of activations, `shorten_vectors` of them.
        locations: (N,) where the videos were read from.
        grab_frames: reads frames of a location.
    """

    report: TrainingReport | HeadEvaluation
    sources: Sources
    table: LabelTable
    split: Split
    probabilities: NDArray[np.floating]
    given: NDArray[np.bool_]
    means: NDArray[np.float32]
    locations: tuple[str, ...]
    grab_frames: GrabFrames

    @classmethod
    def gather(
        cls,
        report: TrainingReport,
        store: str | Path,
        path: str | Path,
        labels: Labels,
        grab_frames: GrabFrames,
        command: str | None,
    ) -> Self:
        """Read the labelled videos of a store and let the head predict on all of them.

        Raises:
            ClassifyError: labels or split do not fit the store.
            EmbedError: the store cannot be read.
        """
        with EmbeddingStore(store) as opened:
            table, split = read_labelled_split(opened, path, labels)
            source = labels_of_split(path, split, labels)[0].path
            sources = Sources(Path(store), Path(path), None if source is None else Path(source), command)
            return cls._of(opened, report, sources, table, split, grab_frames)

    @classmethod
    def gather_evaluation(
        cls, found: HeadEvaluation, store: str | Path, grab_frames: GrabFrames, command: str | None
    ) -> Self:
        """Read the videos that a head was measured on, and let the head predict on them: all are test videos."""
        sources = Sources(Path(store), None, found.labels, command)
        split = Split(found.table.ids, ("test",) * len(found.table.ids), found.table.groups)
        with EmbeddingStore(store) as opened:
            return cls._of(opened, found, sources, found.table, split, grab_frames)

    @classmethod
    def _of(
        cls,
        store: EmbeddingStore,
        report: TrainingReport | HeadEvaluation,
        sources: Sources,
        table: LabelTable,
        split: Split,
        grab_frames: GrabFrames,
    ) -> Self:
        device = report.classifier.config.device
        videos = open_videos(store, table.ids, device=device)
        probabilities = report.classifier.predict_probabilities(videos, device=device)
        return cls(
            report=report,
            sources=sources,
            table=table,
            split=split,
            probabilities=probabilities,
            given=report.classifier.decide(probabilities),
            means=shorten_vectors(mean_vectors(videos).astype(np.float32)),
            locations=tuple(store.video(video_id).location for video_id in table.ids),
            grab_frames=grab_frames,
        )

    @property
    def test(self) -> NDArray[np.int64]:
        """Rows of the test videos."""
        return self.split.indices("test")

    @property
    def is_wrong(self) -> NDArray[np.bool_]:
        """(N,) True where the head's labels and the video's differ."""
        return np.asarray((self.given != self.table.targets).any(axis=1))

    @cached_property
    def label_check(self) -> LabelCheck | None:
        """Labels that are probably wrong, and how good the judge is; None for a set too large to look for them."""
        if len(self.table.ids) > MOST_VIDEOS or len(self.table.names) > MOST_LABELS:
            return None
        return check_labels(self.means, self.table.targets, self.split.groups)

    @property
    def doubts(self) -> tuple[LabelDoubt, ...]:
        """Labels that are probably wrong, the least plausible first."""
        return () if self.label_check is None else self.label_check.doubts

    def said(self, video: int) -> str:
        """Return the labels that the head gives a video, each with its probability: "hug 83%, kick 60%"."""
        given = np.flatnonzero(self.given[video])
        return ", ".join(f"{self.table.names[c]} {self.probabilities[video, c]:.0%}" for c in given) or "nothing"


def shorten_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors that are short enough for a map and a regression, at about the same distances.

    Args:
        vectors: (N, D). Up to 8,192 dimensions they stay as they are; longer ones are projected at random to 1,024.

    Source: very sparse random projections, Li et al. 2006, as in scikit-learn's `SparseRandomProjection`.
    """
    if vectors.shape[1] <= _MOST_DIMENSIONS:
        return vectors
    from sklearn.random_projection import SparseRandomProjection

    shortened: NDArray[np.float32] = SparseRandomProjection(_SHORT, random_state=0).fit_transform(vectors)
    return shortened

"""Figures of a labelled set: videos of each class, labels of each video, durations, resolutions.

Everything is counted for the whole set ("all") and, if it is split, for each part that has videos.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from classify.data.labels import LabelTable
from classify.data.split_files import PARTS

WHOLE = "all"


@dataclass(frozen=True)
class Spread:
    """Durations of some videos in seconds: number, sum, quartiles, shortest and longest; zeros without a video."""

    videos: int
    sum_s: float
    shortest_s: float
    lower_quartile_s: float
    median_s: float
    upper_quartile_s: float
    longest_s: float


@dataclass(frozen=True)
class DatasetDescription:
    """A set of N labelled videos over C classes.

    Args:
        store: path of the store.
        table: ids, label names, targets.
        part_of: (N,) "train", "validation" or "test"; None without a split.
        durations_s: (N,) duration of each video.
        sizes_px: (N, 2) width and height of each video, as stored; zeros if the store does not know them.
        failure_count: videos of the store that have no vectors.
        notes: sentences about videos and classes that were left out or are too few.
        replaced: a sentence about the description that was replaced; None if none was.
    """

    store: str
    table: LabelTable
    part_of: tuple[str, ...] | None
    durations_s: NDArray[np.float64]
    sizes_px: NDArray[np.int64]
    failure_count: int
    notes: tuple[str, ...]
    replaced: str | None = None

    @property
    def rows(self) -> dict[str, NDArray[np.int64]]:
        """The places of the videos among the N, for the whole set and for each part that has some."""
        found = {WHOLE: np.arange(len(self.table.ids))}
        for part in PARTS if self.part_of is not None else ():
            found[part] = np.flatnonzero(np.array(self.part_of) == part)
        return {part: rows for part, rows in found.items() if len(rows)}

    @property
    def class_counts(self) -> dict[str, NDArray[np.int64]]:
        """The number of videos of each class, (C,), for the whole set and each part."""
        return {part: self.table.targets[rows].sum(axis=0) for part, rows in self.rows.items()}

    @property
    def label_counts(self) -> dict[str, dict[int, int]]:
        """Number of labels -> videos with that many, for the whole set and each part."""
        per_video = self.table.targets.sum(axis=1)
        return {part: dict(sorted(Counter(per_video[rows].tolist()).items())) for part, rows in self.rows.items()}

    @property
    def shared_counts(self) -> NDArray[np.int64]:
        """The number of videos that have both labels, (C, C); on the diagonal, those that have the one."""
        labels = sparse.csr_matrix(self.table.targets.astype(np.int64))
        return np.asarray((labels.T @ labels).toarray())

    @property
    def durations(self) -> dict[str, Spread]:
        """Durations of the whole set and of each part."""
        return {part: spread(self.durations_s[rows]) for part, rows in self.rows.items()}

    @property
    def class_durations(self) -> dict[str, Spread]:
        """Durations of the videos of each class."""
        targets = self.table.targets
        return {name: spread(self.durations_s[targets[:, index]]) for index, name in enumerate(self.table.names)}

    @property
    def resolutions(self) -> dict[tuple[int, int], int]:
        """(width, height) in pixels -> videos, most frequent first; sizes that the store does not know are left out."""
        sizes = ((width, height) for width, height in self.sizes_px.tolist() if width and height)
        return dict(sorted(Counter(sizes).items(), key=lambda entry: (-entry[1], entry[0])))

    @property
    def shorter_sides(self) -> dict[str, int]:
        """Range of the shorter side in pixels, between powers of two ("128 to 255") -> videos, smallest first."""
        counts = Counter[int]()
        for size, count in self.resolutions.items():
            counts[min(size).bit_length() - 1] += count
        return {f"{1 << power} to {(2 << power) - 1}": counts[power] for power in sorted(counts)}

    @property
    def pairs(self) -> list[tuple[str, str, int]]:
        """Pairs of labels that videos have together, and the number of these videos, most frequent first."""
        shared, names = np.triu(self.shared_counts, k=1), self.table.names
        found = [(names[one], names[other], int(shared[one, other])) for one, other in np.argwhere(shared).tolist()]
        return sorted(found, key=lambda pair: (-pair[2], pair[:2]))

    def to_json(self) -> dict[str, Any]:
        """Return the description JSON-ready."""
        names = self.table.names
        return {
            "store": self.store,
            "videos": {part: len(rows) for part, rows in self.rows.items()},
            "failed_videos": self.failure_count,
            "classes": {part: dict(zip(names, row.tolist(), strict=True)) for part, row in self.class_counts.items()},
            "labels_per_video": self.label_counts,
            "pairs": [{"labels": [one, other], "videos": count} for one, other, count in self.pairs],
            "durations_s": {part: vars(found) for part, found in self.durations.items()},
            "class_durations_s": {name: vars(found) for name, found in self.class_durations.items()},
            "resolutions": {f"{width}x{height}": count for (width, height), count in self.resolutions.items()},
            "notes": self.notes,
        }


def spread(durations_s: NDArray[np.float64]) -> Spread:
    """Return a summary of durations.

    >>> spread(np.array([1.0, 2.0, 6.0])).median_s
    2.0
    """
    if not len(durations_s):
        return Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    quartiles = np.quantile(durations_s, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Spread(len(durations_s), float(durations_s.sum()), *quartiles)

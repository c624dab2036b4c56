"""Videos in memory, and batches of them by index.

`VideoSet` holds a set as NumPy arrays, as a store does: rows of all videos one after another, without padding.
`DeviceSet` holds the same on the device that trains. A batch is one gather, padded to its own longest video.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.errors import ClassifyError
from classify.heads import StandardisedHead
from classify.labels import LabelTable
from embed.store import EmbeddingStore


@dataclass(frozen=True)
class VideoSet:
    """The vectors of N videos.

    Args:
        ids: (N,) ids.
        vectors: (R, D) float16 or float32, rows of all videos one after another.
        row_counts: (N,) int, rows of each video, 1 or more.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.floating]
    row_counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.row_counts) or self.row_counts.sum() != len(self.vectors):
            raise ClassifyError(
                f"{len(self.ids)} ids, {len(self.row_counts)} row counts with sum {self.row_counts.sum()} and "
                f"{len(self.vectors)} rows do not fit. Give one id and one row count a video."
            )
        if len(self.ids) and self.row_counts.min() < 1:
            empty = self.ids[int(self.row_counts.argmin())]
            raise ClassifyError(f"The video {empty!r} has no vectors. Leave it out.")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """D, the length of one vector."""
        return int(self.vectors.shape[1])

    def rows_of(self, indices: NDArray[np.int64]) -> NDArray[np.floating]:
        """Return the rows of the videos at `indices`, in the order of the set."""
        is_chosen = np.zeros(len(self), dtype=np.bool_)
        is_chosen[indices] = True
        return self.vectors[np.repeat(is_chosen, self.row_counts)]

    @classmethod
    def read(cls, store: EmbeddingStore, ids: Sequence[str]) -> "VideoSet":
        """Read the vectors of some videos of a store."""
        vectors, row_counts = store.read_many(ids)
        return cls(tuple(ids), vectors, row_counts)


@dataclass(frozen=True)
class LabelledSet:
    """Videos and what they show: all that training needs, without a file.

    Args:
        videos: N videos.
        names: (C,) label names.
        targets: (N, C) bool, True where the video has the label.
    """

    videos: VideoSet
    names: tuple[str, ...]
    targets: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = (len(self.videos), len(self.names))
        if self.targets.shape != expected or self.targets.dtype != np.bool_:
            raise ClassifyError(
                f"Targets are {self.targets.dtype} {self.targets.shape}, but the videos and names say bool {expected}."
            )

    @classmethod
    def read(cls, store: EmbeddingStore, table: LabelTable) -> "LabelledSet":
        """Read the vectors of the labelled videos of a store."""
        return cls(VideoSet.read(store, table.ids), table.names, table.targets)


@dataclass(frozen=True)
class VideoBatch:
    """B videos, padded to the longest of them.

    Args:
        vectors: (B, T, D) float32, zeros where `mask` is False.
        mask: (B, T) bool, True where the vector is real.
        targets: (B, C) float32, shares of each label; those of one video sum to 1 where it has one label.
    """

    vectors: Tensor
    mask: Tensor
    targets: Tensor


class DeviceSet:
    """Videos on a device, as a head sees them.

    Args:
        videos: N videos.
        head: chooses the vectors of each video, once.
        device: where the tensors lie.
        targets: (N, C) bool; None leaves batches with targets (B, 0).
    """

    def __init__(
        self,
        videos: VideoSet,
        head: StandardisedHead,
        device: torch.device,
        *,
        targets: NDArray[np.bool_] | None = None,
    ) -> None:
        vectors, row_counts = _select(videos, head)
        labels = np.zeros((len(videos), 0), dtype=np.bool_) if targets is None else targets
        self._row_counts = row_counts
        self._vectors = torch.from_numpy(vectors).to(device)
        self._counts = torch.from_numpy(row_counts).to(device)
        self._first_rows = self._counts.cumsum(0) - self._counts
        self._targets = torch.from_numpy(labels).to(device)

    def batch(self, indices: NDArray[np.int64]) -> VideoBatch:
        """Gather the videos at `indices`, (B,)."""
        chosen = torch.from_numpy(indices).to(self._vectors.device)
        longest = int(self._row_counts[indices].max())
        places = torch.arange(longest, device=chosen.device)
        mask = places < self._counts[chosen].unsqueeze(1)
        # Places beyond a video's end read its first row, which the mask then clears.
        rows = self._first_rows[chosen].unsqueeze(1) + places * mask
        vectors = self._vectors[rows].to(torch.float32).masked_fill(~mask.unsqueeze(-1), 0)
        return VideoBatch(vectors, mask, self._targets[chosen].to(torch.float32))


def _select(videos: VideoSet, head: StandardisedHead) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    ends = videos.row_counts.cumsum()
    pieces = np.split(videos.vectors, ends[:-1])
    chosen = [head.select(piece, video_id) for video_id, piece in zip(videos.ids, pieces, strict=True)]
    return np.concatenate(chosen), np.array([len(piece) for piece in chosen], dtype=np.int64)

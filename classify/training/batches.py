"""Sets of videos, in memory or on disk, and batches of them.

`VideoSet` holds a set as NumPy arrays, laid out as in a store: rows of all videos one after another, without padding.
`StoredVideos` leaves the rows in the store, and reads them when they are needed. Both are `Videos`.

If a store holds V views of each frame, a video's rows are all rows of its first view, then all of its second, etc.
Training and prediction use one view at a time: `each_view` returns each view as a video of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.data import LabelTable
from classify.errors import ClassifyError
from classify.training.devices import find_device, has_room
from embed.store import EmbeddingStore

BLOCK_VIDEOS = 64
"""Videos in a block, where all are read: few enough for any memory, and the same blocks for every kind of set."""

_BYTES_A_NUMBER = 6  # float16 as it is read, and float32 for training
_BYTES_ON_A_GPU = 4  # float32 only


class Videos(Protocol):
    """N videos whose vectors can be read."""

    @property
    def ids(self) -> tuple[str, ...]:
        """(N,) ids."""

    @property
    def row_counts(self) -> NDArray[np.int64]:
        """(N,) number of rows of each video, 1 or more."""

    @property
    def dimension(self) -> int:
        """D, the length of one vector."""

    @property
    def view_count(self) -> int:
        """V, the number of views of each video. Each has the same number of the video's rows."""

    def __len__(self) -> int: ...

    def rows_of(self, indices: NDArray[np.int64]) -> NDArray[np.floating]:
        """Return the rows (R, D) of the videos at `indices`, one video after another in that order."""

    def timestamps_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the timestamps (R,) of these rows, in seconds on each video's own clock.

        Raises:
            ClassifyError: the videos have no timestamps.
        """

    def each_view(self) -> "Videos":
        """Return N x V videos of one view: view v of video n has the index n x V + v."""


@dataclass(frozen=True)
class VideoSet:
    """The vectors of N videos.

    Args:
        ids: (N,) ids.
        vectors: (R, D) float16 or float32, rows of all videos one after another.
        row_counts: (N,) int, number of rows of each video, 1 or more.
        view_count: V; all views of a video have the same number of rows.
        read_timestamps: returns the timestamps (R,) float32 of the rows; called once, and for timed heads only.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.floating]
    row_counts: NDArray[np.int64]
    view_count: int = 1
    read_timestamps: Callable[[], NDArray[np.float32]] | None = None

    def __post_init__(self) -> None:
        _refuse_uneven_views(self)
        if len(self.ids) != len(self.row_counts) or self.row_counts.sum() != len(self.vectors):
            raise ClassifyError(
                f"The numbers of ids ({len(self.ids)}), row counts ({len(self.row_counts)}, with sum "
                f"{self.row_counts.sum()}) and rows ({len(self.vectors)}) do not fit together. Pass one id and one row "
                "count for each video."
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
        """Return the rows (R, D) of the videos at `indices`, one video after another in that order."""
        return self.vectors[self._places_of(indices)]

    def timestamps_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the timestamps (R,) of these rows.

        Raises:
            ClassifyError: the videos have no timestamps.
        """
        return self._timestamps_s[self._places_of(indices)]

    def each_view(self) -> "VideoSet":
        """Return N x V videos of one view: view v of video n has the index n x V + v."""
        ids = tuple(video_id for video_id in self.ids for _ in range(self.view_count))
        counts = np.repeat(self.row_counts // self.view_count, self.view_count)
        return VideoSet(ids, self.vectors, counts, read_timestamps=lambda: self._timestamps_s)

    @classmethod
    def read(cls, store: EmbeddingStore, ids: Sequence[str]) -> "VideoSet":
        """Read the vectors of some videos of a store into memory. Timestamps are read when a timed head needs them."""
        vectors, row_counts = store.read_many(ids, is_checked=True)
        return cls(tuple(ids), vectors, row_counts, len(store.provenance.views), partial(store.read_timestamps, ids))

    @cached_property
    def _timestamps_s(self) -> NDArray[np.float32]:
        if self.read_timestamps is None:
            raise ClassifyError(
                "These videos came without timestamps, which this head needs (positions: timestamps). Train on a "
                "store, which has timestamps, with train_head, or choose sinusoidal or learned positions."
            )
        found = self.read_timestamps()
        if found.shape != (len(self.vectors),):
            raise ClassifyError(
                f"The timestamps have shape {found.shape}, but there are {len(self.vectors)} rows. Return one each."
            )
        return found

    def _places_of(self, indices: NDArray[np.int64]) -> slice | NDArray[np.int64]:
        """Return the places of the rows of the videos at `indices`."""
        counts = self.row_counts[indices]
        if len(indices) and (np.diff(indices) == 1).all():  # rows of neighbours are contiguous
            first = int(self.row_counts[: indices[0]].sum())
            return slice(first, first + int(counts.sum()))
        shifts = self.row_counts.cumsum()[indices] - counts.cumsum()
        return np.asarray(np.arange(counts.sum()) + np.repeat(shifts, counts))


@final
class StoredVideos:
    """Videos whose vectors stay in a store. The store must stay open while they are used.

    Args:
        store: an open store.
        ids: ids of videos in the store.
    """

    def __init__(self, store: EmbeddingStore, ids: Sequence[str]) -> None:
        positions = {video_id: position for position, video_id in enumerate(store.ids)}
        self._store = store
        self.ids = tuple(ids)
        self.row_counts = store.row_counts[[positions[video_id] for video_id in ids]].astype(np.int64)
        self.dimension = store.dimension
        self.view_count = len(store.provenance.views)
        self._is_checked = np.zeros(len(self.ids), dtype=np.bool_)
        _refuse_uneven_views(self)

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, indices: NDArray[np.int64]) -> NDArray[np.floating]:
        """Return the rows (R, D) of the videos at `indices`, one video after another in that order."""
        is_new = not self._is_checked[indices].all()  # later epochs read the same file again
        vectors, _ = self._store.read_many([self.ids[index] for index in indices.tolist()], is_checked=is_new)
        self._is_checked[indices] = True
        return vectors

    def timestamps_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the timestamps (R,) of these rows."""
        return self._store.read_timestamps([self.ids[index] for index in indices.tolist()])

    def each_view(self) -> "Videos":
        """Return N x V videos of one view: view v of video n has the index n x V + v."""
        return StoredViews(self) if self.view_count > 1 else self


@final
class StoredViews:
    """The N x V views of videos in a store. To read one view of a video, all of its views are read.

    Args:
        videos: N videos of V views.
    """

    view_count = 1

    def __init__(self, videos: StoredVideos) -> None:
        self._videos = videos
        self._views = videos.view_count
        self.ids = tuple(video_id for video_id in videos.ids for _ in range(self._views))
        self.row_counts = np.repeat(videos.row_counts // self._views, self._views)
        self.dimension = videos.dimension

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, indices: NDArray[np.int64]) -> NDArray[np.floating]:
        """Return the rows (R, D) of the views at `indices`, one after another in that order."""
        whole, places = self._places_of(indices)
        return self._videos.rows_of(whole)[places]

    def timestamps_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the timestamps (R,) of these rows."""
        whole, places = self._places_of(indices)
        return self._videos.timestamps_of(whole)[places]

    def each_view(self) -> "StoredViews":
        """Return these views."""
        return self

    def _places_of(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the videos of the views at `indices`, and the places of the views among the rows of these videos."""
        whole, own = np.unique(indices // self._views, return_inverse=True)
        counts = self.row_counts[indices]
        firsts = (self._videos.row_counts[whole].cumsum() - self._videos.row_counts[whole])[own]
        shifts = firsts + indices % self._views * counts - (counts.cumsum() - counts)
        return whole, np.arange(counts.sum()) + np.repeat(shifts, counts)


def _refuse_uneven_views(videos: Videos) -> None:
    uneven = np.flatnonzero(videos.row_counts % videos.view_count)
    if len(uneven):
        raise ClassifyError(
            f"The number of rows of the video {videos.ids[uneven[0]]!r} is {videos.row_counts[uneven[0]]}, not a "
            f"multiple of its {videos.view_count} views. Embed it again."
        )


def open_videos(
    store: EmbeddingStore, ids: Sequence[str], *, stream: bool | None = None, device: str = "auto", shared_by: int = 1
) -> VideoSet | StoredVideos:
    """Return videos of a store, in memory or on disk.

    Args:
        store: must stay open if the videos stay on disk, and for timed heads.
        ids: ids of videos in the store.
        stream: True leaves the vectors on disk. None does so if training needs more than half of the machine's memory,
            or more than half of the free memory of the GPU that trains.
        device: where a head trains or predicts, as in `TrainConfig`.
        shared_by: number of processes that open the videos at the same time, each for itself.

    Raises:
        TrainError: this machine does not have the device.
    """
    stored = StoredVideos(store, ids)
    if stream is None:
        numbers, place = shared_by * int(stored.row_counts.sum()) * stored.dimension, find_device(device)
        fits = has_room(torch.device("cpu"), numbers * _BYTES_A_NUMBER)
        stream = not fits or (place.type == "cuda" and not has_room(place, numbers * _BYTES_ON_A_GPU))
    return stored if stream else VideoSet.read(store, ids)


def take_videos(videos: Videos, indices: NDArray[np.int64]) -> VideoSet:
    """Read the videos at `indices` into memory, in that order."""
    ids = tuple(videos.ids[index] for index in indices.tolist())
    rows, counts = videos.rows_of(indices), videos.row_counts[indices]
    return VideoSet(ids, rows, counts, videos.view_count, lambda: videos.timestamps_of(indices))


def blocks_of(indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield (n,) indices in blocks that are small enough to be read at once."""
    for start in range(0, len(indices), BLOCK_VIDEOS):
        yield indices[start : start + BLOCK_VIDEOS]


@dataclass(frozen=True)
class LabelledSet:
    """Videos and their labels: all that training needs, without a file.

    Args:
        videos: N videos.
        names: (C,) label names.
        targets: (N, C) bool, True where the video has the label.
        allows_several: True if videos may have several labels, or none; None: True if any video has.
        is_reduced: True if the vectors' dimensions are principal components, whose scales say which are noise.
    """

    videos: Videos
    names: tuple[str, ...]
    targets: NDArray[np.bool_]
    allows_several: bool | None = None
    is_reduced: bool = False

    def __post_init__(self) -> None:
        expected = (len(self.videos), len(self.names))
        if self.targets.shape != expected or self.targets.dtype != np.bool_:
            raise ClassifyError(
                f"Targets are {self.targets.dtype} {self.targets.shape}, but videos and names need bool {expected}."
            )

    @property
    def is_multi_label(self) -> bool:
        """True if heads learn to predict several labels for a video, or none.

        This is a property of the label table. All of its videos decide, in whatever part they are, so that all parts
        and folds agree. This one bit is all that a training run learns from the labels of test videos.
        """
        if self.allows_several is None:
            return not (self.targets.sum(axis=1) == 1).all()
        return self.allows_several

    def take(self, indices: NDArray[np.int64]) -> "LabelledSet":
        """Read the videos at `indices` into memory, in that order. `is_multi_label` stays that of the whole set."""
        videos, targets = take_videos(self.videos, indices), self.targets[indices]
        return LabelledSet(videos, self.names, targets, self.is_multi_label, self.is_reduced)

    @classmethod
    def read(
        cls,
        store: EmbeddingStore,
        table: LabelTable,
        *,
        stream: bool | None = None,
        device: str = "auto",
        shared_by: int = 1,
    ) -> "LabelledSet":
        """Return the labelled videos of a store. The other arguments are those of `open_videos`."""
        videos = open_videos(store, table.ids, stream=stream, device=device, shared_by=shared_by)
        return cls(videos, table.names, table.targets, is_reduced=store.provenance.encoder.reduction is not None)


@dataclass(frozen=True)
class VideoBatch:
    """B videos, padded to the longest of them. For a head that pools, one row for each video.

    Args:
        vectors: (B, T, D) float32, zeros where `mask` is False; or pooled rows (B, D).
        mask: (B, T) bool, True where the vector is real; None for pooled rows.
        targets: (B, C) float32, share of each label. With one label for each video, the shares of a video sum to 1.
        timestamps_s: (B, T) float32, seconds since each video's first vector, 0 where `mask` is False; or None.
    """

    vectors: Tensor
    mask: Tensor | None
    targets: Tensor
    timestamps_s: Tensor | None = None

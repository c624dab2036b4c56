"""The input of a head, on the device that trains, batch by batch.

- `PooledSet`: for heads that pool. One row for each video, computed once.
- `DeviceSet`: for other heads. All rows one after another, without padding; a batch is one gather.
- `StreamedSet`: the same batches, bit by bit, read from disk before the step that needs them.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.heads import Pooled, StandardisedHead, clear_padding, pool_mix
from classify.training.batches import BLOCK_VIDEOS, StoredVideos, VideoBatch, Videos, blocks_of
from classify.training.devices import on_one_thread
from classify.training.mixup import Step, mix_batches, views_of

_STEPS_AT_ONCE = 64  # of pooled rows; bounds the memory for thousands of labels
_STEPS_AHEAD = 4  # that a streamed set reads before they are needed
_ROWS_AT_ONCE = 8192  # of a prediction, with padding
_NUMBERS_AT_ONCE = 1 << 24  # of videos that are pooled or predicted, with padding; 64 MB


class BatchSource(Protocol):
    """N videos, as batches."""

    def batches(self, steps: Sequence[Step]) -> Iterator[VideoBatch]:
        """Yield one batch for each step."""

    def blocks(self, indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield (n,) indices in steps of bounded memory: a long video has few others beside it."""


def place_videos(
    videos: Videos,
    head: StandardisedHead,
    device: torch.device,
    *,
    targets: NDArray[np.bool_] | None = None,
    train: NDArray[np.int64] | None = None,
) -> BatchSource:
    """Return videos as batches for a head that trains or predicts. Their indices are those of `Videos.each_view`.

    Args:
        videos: N videos of V views, 1 or more.
        head: chooses and standardises the vectors of each video, once.
        device: the device of the tensors.
        targets: (N, C) bool; None makes batches with targets (B, 0).
        train: (n,) training videos, from whose rows a head that pools learns their scale; None leaves its scale.
    """
    labels = np.zeros((len(videos), 0), dtype=np.bool_) if targets is None else targets
    if head.pools:
        return place_pooled(videos, head, device, targets=labels, train=train)
    labels, views = labels.repeat(videos.view_count, axis=0), videos.each_view()
    if isinstance(videos, StoredVideos):
        return StreamedSet(views, head, device, labels)
    return DeviceSet(views, head, device, labels)


def place_pooled(
    videos: Videos,
    head: StandardisedHead,
    device: torch.device,
    *,
    targets: NDArray[np.bool_],
    train: NDArray[np.int64] | None = None,
) -> "PooledSet":
    """Return the rows of N videos as batches, as `place_videos` does for a head that pools. Arguments as there."""
    count = videos.view_count
    rows, weights = pool_videos(videos.each_view(), head, device)
    if train is not None:
        head.learn_rows(rows[torch.from_numpy(views_of(np.sort(train), count)).to(device)])
    labels = torch.from_numpy(targets.repeat(count, axis=0)).to(device)
    return PooledSet(Pooled(head.scale_rows(rows), weights), labels)


@dataclass(frozen=True)
class Rows:
    """Selected rows of some videos, one video after another.

    Args:
        vectors: (R, D) float32.
        counts: (B,) int64, number of rows of each video.
        timestamps_s: (R,) float32, seconds since each video's first vector; None if the head is not timed.
    """

    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]
    timestamps_s: NDArray[np.float32] | None = None

    def padded(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return vectors (B, T, D), the mask (B, T) and timestamps (B, T). Padding is 0."""
        flat = _Flat.place(self, device)
        return flat.pad(torch.arange(len(self.counts), device=device), int(self.counts.max()))


@dataclass(frozen=True)
class _Flat:
    """Rows on a device: the fields of `Rows` as tensors, and the first row of each video."""

    vectors: Tensor
    counts: Tensor
    first_rows: Tensor
    timestamps_s: Tensor | None

    @classmethod
    def place(cls, rows: Rows, device: torch.device) -> "_Flat":
        counts = torch.from_numpy(rows.counts).to(device)
        timestamps_s = None if rows.timestamps_s is None else torch.from_numpy(rows.timestamps_s).to(device)
        return cls(torch.from_numpy(rows.vectors).to(device), counts, counts.cumsum(0) - counts, timestamps_s)

    def pad(self, videos: Tensor, longest: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the videos at indices (B,) as `Rows.padded` does. The longest of them has `longest` rows."""
        places = torch.arange(longest, device=videos.device)
        mask = places < self.counts[videos].unsqueeze(1)
        # Places after a video's end read its first row, which the mask then clears.
        rows = self.first_rows[videos].unsqueeze(1) + places * mask
        timestamps_s = None if self.timestamps_s is None else self.timestamps_s[rows].masked_fill(~mask, 0)
        return clear_padding(self.vectors[rows], mask), mask, timestamps_s


def select_rows(videos: Videos, head: StandardisedHead, indices: NDArray[np.int64]) -> Rows:
    """Read the videos at `indices` and return the head's input of each."""
    # One video at a time: the last digits of a product may depend on the number of rows.
    chosen = [head.scale(rows) for rows in _choose_rows(videos, head, indices)]
    counts = np.array([len(rows) for rows in chosen], dtype=np.int64)
    return Rows(np.concatenate(chosen), counts, _choose_moments(videos, head, indices) if head.is_timed else None)


def _choose_rows(videos: Videos, head: StandardisedHead, indices: NDArray[np.int64]) -> list[NDArray[np.floating]]:
    """Read the videos at `indices` and return the vectors of each that the head uses."""
    pieces = np.split(videos.rows_of(indices), videos.row_counts[indices].cumsum()[:-1])
    names = [videos.ids[index] for index in indices.tolist()]
    return [head.choose(piece, name) for name, piece in zip(names, pieces, strict=True)]


def _choose_moments(videos: Videos, head: StandardisedHead, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read the timestamps of these vectors, one video after another."""
    pieces = np.split(videos.timestamps_of(indices), videos.row_counts[indices].cumsum()[:-1])
    return np.concatenate([head.choose_moments(piece) for piece in pieces])


def bounded_blocks(
    indices: NDArray[np.int64], row_counts: NDArray[np.int64], most_rows: int
) -> Iterator[NDArray[np.int64]]:
    """Yield (n,) indices in blocks of at most 64 videos and `most_rows` rows, padded to the longest video.

    A video with more rows is a block of its own.

    >>> [block.tolist() for block in bounded_blocks(np.arange(5), np.array([1, 2, 9, 20, 1]), 18)]
    [[0, 1], [2], [3], [4]]
    """
    start = longest = 0
    for place, count in enumerate(row_counts[indices].tolist()):
        longest, size = max(longest, count), place + 1 - start
        if size > 1 and (size > BLOCK_VIDEOS or size * longest > most_rows):
            yield indices[start:place]
            start, longest = place, count
    yield indices[start:]


def _bound_rows(videos: Videos, head: StandardisedHead) -> NDArray[np.int64]:
    """Return the largest number of rows of each video that the head uses: (N,)."""
    return videos.row_counts if head.max_frames is None else np.minimum(videos.row_counts, head.max_frames)


def _most_rows(head: StandardisedHead) -> int:
    return max(1, _NUMBERS_AT_ONCE // len(head.mean))


@torch.no_grad()
def pool_videos(videos: Videos, head: StandardisedHead, device: torch.device) -> Pooled:
    """Return one row for each video: rows (N, D'), not yet scaled."""
    everyone = np.arange(len(videos))
    if head.pools_mean:
        blocks = [_pool_means(videos, head, block, device) for block in blocks_of(everyone)]
    else:
        parts = bounded_blocks(everyone, _bound_rows(videos, head), _most_rows(head))
        blocks = [_pool_rows(videos, head, block, device) for block in parts]
    return Pooled(torch.cat([block.rows for block in blocks]), torch.cat([block.weights for block in blocks]))


def _pool_rows(videos: Videos, head: StandardisedHead, indices: NDArray[np.int64], device: torch.device) -> Pooled:
    with on_one_thread():
        rows = select_rows(videos, head, indices)
    vectors, mask, _ = rows.padded(device)
    return head.pool(vectors, mask)


def _pool_means(videos: Videos, head: StandardisedHead, indices: NDArray[np.int64], device: torch.device) -> Pooled:
    """Standardise the means, which are fewer than the vectors."""
    chosen = _choose_rows(videos, head, indices)
    with on_one_thread():  # torch converts float16 to float32 several times faster than NumPy
        means = torch.stack([torch.from_numpy(rows).float().mean(dim=0) for rows in chosen]).numpy()
    weights = torch.tensor([len(rows) for rows in chosen], dtype=torch.float32, device=device)
    return Pooled(torch.from_numpy(head.scale(means)).to(device), weights)


@final
class PooledSet:
    """Videos, as one row each.

    Args:
        pooled: N rows.
        targets: (N, C) bool.
    """

    def __init__(self, pooled: Pooled, targets: Tensor) -> None:
        self._pooled = pooled
        self._targets = targets

    def byte_count(self) -> int:
        """Return the bytes of the rows."""
        return self._pooled.rows.nbytes

    def batches(self, steps: Sequence[Step]) -> Iterator[VideoBatch]:
        """Yield one batch for each step. The rows of many steps are gathered and mixed at once."""
        for start in range(0, len(steps), _STEPS_AT_ONCE):
            several = steps[start : start + _STEPS_AT_ONCE]
            rows, targets = self.gather(several)
            sizes = [len(step.first) for step in several]
            for some_rows, some_targets in zip(torch.split(rows, sizes), torch.split(targets, sizes), strict=True):
                yield VideoBatch(some_rows, None, some_targets)

    def blocks(self, indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield (n,) indices in steps."""
        return blocks_of(indices)

    def gather(self, steps: Sequence[Step]) -> tuple[Tensor, Tensor]:
        """Return rows and targets of the steps, one step after another."""
        first, first_targets = self._take([step.first for step in steps])
        seconds = [step.second for step in steps if step.second is not None]
        if not seconds:
            return first.rows, first_targets
        second, second_targets = self._take(seconds)
        shares = np.repeat([step.weight for step in steps], [len(step.first) for step in steps]).astype(np.float32)
        share = torch.from_numpy(shares).to(first.rows.device)
        targets = share.unsqueeze(1) * first_targets + (1 - share).unsqueeze(1) * second_targets
        return pool_mix(first, second, share), targets

    def _take(self, indices: Sequence[NDArray[np.int64]]) -> tuple[Pooled, Tensor]:
        chosen = torch.from_numpy(np.concatenate(indices)).to(self._targets.device)
        return Pooled(self._pooled.rows[chosen], self._pooled.weights[chosen]), self._targets[chosen].float()


@final
class DeviceSet:
    """Videos on a device: all their selected rows, one video after another.

    Args:
        videos: N videos.
        head: chooses the vectors of each video, once.
        device: the device of the tensors.
        targets: (N, C) bool.
    """

    def __init__(
        self, videos: Videos, head: StandardisedHead, device: torch.device, targets: NDArray[np.bool_]
    ) -> None:
        rows = _select_all(videos, head)
        self._row_counts = rows.counts
        self._bounds, self._most_rows = _bound_rows(videos, head), min(_ROWS_AT_ONCE, _most_rows(head))
        self._flat = _Flat.place(rows, device)
        self._targets = torch.from_numpy(targets).to(device)

    def batches(self, steps: Sequence[Step]) -> Iterator[VideoBatch]:
        """Yield one batch for each step."""
        for step in steps:
            yield _mixed(self._batch(step.first), None if step.second is None else self._batch(step.second), step)

    def blocks(self, indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield (n,) indices in steps of bounded memory."""
        return bounded_blocks(indices, self._bounds, self._most_rows)

    def _batch(self, indices: NDArray[np.int64]) -> VideoBatch:
        chosen = torch.from_numpy(indices).to(self._targets.device)
        vectors, mask, timestamps_s = self._flat.pad(chosen, int(self._row_counts[indices].max()))
        return VideoBatch(vectors, mask, self._targets[chosen].to(torch.float32), timestamps_s)


@final
class StreamedSet:
    """Videos on disk. A thread reads a few batches before they are needed.

    Args:
        videos: N videos.
        head: chooses the vectors of a video each time it is read.
        device: the device of the batches.
        targets: (N, C) bool.
    """

    def __init__(
        self, videos: Videos, head: StandardisedHead, device: torch.device, targets: NDArray[np.bool_]
    ) -> None:
        self._videos = videos
        self._head = head
        self._bounds, self._most_rows = _bound_rows(videos, head), min(_ROWS_AT_ONCE, _most_rows(head))
        self._device = device
        self._targets = torch.from_numpy(targets).to(device)

    def batches(self, steps: Sequence[Step]) -> Iterator[VideoBatch]:
        """Yield one batch for each step, as soon as it is read."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-batches") as reader:
            ahead = (reader.submit(self._read, step) for step in steps)
            waiting = deque(islice(ahead, _STEPS_AHEAD))
            for step in steps:
                first, second = waiting.popleft().result()
                waiting.extend(islice(ahead, 1))
                other = None if step.second is None or second is None else self._batch(step.second, second)
                yield _mixed(self._batch(step.first, first), other, step)

    def blocks(self, indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield (n,) indices in steps of bounded memory."""
        return bounded_blocks(indices, self._bounds, self._most_rows)

    def _read(self, step: Step) -> tuple[Rows, Rows | None]:
        first = select_rows(self._videos, self._head, step.first)
        return first, None if step.second is None else select_rows(self._videos, self._head, step.second)

    def _batch(self, indices: NDArray[np.int64], rows: Rows) -> VideoBatch:
        vectors, mask, timestamps_s = rows.padded(self._device)
        chosen = torch.from_numpy(indices).to(self._device)
        return VideoBatch(vectors, mask, self._targets[chosen].to(torch.float32), timestamps_s)


def _select_all(videos: Videos, head: StandardisedHead) -> Rows:
    """Select the rows of all videos into one array, which is allocated once: it may take half of the memory."""
    vectors = np.empty((0, 0), dtype=np.float32)
    moments, counts, used = [], [], 0
    for block in blocks_of(np.arange(len(videos))):
        rows = select_rows(videos, head, block)
        if not used:  # for all rows, the most there can be; pages that are never written cost nothing
            vectors = np.empty((int(videos.row_counts.sum()), rows.vectors.shape[1]), dtype=np.float32)
        vectors[used : used + len(rows.vectors)] = rows.vectors
        used += len(rows.vectors)
        counts.append(rows.counts)
        if rows.timestamps_s is not None:
            moments.append(rows.timestamps_s)
    return Rows(vectors[:used], np.concatenate(counts), np.concatenate(moments) if moments else None)


def _mixed(first: VideoBatch, second: VideoBatch | None, step: Step) -> VideoBatch:
    return first if second is None else mix_batches(first, second, step.weight)

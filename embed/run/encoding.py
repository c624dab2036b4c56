"""Decoded videos -> vectors, in batches of one size that cross the borders between videos.

    results --fill_batches--> Batch --encode_batches--> (Batch, vectors) --vectors_of_videos--> one video's vectors

Every batch has the same number of windows; the last one is filled up with black. The results of matrix kernels depend
in the last bit on the shape of a batch, and a video's vectors must not depend on its neighbours or on where a run was
killed. A window whose pixels equal those of the window before it in the same video is not encoded again, which changes
no bit.

Failures pass through all stages in order.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embed.decode_pool import DecodedVideo
from embed.encoders import PendingVectors
from embed.errors import EncoderError
from embed.store import Failure

BeginEncoding = Callable[[NDArray[np.uint8]], PendingVectors]
"""(B, W, side_px, side_px, 3) uint8 -> (B, D) float32, at once or later."""

_Window = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""A video's (U, side_px, side_px, 3) pictures, and which W of them make the window: put together in its batch only."""

_MOST_PENDING = 3  # two batches that are computed or copied to the device, and one that is ready to follow


@dataclass(frozen=True)
class WaitingVideo:
    """A video whose windows are in batches.

    Args:
        video: without its pixels.
        window_of: (T,) int64, which of its encoded windows each row is.
    """

    video: DecodedVideo
    window_of: NDArray[np.int64]

    @property
    def window_count(self) -> int:
        """The number of windows that are encoded: those that differ from the one before."""
        return int(self.window_of[-1]) + 1


@dataclass(frozen=True)
class Batch:
    """Windows to encode at once.

    Args:
        rgb: (B, W, side_px, side_px, 3) uint8.
        window_count: number of real windows; the rest is black.
        ended: the videos whose last window is in this batch.
    """

    rgb: NDArray[np.uint8]
    window_count: int
    ended: tuple[WaitingVideo, ...]


@dataclass(frozen=True)
class EncodedVideo:
    """A video, without its pixels, with its (T, D) vectors, `encoded_count` of which were computed."""

    video: DecodedVideo
    vectors: NDArray[np.float32]
    encoded_count: int


def fill_batches(results: Iterable[DecodedVideo | Failure], batch_size: int) -> Generator[Batch | Failure]:
    """Yield full batches as soon as there are enough windows, and the rest at the end."""
    windows: list[_Window] = []
    waiting: list[WaitingVideo] = []
    for result in results:
        if isinstance(result, Failure):
            yield result
            continue
        is_new = differs_from_last(result.pictures, result.places)
        windows.extend((result.pictures, result.places[index]) for index in np.flatnonzero(is_new))
        waiting.append(WaitingVideo(replace(result, pictures=result.pictures[:0].copy()), np.cumsum(is_new) - 1))
        while len(windows) >= batch_size:
            yield _take_batch(windows, waiting, batch_size)
    if windows:
        yield _take_batch(windows, waiting, batch_size)


def differs_from_last(pictures: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (T,) bool: True for each window of pictures that differs from the one before.

    Args:
        pictures: (U, ...) uint8.
        places: (T, W) int64, which of them make each window.

    >>> differs_from_last(np.array([[1], [1], [2]], dtype=np.uint8), np.array([[0], [1], [2], [0]])).tolist()
    [True, False, True, True]
    """

    def are_equal(one: int, other: int) -> bool:
        return one == other or np.array_equal(pictures[one], pictures[other])

    rows = places.tolist()
    pairs = zip(rows[1:], rows, strict=False)
    return np.array([True, *(not all(map(are_equal, row, before)) for row, before in pairs)])


def _take_batch(windows: list[_Window], waiting: list[WaitingVideo], batch_size: int) -> Batch:
    taken = windows[:batch_size]
    pictures, places = taken[0]
    rgb = np.zeros((batch_size, len(places), *pictures.shape[1:]), dtype=np.uint8)
    for window, (pictures, places) in zip(rgb, taken, strict=False):
        np.take(pictures, places, axis=0, out=window, mode="clip")  # other modes copy the window once more
    del windows[:batch_size]
    # The remaining windows belong to the last video only: a new video is added only when few windows remain.
    ended = tuple(waiting[:-1] if windows else waiting)
    del waiting[: len(ended)]
    return Batch(rgb, len(taken), ended)


def encode_batches(
    batches: Iterable[Batch | Failure], begin: BeginEncoding
) -> Generator[tuple[Batch, NDArray[np.float32]] | Failure]:
    """Yield each batch with the (window_count, D) vectors of its real windows.

    It waits for an unfinished batch only after the next one has begun, or if there is none.

    Raises:
        EncoderError: what an encoder returns are not the vectors of its batch.
    """
    pending: deque[tuple[Batch, PendingVectors] | Failure] = deque()
    for batch in batches:
        if isinstance(batch, Failure):
            pending.append(batch)
        else:
            pending.append((replace(batch, rgb=batch.rgb[:0]), begin(batch.rgb)))
        while pending and (_is_done(pending[0]) or _batch_count(pending) >= _MOST_PENDING):
            yield _result(pending.popleft())
    yield from map(_result, pending)


def _is_done(item: tuple[Batch, PendingVectors] | Failure) -> bool:
    return isinstance(item, Failure) or item[1].done()


def _batch_count(items: Iterable[tuple[Batch, PendingVectors] | Failure]) -> int:
    return sum(not isinstance(item, Failure) for item in items)


def _result(item: tuple[Batch, PendingVectors] | Failure) -> tuple[Batch, NDArray[np.float32]] | Failure:
    if isinstance(item, Failure):
        return item
    batch, pending = item
    vectors: object = pending.result()
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or len(vectors) < batch.window_count:
        found = f"an array {vectors.shape}" if isinstance(vectors, np.ndarray) else repr(vectors)
        raise EncoderError(
            f"The encoder must return an array (B, D), a row for each window of a batch, but gave {found}"
        )
    return batch, vectors[: batch.window_count]


def vectors_of_videos(
    encoded: Iterable[tuple[Batch, NDArray[np.float32]] | Failure],
) -> Iterator[EncodedVideo | Failure]:
    """Yield each video when its last window is encoded."""
    rows: list[NDArray[np.float32]] = []
    for item in encoded:
        if isinstance(item, Failure):
            yield item
            continue
        batch, vectors = item
        rows.extend(vectors)
        for ended in batch.ended:
            of_video = np.stack(rows[: ended.window_count])
            del rows[: ended.window_count]
            yield EncodedVideo(ended.video, of_video[ended.window_of], ended.window_count)

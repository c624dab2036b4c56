"""Find videos that are the same footage: re-uploads, re-encoded, scaled, in another container.

Each video is averaged over eight equal parts of its time. Two videos are near duplicates if the cosine similarity of
these averages is high. One average over the whole time would not do: two clips of one scene are as similar by it as two
copies of one clip, and only the order of what happens tells them apart. Copies that were cut are found by
`embed.search.alignment`; copies that play at another speed are not found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed.store import EmbeddingStore

SIMILARITY = 0.93
"""Videos that have at least this cosine similarity count as the same.

Measured by scripts/benchmark_near_duplicates.py with efficientnet-lite0 on the hardest kind of set, clips of the same
few people in the same two places: different clips reach 0.923, and copies at usual quality (x264, crf 23) have 0.943 or
more. Another encoder may need another value.
"""

_PART_COUNT = 8  # equal parts of a video's time
_BLOCK_ROWS = 50_000  # vectors read at once
_BLOCK_VIDEOS = 1024  # videos compared with all others at once: at 100,000 videos, 400 MB
_BLOCK_PAIRS = 256


@dataclass(frozen=True)
class NearDuplicates:
    """The near duplicates among some videos.

    Args:
        pairs: ids of two videos that are near duplicates, and their similarity.
        nearest: the most similar pair that was compared and is below the limit; None if no pair came close.
    """

    pairs: tuple[tuple[str, str, float], ...]
    nearest: tuple[str, str, float] | None


def find_near_duplicates(
    store: EmbeddingStore, ids: Sequence[str], *, similarity: float = SIMILARITY
) -> NearDuplicates:
    """Return the near duplicates among N videos, each of which is compared with every other one.

    Memory holds one vector for each video, and a block. Time grows with N squared (20,000 videos of 512 dimensions take
    11 s and 0.5 GB on two busy cores).

    Args:
        store: the videos.
        ids: (N,) ids of the videos to compare.
        similarity: two videos with at least this cosine similarity are near duplicates.
    """
    pairs: list[tuple[str, str, float]] = []
    nearest: tuple[str, str, float] | None = None
    for pair in compare_alike(store, ids, similarity=similarity):
        if pair[2] >= similarity:
            pairs.append(pair)
        elif nearest is None or pair[2] > nearest[2]:
            nearest = pair
    return NearDuplicates(tuple(pairs), nearest)


def compare_alike(store: EmbeddingStore, ids: Sequence[str], *, similarity: float) -> Iterator[tuple[str, str, float]]:
    """Yield the pairs of N videos that are alike on average, and the similarity of their parts in order.

    Args:
        store: the videos.
        ids: (N,) ids of the videos to compare.
        similarity: the averages of a pair over the whole time have at least this cosine similarity.
    """
    videos = _Videos(store, tuple(ids), _row_counts(store, ids))
    means = [to_unit_length(parts.mean(axis=1)) for parts in _read_parts(videos, np.arange(len(ids)))]
    if not means:
        return
    for one, other in _candidates(np.concatenate(means), similarity):
        for first, second, found in _compare(videos, one, other):
            yield ids[first], ids[second], found


@dataclass(frozen=True)
class _Videos:
    """N videos of a store: their ids, and the number of vectors of each, (N,)."""

    store: EmbeddingStore
    ids: tuple[str, ...]
    row_counts: NDArray[np.int64]


def _row_counts(store: EmbeddingStore, ids: Sequence[str]) -> NDArray[np.int64]:
    known = dict(zip(store.ids, store.row_counts.tolist(), strict=True))
    return np.array([known[video_id] for video_id in ids], dtype=np.int64)


def _read_parts(videos: _Videos, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """Yield the videos at `rows` block by block, as averages over equal parts of their time: (n, parts, D)."""
    # A video of one vector has as many parts as any other video.
    block_of = np.maximum(videos.row_counts[rows], _PART_COUNT).cumsum() // _BLOCK_ROWS
    for block in np.unique(block_of):
        chosen = rows[block_of == block].tolist()
        vectors, row_counts = videos.store.read_many([videos.ids[row] for row in chosen])
        yield np.stack([_average_parts(piece) for piece in np.split(vectors, row_counts.cumsum()[:-1])])


def _average_parts(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (parts, D) averages of (T, D) vectors over equal parts of the time; an empty part takes the vector before.

    >>> _average_parts(np.arange(16.0)[:, None])[:, 0].tolist()
    [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5]
    >>> _average_parts(np.array([[1.0], [3.0]]))[:, 0].tolist()
    [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]
    """
    starts = np.arange(_PART_COUNT) * len(vectors) // _PART_COUNT
    sums = np.add.reduceat(vectors.astype(np.float32), starts, axis=0)
    counts = np.maximum(np.diff(starts, append=len(vectors)), 1)
    return np.asarray(sums / counts[:, None], dtype=np.float32)


def _candidates(means: NDArray[np.float32], similarity: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield pairs of videos whose averages over the whole time are similar enough; those of copies are."""
    for start in range(0, len(means), _BLOCK_VIDEOS):
        found = means[start : start + _BLOCK_VIDEOS] @ means[start:].T
        one, other = np.nonzero(np.triu(found >= similarity, k=1))
        for piece in range(0, len(one), _BLOCK_PAIRS):
            chosen = slice(piece, piece + _BLOCK_PAIRS)
            yield start + one[chosen], start + other[chosen]


def _compare(videos: _Videos, one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterator[tuple[int, int, float]]:
    """Yield each pair and the similarity of its parts, as (first, second, similarity)."""
    rows, places = np.unique(np.concatenate([one, other]), return_inverse=True)
    parts = np.concatenate([to_unit_length(block.reshape(len(block), -1)) for block in _read_parts(videos, rows)])
    first, second = np.split(places, 2)
    found = np.einsum("pd,pd->p", parts[first], parts[second])
    yield from zip(one.tolist(), other.tolist(), found.tolist(), strict=True)


def to_unit_length(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (N, D) vectors scaled to length 1; vectors of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)

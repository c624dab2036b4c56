"""Inspect a store: what is in it, what made it, what failed, and whether it is damaged."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.errors import EmbedError
from embed.machine import read_apart, reading_limit_s, real_path
from embed.store.parts import parts_folder
from embed.store.pieces import COLUMNS, Failure
from embed.store.provenance import Provenance
from embed.store.reading import EmbeddingStore
from embed.store.tables import decode_text

DIGEST_BYTES = 8


@dataclass(frozen=True)
class StoreReport:
    """What is in a store.

    Args:
        path, created: its path, and when its first piece was written (ISO 8601).
        videos, vectors, dimension: number of videos and vectors, and D.
        shortest, median, longest: vectors per video; 0 in an empty store.
        duration_s: total duration of all videos.
        starts_s: id -> the moment of the video's first frame, on the clock of its timestamps.
        damaged: id -> number of damaged frames, of the videos that have any.
        failures: the videos without vectors.
        provenance: what made the vectors.
        problems: what `is_verifying` found wrong, one sentence each; None if it was not requested.
        size_bytes: size of its files.
    """

    path: str
    created: str
    videos: int
    vectors: int
    dimension: int
    shortest: int
    median: float
    longest: int
    duration_s: float
    starts_s: Mapping[str, float]
    damaged: Mapping[str, int]
    failures: tuple[Failure, ...]
    provenance: Provenance
    problems: tuple[str, ...] | None
    size_bytes: int = 0

    @property
    def failures_by_reason(self) -> dict[str, int]:
        """The number of videos that failed for each reason, most frequent first."""
        return dict(Counter(failure.reason for failure in self.failures).most_common())

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        described = {**asdict(self), "provenance": self.provenance.to_json()}
        # A store from elsewhere may hold values that are no numbers, which JSON cannot say.
        described["duration_s"] = _number_or_none(self.duration_s)
        described["starts_s"] = {video_id: _number_or_none(start_s) for video_id, start_s in self.starts_s.items()}
        return described


def _number_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def inspect_embeddings(store: str | Path, *, is_verifying: bool = False) -> StoreReport:
    """Describe a store.

    Args:
        store: its path.
        is_verifying: also read every row and check it, see `verify_store`. This happens in another process, so that a
            file that crashes or hangs the HDF5 library is reported and does no harm.

    Raises:
        StoreError: there is no such store, or it cannot be opened.
    """
    path = Path(store)
    if not is_verifying:
        return _describe(path, False)
    return read_apart(_describe, path, True, limit_s=reading_limit_s(*{real_path(path), parts_folder(path)}))


def _describe(store: Path, is_verifying: bool) -> StoreReport:
    with EmbeddingStore(store) as opened:
        ids, counts, damaged = opened.ids, opened.row_counts, opened.column("damaged_count")
        return StoreReport(
            path=str(store),
            created=opened.created,
            videos=len(opened),
            vectors=int(counts.sum()),
            dimension=opened.dimension,
            shortest=int(counts.min(initial=counts.max(initial=0))),
            median=float(np.median(counts)) if len(counts) else 0.0,
            longest=int(counts.max(initial=0)),
            duration_s=float(opened.durations_s.sum()),
            starts_s=dict(zip(ids, opened.column("start_s").tolist(), strict=True)),
            damaged={ids[at]: int(damaged[at]) for at in np.flatnonzero(damaged).tolist()},
            failures=tuple(opened.failures),
            provenance=opened.provenance,
            problems=tuple(verify_store(opened)) if is_verifying else None,
            size_bytes=opened.size_bytes,
        )


@dataclass(frozen=True)
class ListedVideo:
    """A video of a store in short.

    Args:
        id, location: its name, and where it was read from.
        folder: name of the innermost folder in its id, which is its label unless a label file says another; or "".
        vectors: number of its vectors.
        duration_s: its duration.
    """

    id: str
    folder: str
    location: str
    vectors: int
    duration_s: float


def list_embeddings(store: str | Path) -> tuple[ListedVideo, ...]:
    """Return the videos of a store, sorted by id.

    Raises:
        StoreError: there is no such store, or it cannot be opened.
    """
    with EmbeddingStore(store) as opened:
        locations = map(decode_text, opened.column("location").tolist())
        cells = zip(opened.ids, locations, opened.row_counts.tolist(), opened.durations_s.tolist(), strict=True)
        return tuple(
            ListedVideo(video_id, PurePosixPath(video_id).parent.name, location, count, duration_s)
            for video_id, location, count, duration_s in cells
        )


def find_copies(store: EmbeddingStore) -> tuple[tuple[str, ...], ...]:
    """Return the groups of ids whose files have the same content, by their content hash; ids and groups are sorted."""
    hashes = store.column("content_hash")
    _, group_of, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    ids, groups = store.ids, dict[int, list[str]]()  # `ids` decodes all of them
    for index in np.flatnonzero((counts[group_of] > 1) & (hashes != b"")).tolist():
        groups.setdefault(int(group_of[index]), []).append(ids[index])
    return tuple(sorted(map(tuple, groups.values())))


def digest_videos(store: EmbeddingStore, ids: Sequence[str]) -> NDArray[np.uint8]:
    """Return (V, 8) digests by which videos are recognised: of a file's content, or of the id where it is unknown."""
    hash_of = dict(zip(store.ids, store.column("content_hash").tolist(), strict=True))
    keys = (hash_of[video_id] or b"id " + video_id.encode("utf-8", "surrogateescape") for video_id in ids)
    joined = b"".join(sha256(key).digest()[:DIGEST_BYTES] for key in keys)
    return np.frombuffer(joined, np.uint8).reshape(-1, DIGEST_BYTES)


def verify_store(store: EmbeddingStore) -> list[str]:
    """Read every video of an open store and compare it with its checksum.

    Offsets and counts are checked when a store is opened.

    Returns:
        A sentence for each damaged video; an empty list if there is none.
    """
    problems = [*_damaged_columns(store)]
    for video_id in store.ids:
        try:
            stored = store.read_stored(video_id)
        except EmbedError as error:
            problems.append(f"{video_id}: its rows cannot be read ({error})")
            continue
        if not len(stored.rows):
            problems.append(f"{video_id}: it has no rows")
        elif not np.isfinite(stored.rows).all():
            problems.append(f"{video_id}: a value is not finite")
        elif stored.is_damaged:
            problems.append(f"{video_id}: its rows are not the ones that were written (checksum)")
    return problems


def _damaged_columns(store: EmbeddingStore) -> Iterator[str]:
    for name in COLUMNS["videos"]:
        try:
            store.column(name)
        except EmbedError as error:
            yield str(error)

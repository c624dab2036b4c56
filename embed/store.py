"""The embedding store: vectors of many videos in HDF5, safe to kill while it is written.

Writing commits pieces (`embed.pieces`) into a folder of parts (`embed.parts`), and merges them when the run ends.
Pieces appear by `os.replace`, whole or not at all: a reader never sees half a video, and a run that is killed
loses only what it had not committed.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, final

import h5py
import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreDamaged, StoreError, StoreMismatch
from embed.parts import (
    delete_merged_parts,
    last_number,
    lock_store,
    part_file,
    parts_folder,
    piece_files,
    sequence_numbers,
    unlock_store,
)
from embed.pieces import (
    EmbeddedVideo,
    Failure,
    Piece,
    VideoRecord,
    latest_of,
    merge_pieces,
    record_at,
    row_spans,
    write_piece,
)
from embed.provenance import Provenance

__all__ = ["EmbeddingStore", "Failure", "StoreWriter", "VideoRecord", "VideoVectors", "is_store"]

_COMMIT_INTERVAL_S = 1.0
_COMMIT_BYTES = 64 << 20
_MERGE_COUNT = 32  # so many parts of one size become one: 100,000 commits are never more than 100 files


@dataclass(frozen=True)
class VideoVectors:
    """The vectors of one video: `vectors` (T, D) float16, `timestamps_s` (T,) float32."""

    vectors: NDArray[np.float16]
    timestamps_s: NDArray[np.float32]


def is_store(path: str | Path) -> bool:
    """Say whether a path is a store to read, rather than videos to embed."""
    return (Path(path).is_file() and h5py.is_hdf5(path)) or parts_folder(Path(path)).is_dir()


@final
class EmbeddingStore:
    """Read a store. Opening reads tables only; vectors come from disk when they are asked for.

    A store that a run is still writing shows what is committed at the moment of opening.

    Args:
        path: `name.h5`.

    Raises:
        StoreError: there is no such store.
        StoreDamaged: the file is damaged, or not a store.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._pieces = _open_pieces(self.path)
        if not self._pieces:
            raise StoreError(f"There is no store {self.path}. Make it with: embed-videos FOLDER -o {self.path}")
        self.provenance = self._pieces[0].provenance
        self.created = self._pieces[0].created
        self._videos, kept = latest_of([piece.videos for piece in self._pieces])
        sizes = [len(piece.videos["id"]) for piece in self._pieces]
        self._piece_of = np.repeat(np.arange(len(sizes)), sizes)[kept]

    @property
    def dimension(self) -> int:
        """D, the length of one vector."""
        return self.provenance.encoder.dimension

    @cached_property
    def ids(self) -> list[str]:
        """The ids of all videos, sorted."""
        return [video_id.decode() for video_id in self._videos["id"].tolist()]

    @property
    def row_counts(self) -> NDArray[np.int64]:
        """(N,) the number of vectors of each video, in the order of `ids`."""
        return self._videos["row_count"]

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """(N,) the duration of each video, in the order of `ids`."""
        return self._videos["duration_s"]

    @cached_property
    def failures(self) -> list[Failure]:
        """The videos that gave no vectors, sorted by id."""
        columns, _ = latest_of([piece.failures for piece in self._pieces])
        still_failing = np.flatnonzero(~np.isin(columns["id"], self._videos["id"]))
        return [record_at(Failure, columns, index) for index in still_failing.tolist()]

    def __len__(self) -> int:
        return len(self._videos["id"])

    def __contains__(self, video_id: object) -> bool:
        return isinstance(video_id, str) and self._find(video_id) is not None

    def read(self, video_id: str) -> VideoVectors:
        """Read one video's vectors and their moments.

        Raises:
            KeyError: the store has no such video.
        """
        index = self._index(video_id)
        first, count = int(self._videos["first_row"][index]), int(self._videos["row_count"][index])
        piece = self._pieces[self._piece_of[index]]
        return VideoVectors(piece.rows[first : first + count], piece.timestamps_s[first : first + count])

    def read_many(self, ids: Sequence[str]) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """Read the vectors of many videos into one array.

        Args:
            ids: in any order.

        Returns:
            (R, D) float16 rows, those of one video after those of another in the order of `ids`, and the (len(ids),)
            int64 number of rows of each.

        Raises:
            KeyError: the store has no such video.
        """
        chosen = np.array([self._index(video_id) for video_id in ids], dtype=np.int64)
        source, counts = self._piece_of[chosen], self._videos["row_count"][chosen]
        firsts = self._videos["first_row"][chosen]
        rows = np.empty((int(counts.sum()), self.dimension), dtype=np.float16)
        done = 0
        for video, _, count in row_spans(source, firsts, counts):
            first = int(firsts[video])
            if count:
                self._pieces[source[video]].rows.read_direct(
                    rows, np.s_[first : first + count], np.s_[done : done + count]
                )
            done += count
        return rows, counts

    def video(self, video_id: str) -> VideoRecord:
        """Return what is known of a video.

        Raises:
            KeyError: the store has no such video.
        """
        return record_at(VideoRecord, self._videos, self._index(video_id))

    def checksum(self, video_id: str) -> int:
        """Return the `embed.pieces.checksum` that was stored with a video's rows."""
        return int(self._videos["crc32"][self._index(video_id)])

    def close(self) -> None:
        """Close the store's files."""
        for piece in self._pieces:
            piece.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find(self, video_id: str) -> int | None:
        ids, key = self._videos["id"], video_id.encode()
        index = int(np.searchsorted(ids, key))
        return index if index < len(ids) and ids[index] == key else None

    def _index(self, video_id: str) -> int:
        index = self._find(video_id)
        if index is None:
            raise KeyError(f"{self.path} has no video {video_id!r}")
        return index


@final
class StoreWriter:
    """Append videos to a store, new or existing.

    Videos are committed in groups, at the latest a second after the first of a group is appended and another one
    comes; what is committed survives any crash. Leaving the `with` block commits and merges everything, also when an
    exception passes through it.

    Args:
        path: `name.h5`.
        provenance: what makes the vectors that are appended.

    Raises:
        StoreMismatch: the store's vectors were made otherwise.
        StoreBusy: another process is writing to it.
        StoreDamaged: it exists, but cannot be read.
    """

    def __init__(self, path: str | Path, provenance: Provenance) -> None:
        self.path = Path(path)
        self.provenance = provenance
        self._lock = lock_store(self.path)
        try:
            self._continue_store()
        except BaseException:
            unlock_store(self.path, self._lock)
            raise
        self._videos: list[EmbeddedVideo] = []
        self._failures: dict[str, Failure] = {}
        self._waiting_bytes = 0
        self._committed_at = time.monotonic()

    def _continue_store(self) -> None:
        self.embedded: set[str] = set()
        self.failed: dict[str, Failure] = {}
        self._next_number = 0
        delete_merged_parts(self.path)
        if not piece_files(self.path):
            return
        with EmbeddingStore(self.path) as store:
            difference = store.provenance.difference(self.provenance)
            if difference:
                raise StoreMismatch(
                    f"{self.path} was made otherwise than this run would: its {difference}. "
                    "Use the store's settings, or write to another file with -o."
                )
            self.embedded |= set(store.ids)
            self.failed |= {failure.id: failure for failure in store.failures}
            self._next_number = last_number(self.path) + 1

    def append(self, record: VideoRecord, vectors: NDArray[np.floating], timestamps_s: NDArray[np.floating]) -> None:
        """Add a video.

        Args:
            record: its id must not be in the store.
            vectors: (T, D), finite after rounding to float16.
            timestamps_s: (T,).

        Raises:
            ValueError: the shapes do not fit, a value is not finite, or the id is taken.
        """
        with np.errstate(over="ignore"):
            rows = np.asarray(vectors, dtype=np.float16)
        moments = np.asarray(timestamps_s, dtype=np.float32)
        dimension = self.provenance.encoder.dimension
        if rows.shape != (len(moments), dimension):
            raise ValueError(f"{record.id}: vectors {rows.shape} do not fit {len(moments)} timestamps x {dimension}")
        if not np.isfinite(rows).all():
            raise ValueError(f"{record.id}: a vector holds a value that float16 cannot")
        if record.id in self.embedded:
            raise ValueError(f"{record.id} is in the store already")
        self.embedded.add(record.id)
        self.failed.pop(record.id, None)
        self._videos.append(EmbeddedVideo(record, rows, moments))
        self._waiting_bytes += rows.nbytes
        self._commit_when_due()

    def append_failure(self, failure: Failure) -> None:
        """Record that a video gave no vectors, in place of what was recorded of it before."""
        self.failed[failure.id] = failure
        self._failures[failure.id] = failure
        self._commit_when_due()

    def commit(self) -> None:
        """Put everything appended so far on disk."""
        if self._videos or self._failures:
            number = self._next_number
            write_piece(
                part_file(parts_folder(self.path), number, number),
                self.provenance,
                self._videos,
                self._waiting_failures(),
            )
            self._videos, self._failures, self._waiting_bytes = [], {}, 0
            self._next_number += 1
            self._merge_parts()
        self._committed_at = time.monotonic()

    def close(self) -> None:
        """Commit, merge everything into one file, and let other writers in."""
        try:
            self.commit()
            parts = piece_files(self.path)
            if not parts:
                write_piece(self.path, self.provenance, [], [])
            elif parts != [self.path]:
                _merge_files(self.path, parts, merged_through=self._next_number - 1)
            delete_merged_parts(self.path)
        finally:
            unlock_store(self.path, self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _waiting_failures(self) -> list[Failure]:
        written = {video.record.id for video in self._videos}
        return [failure for failure in self._failures.values() if failure.id not in written]

    def _commit_when_due(self) -> None:
        if self._waiting_bytes >= _COMMIT_BYTES or time.monotonic() - self._committed_at >= _COMMIT_INTERVAL_S:
            self.commit()

    def _merge_parts(self) -> None:
        """Merge parts the way a counter carries: every 32 of one size become one."""
        size = _MERGE_COUNT
        while self._next_number % size == 0:
            first = self._next_number - size
            inside = [
                path for path in piece_files(self.path) if path != self.path and sequence_numbers(path)[0] >= first
            ]
            _merge_files(part_file(parts_folder(self.path), first, self._next_number - 1), inside)
            delete_merged_parts(self.path)
            size *= _MERGE_COUNT


def _open_pieces(path: Path) -> list[Piece]:
    """Open a store's pieces; a writer may merge some away between the listing and the opening."""
    for _ in range(20):
        with ExitStack() as opened:
            try:
                pieces = [opened.enter_context(Piece(file)) for file in piece_files(path)]
            except FileNotFoundError:
                continue
            _check_one_provenance(path, pieces)
            opened.pop_all()
            return pieces
    raise StoreDamaged(f"{path} changes faster than it can be read. Try again when the run that writes it is done.")


def _check_one_provenance(path: Path, pieces: list[Piece]) -> None:
    for piece in pieces[1:]:
        difference = piece.provenance.difference(pieces[0].provenance)
        if difference:
            raise StoreDamaged(f"{path} mixes vectors that were made differently: {difference} ({piece.path}).")


def _merge_files(target: Path, files: Iterable[Path], *, merged_through: int = -1) -> None:
    with ExitStack() as opened:
        pieces = [opened.enter_context(Piece(file)) for file in files]
        merge_pieces(target, pieces, merged_through=merged_through)

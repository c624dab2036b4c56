"""Read a store: its videos, their records, and their vectors.

Opening reads the places of each video's rows. Everything else is read from disk when it is needed.
"""

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreDamaged, StoreError
from embed.machine import counted
from embed.store.hdf5_reading import damage_of, is_hdf5
from embed.store.parts import no_store, parts_folder, parts_in, piece_files
from embed.store.pieces import COLUMNS, Piece
from embed.store.quantisation import dequantise
from embed.store.records import Failure, VideoRecord
from embed.store.tables import checksum_rows, decode_text, dtypes_of, find_id, find_ids, latest_of, record_at, row_spans


@dataclass(frozen=True)
class VideoVectors:
    """The vectors of one video: `vectors` (T, D) float16, `timestamps_s` (T,) float32, `spans_s` (T, 2) float32.

    A span has the moments of the first and the last frame behind a vector: twice its moment where one frame is.
    """

    vectors: NDArray[np.float16]
    timestamps_s: NDArray[np.float32]
    spans_s: NDArray[np.float32]


@dataclass(frozen=True)
class StoredRows:
    """The rows of one video as a store holds them: `rows` (T, D) float16 or uint8 codes, `times_s` float32.

    Args:
        rows: as stored.
        times_s: (T,) moments; or (T, 3) moment, first and last, where the store has spans.
        is_damaged: True if they are not the ones that were written.
    """

    rows: NDArray[Any]
    times_s: NDArray[np.float32]
    is_damaged: bool


def is_store(path: str | Path) -> bool:
    """Return True if a path is a store, and not videos to embed.

    Raises:
        StoreError: access is denied.
    """
    path = Path(path)
    with damage_of(path):
        return is_hdf5(path) if path.is_file() else bool(parts_in(parts_folder(path)))


@final
class EmbeddingStore:
    """An open store. Opening reads only tables; vectors are read from disk when they are needed.

    A store that a run is still writing shows what was committed when it was opened.

    Args:
        path: `name.h5`, or a folder of shards.

    Raises:
        StoreError: there is no such store.
        StoreDamaged: a file is damaged or missing, or not a store. Columns that are read later raise it later.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._pieces = _open_pieces(self.path)
        if not self._pieces:
            raise StoreError(no_store(self.path))
        self.provenance = self._pieces[0].provenance
        self.created = self._pieces[0].created
        self._ids, self._kept = latest_of([piece.column("videos", "id") for piece in self._pieces])
        sizes = [len(piece.column("videos", "id")) for piece in self._pieces]
        self._piece_of = np.repeat(np.arange(len(sizes)), sizes)[self._kept]
        self._columns: dict[str, NDArray[Any]] = {"id": self._ids}

    @property
    def dimension(self) -> int:
        """D, the length of one vector."""
        return self.provenance.encoder.dimension

    @property
    def size_bytes(self) -> int:
        """The size of its files."""
        return sum(piece.path.stat().st_size for piece in self._pieces)

    @cached_property
    def ids(self) -> list[str]:
        """The ids of all videos, sorted by their bytes."""
        return [decode_text(stored) for stored in self._ids.tolist()]

    @property
    def row_counts(self) -> NDArray[np.int64]:
        """(N,) the number of vectors of each video, in the order of `ids`."""
        return self.column("row_count")

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """(N,) the duration of each video, in the order of `ids`."""
        return self.column("duration_s")

    @property
    def stored_order(self) -> NDArray[np.int64]:
        """(N,) places in `ids`, in the order of the files: the order in which all rows are read fastest."""
        return np.lexsort((self.column("first_row"), self._piece_of))

    @cached_property
    def failures(self) -> list[Failure]:
        """The videos that gave no vectors, sorted by id."""
        _, kept = latest_of([piece.column("failures", "id") for piece in self._pieces])
        columns = {name: self._joined("failures", name)[kept] for name in dtypes_of(Failure)}
        still_failing = np.flatnonzero(~np.isin(columns["id"], self._ids))
        return [record_at(Failure, columns, index) for index in still_failing.tolist()]

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, video_id: object) -> bool:
        return isinstance(video_id, str) and find_id(self._ids, video_id) >= 0

    def column(self, name: str) -> NDArray[Any]:
        """Return (N,) one column of /videos, see `embed.store.pieces`, in the order of `ids`; texts as bytes.

        Raises:
            KeyError: there is no such column.
        """
        if name not in COLUMNS["videos"]:
            raise KeyError(f"A store has no column {name!r}. Choose from {', '.join(COLUMNS['videos'])}.")
        if name not in self._columns:
            self._columns[name] = self._joined("videos", name)[self._kept]
        return self._columns[name]

    def read(self, video_id: str) -> VideoVectors:
        """Read one video's vectors and their moments, and compare them with their checksum.

        Raises:
            KeyError: the store has no such video.
            StoreDamaged: they are not as they were written.
        """
        stored = self.read_stored(video_id)
        if stored.is_damaged:
            raise self._damaged([video_id])
        return VideoVectors(_decoded(stored.rows), *_moments_and_spans(stored.times_s))

    def read_stored(self, video_id: str) -> StoredRows:
        """Read one video's rows as they are stored, damaged or not: in a store of one byte a coefficient, the codes.

        Raises:
            KeyError: the store has no such video.
        """
        index = self._position_of(video_id)
        first, count = self.column("first_row")[index], self.row_counts[index]
        rows, times_s = self._pieces[self._piece_of[index]].read(int(first), int(count))
        checksum = checksum_rows(self._ids[index], rows, times_s)
        return StoredRows(rows, times_s, is_damaged=bool(checksum != self.column("crc32")[index]))

    def read_many(
        self, ids: Sequence[str], *, is_checked: bool = False
    ) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """Read the vectors of many videos into one array, at the speed of the disk.

        Args:
            ids: in any order.
            is_checked: compare them with their checksums.

        Returns:
            (R, D) float16 rows, one video after another in the order of `ids`, and the (len(ids),) int64 number of rows
            of each.

        Raises:
            KeyError: the store has no such video.
            StoreDamaged: with `is_checked`, some are not as they were written.
        """
        chosen = self._index(ids)
        counts = self.row_counts[chosen]
        rows = np.empty((int(counts.sum()), self.dimension), self.provenance.row_type)
        for piece, first, place in self._spans(chosen):
            piece.read_into(rows[place], first)
        if is_checked:
            self._check_rows(ids, rows, counts)
        return _decoded(rows), counts

    def read_timestamps(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Read the moments of the rows that `read_many` returns: (R,) float32, seconds on the clock of each file.

        Args:
            ids: in any order.

        Raises:
            KeyError: the store has no such video.
        """
        chosen = self._index(ids)
        timestamps_s = np.empty(int(self.row_counts[chosen].sum()), dtype=np.float32)
        for piece, first, place in self._spans(chosen):
            piece.read_moments_into(timestamps_s[place], first)
        return timestamps_s

    def read_spans(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Read the spans of the rows that `read_many` returns: (R, 2) float32, seconds on the clock of each file.

        Args:
            ids: in any order.

        Returns:
            The moments of the first and the last frame behind each row: twice its moment where one frame is.

        Raises:
            KeyError: the store has no such video.
        """
        return _moments_and_spans(self._read_times(ids))[1]

    def _read_times(self, ids: Sequence[str]) -> NDArray[np.float32]:
        chosen = self._index(ids)
        found = [piece.read_times(first, place.stop - place.start) for piece, first, place in self._spans(chosen)]
        return np.concatenate(found) if found else np.empty(0, dtype=np.float32)

    def video(self, video_id: str) -> VideoRecord:
        """Return the record of a video.

        Raises:
            KeyError: the store has no such video.
        """
        columns = {name: self.column(name) for name in dtypes_of(VideoRecord)}
        return record_at(VideoRecord, columns, self._position_of(video_id))

    def piece_of(self, video_id: str) -> Path:
        """Return the file that holds a video.

        Raises:
            KeyError: the store has no such video.
        """
        number = int(self._piece_of[self._position_of(video_id)])
        return self._pieces[number].path

    def close(self) -> None:
        """Close the store's files."""
        for piece in self._pieces:
            piece.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_rows(self, ids: Sequence[str], rows: NDArray[Any], counts: NDArray[np.int64]) -> None:
        chosen, times_s, first = self._index(ids), self._read_times(ids), 0
        sums, stored_ids = self.column("crc32")[chosen].tolist(), self._ids[chosen].tolist()
        damaged = []
        for video_id, stored_id, stored, count in zip(ids, stored_ids, sums, counts.tolist(), strict=True):
            place = slice(first, first + count)
            if checksum_rows(stored_id, rows[place], times_s[place]) != stored:
                damaged.append(video_id)
            first += count
        if damaged:
            raise self._damaged(damaged)

    def _damaged(self, ids: Sequence[str]) -> StoreDamaged:
        more = f" and of {counted(len(ids) - 1, 'more video')}" if len(ids) > 1 else ""
        return StoreDamaged(
            f"{self.path}: the rows of {ids[0]}{more} are not the ones that were written (checksum). Run "
            f"inspect-embeddings {shlex.quote(str(self.path))} --repair NEW to save the undamaged videos into a "
            "new store."
        )

    def _joined(self, table: str, name: str) -> NDArray[Any]:
        columns = [piece.column(table, name) for piece in self._pieces]
        return columns[0] if len(columns) == 1 else np.concatenate(columns)

    def _spans(self, chosen: NDArray[np.int64]) -> Iterator[tuple[Piece, int, slice]]:
        """Yield the places of the rows of the videos at `chosen`: a piece, its first row, and a slice of all rows."""
        source, counts = self._piece_of[chosen], self.row_counts[chosen]
        firsts, done = self.column("first_row")[chosen], 0
        for video, _, count in row_spans(source, firsts, counts):
            yield self._pieces[source[video]], int(firsts[video]), slice(done, done + count)
            done += count

    def _position_of(self, video_id: str) -> int:
        position = find_id(self._ids, video_id)
        if position < 0:
            raise KeyError(f"{self.path} has no video {video_id!r}")
        return position

    def _index(self, ids: Sequence[str]) -> NDArray[np.int64]:
        if ids is self.ids:
            return np.arange(len(ids))
        positions = find_ids(self._ids, ids)
        if np.any(positions < 0):
            raise KeyError(f"{self.path} has no video {ids[int(np.argmin(positions))]!r}")
        return positions


def _moments_and_spans(times_s: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return moments (T,) and spans (T, 2) of stored times."""
    if times_s.ndim == 1:
        return times_s, np.column_stack([times_s, times_s])
    return np.ascontiguousarray(times_s[:, 0]), np.ascontiguousarray(times_s[:, 1:])


def _decoded(rows: NDArray[Any]) -> NDArray[np.float16]:
    """Return stored rows as vectors."""
    return dequantise(rows) if rows.dtype == np.uint8 else rows


def _open_pieces(path: Path) -> list[Piece]:
    """Open the pieces of a store. A writer may merge some of them between listing and opening."""
    for attempt in range(20):
        with ExitStack() as opened:
            try:
                with damage_of(path):
                    pieces = [opened.enter_context(Piece(file)) for file in piece_files(path)]
            except FileNotFoundError:
                time.sleep(attempt / 1000)
                continue
            _check_one_provenance(path, pieces)
            opened.pop_all()
            return pieces
    raise StoreDamaged(f"{path} changes faster than it can be read. Try again when the run that writes it has ended.")


def _check_one_provenance(path: Path, pieces: list[Piece]) -> None:
    for piece in pieces[1:]:
        difference = piece.provenance.difference(pieces[0].provenance)
        if difference:
            raise StoreDamaged(f"{path} mixes vectors that were made in different ways: {difference} ({piece.path}).")

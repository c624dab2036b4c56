"""One immutable HDF5 file of a store. It is written as a whole, and read as if it were hostile.

    /embeddings           (N, D) float16    rows of all videos, one after another; or uint8 codes, with the attributes
                                            scale and offset: a value is code * scale + offset
    /timestamps_s         (N,)   float32    the moment of each row, on the clock of its video's timeline
    /spans_s              (N, 2) float32    the moments of the first and the last frame behind each row; only where the
                                            encoder has more than one frame behind a row (`Provenance.has_spans`)
    /videos/{column}      (V,)              one entry per video, sorted by id: `VideoRecord`, first_row, row_count,
                                            crc32 (`checksum_rows`), record_crc32 (`checksum_record`)
    /failures/{column}    (F,)              one entry per video without vectors, sorted by id: `Failure`
    attributes            format, provenance (JSON), created (ISO 8601), merged_through, crc32 (of these and the shape
                          of /embeddings); each column has its own crc32 (`checksum_column`)

Rows are flat and unchunked, and texts have fixed length, because h5py slows from 9,000 to 200 dataset opens per second
on the way to a million datasets (h5py issue 2540). Measured on 10,000 videos, a flat file is read 3 to 10 times faster
than one dataset per video. A file may come from anywhere, so nothing in it is trusted (`embed.store.hdf5_reading`).
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, final

import h5py
import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreDamaged
from embed.machine import read_apart
from embed.store.hdf5_reading import (
    SCALE_OF,
    RowReader,
    check_row_type,
    damage_of,
    fixed_text,
    is_checksummed,
    open_spans,
    own_dataset,
    read_attribute,
    read_column,
)
from embed.store.provenance import Provenance
from embed.store.records import ADDED_LATER, Failure, VideoRecord
from embed.store.revision import Revision
from embed.store.tables import (
    Columns,
    checksum_column,
    checksum_record,
    checksum_rows,
    columns_of,
    dtypes_of,
    has_inner_nul,
    latest_of,
    row_spans,
)
from embed.store.whole_files import replaced_hdf5

__all__ = ["EmbeddedVideo", "Failure", "Piece", "VideoRecord", "merge_pieces", "write_piece"]

FORMAT = "framehead embeddings 1"
COLUMNS: dict[str, dict[str, str]] = {
    "videos": dtypes_of(VideoRecord) | dict.fromkeys(("first_row", "row_count", "crc32", "record_crc32"), "i8"),
    "failures": dtypes_of(Failure),
}
_ATTRIBUTES = ("format", "provenance", "created", "merged_through", "crc32")
_COPY_BYTES = 64 << 20


@dataclass(frozen=True)
class EmbeddedVideo:
    """A video before it is written: vectors (T, D), and its times: (T,) moments, or (T, 3) moment, first and last."""

    record: VideoRecord
    vectors: NDArray[np.float16] | NDArray[np.uint8]
    times_s: NDArray[np.float32]


@final
class Piece:
    """An open piece. The places of each video's rows are in memory; other columns and the rows are read when needed.

    Raises:
        StoreDamaged: the file is not a piece, or a damaged one; the message says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: dict[tuple[str, str], NDArray[Any]] = {}
        with damage_of(path):
            if not is_checksummed(path):
                raise _foreign(path)
            self._file = h5py.File(path, "r")
        try:
            with damage_of(path):
                self._read_tables()
        except BaseException:
            self._file.close()
            raise

    def _read_tables(self) -> None:
        check_is_piece(self._file, self.path)
        attributes = {name: read_attribute(self._file, name) for name in _ATTRIBUTES}
        self.rows = own_dataset(self._file, "embeddings")
        self.timestamps_s = own_dataset(self._file, "timestamps_s")
        if attributes["crc32"] != _header_checksum(attributes, self.rows.shape):
            raise ValueError("its attributes are not the ones that were written (checksum)")
        self.provenance = Provenance.from_json(json.loads(str(attributes["provenance"])))
        self.created = str(attributes["created"])
        self.merged_through = int(attributes["merged_through"] or 0)
        row_count, dimension = self.rows.shape
        if dimension != self.provenance.encoder.dimension:
            raise ValueError(f"rows are of {dimension} dimensions, unlike its provenance")
        check_row_type(self.rows, self.provenance.row_type)
        if self.timestamps_s.shape != (row_count,) or self.timestamps_s.dtype != np.float32:
            raise ValueError(f"{self.timestamps_s.shape} {self.timestamps_s.dtype} timestamps for {row_count} rows")
        self._row_reader, self._moment_reader = (
            RowReader(self._file, table) for table in (self.rows, self.timestamps_s)
        )
        self._span_reader = open_spans(self._file, row_count) if self.provenance.has_spans else None
        first, count = self.column("videos", "first_row"), self.column("videos", "row_count")
        if np.any(first < 0) or np.any(count < 0) or np.any(first > row_count - count):
            raise ValueError("the rows of a video are outside the table of rows")

    def column(self, table: str, name: str) -> NDArray[Any]:
        """Return a column of `COLUMNS[table]`. It is read once.

        Raises:
            StoreDamaged: it is not as it was written.
        """
        if (table, name) not in self._columns:
            with damage_of(self.path):
                column = read_stored_column(self._file, table, name)
                if name != "id" and len(column) != len(self.column(table, "id")):
                    raise ValueError(f"the column /{table}/{name} has {len(column)} entries")
            self._columns[table, name] = column
        return self._columns[table, name]

    def read(self, first: int, count: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Read `count` rows as they are stored, from row `first` on, and their times."""
        rows = np.empty((count, self.rows.shape[1]), self.rows.dtype)
        self.read_into(rows, first)
        return rows, self.read_times(first, count)

    def read_times(self, first: int, count: int) -> NDArray[np.float32]:
        """Read the times of `count` rows from row `first` on: (T,) moments, or (T, 3) with spans."""
        moments = np.empty(count, np.float32)
        self.read_moments_into(moments, first)
        if self._span_reader is None:
            return moments
        spans = np.empty((count, 2), np.float32)
        with damage_of(self.path):
            self._span_reader.read_into(spans, first)
        return np.column_stack([moments, spans])

    def read_into(self, target: NDArray[Any], first: int) -> None:
        """Fill `target` (T, D), of the type of the rows, with the rows from row `first` on."""
        with damage_of(self.path):
            self._row_reader.read_into(target, first)

    def read_moments_into(self, target: NDArray[np.float32], first: int) -> None:
        """Fill `target` (T,) with the moments of the rows from row `first` on."""
        with damage_of(self.path):
            self._moment_reader.read_into(target, first)

    def close(self) -> None:
        """Close the file. What was read stays in memory."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_piece(
    path: Path, provenance: Provenance, videos: Sequence[EmbeddedVideo], failures: Sequence[Failure]
) -> None:
    """Write a piece from memory. Videos and failures must have different ids.

    Raises:
        StoreError: the disk cannot write it; nothing is left of it.
    """
    videos = sorted(videos, key=lambda video: video.record.id)
    columns = columns_of(VideoRecord, [video.record for video in videos])
    sums = [
        checksum_rows(stored_id, video.vectors, video.times_s)
        for stored_id, video in zip(columns["id"].tolist(), videos, strict=True)
    ]
    columns["record_crc32"] = np.array([checksum_record(columns, at) for at in range(len(videos))], dtype=np.int64)
    columns["row_count"] = np.array([len(video.vectors) for video in videos], dtype=np.int64)
    columns["crc32"] = np.array(sums, dtype=np.int64)
    failed = columns_of(Failure, sorted(failures, key=lambda failure: failure.id))
    with _new_piece(path, provenance, columns, failed) as new:
        if videos:
            new.fill_times(0, np.concatenate([video.times_s for video in videos]))
            new.rows[:] = np.concatenate([video.vectors for video in videos])


def merge_pieces(
    path: Path, pieces: Sequence[Piece], *, merged_through: int = -1, revision: Revision | None = None
) -> None:
    """Write one piece with the content of several. Of two entries for one id, that of the later piece is kept.

    Args:
        path: the new file; it may be the file of one of the pieces.
        pieces: at least one, oldest first, of one provenance.
        merged_through: the last sequence number whose piece is contained, for `name.h5`.
        revision: entries that get another id, or are left out.

    Raises:
        StoreError: the disk cannot write it. StoreDamaged: a piece cannot be read. `path` is unchanged.
    """
    source = np.repeat(np.arange(len(pieces)), [len(piece.column("videos", "id")) for piece in pieces])
    _, kept = latest_of([piece.column("videos", "id") for piece in pieces])
    videos = _joined(pieces, "videos", kept)
    _, latest = latest_of([piece.column("failures", "id") for piece in pieces])
    failures = _joined(pieces, "failures", latest)
    if revision:
        videos, places = revision.of_videos(videos)
        kept, failures = kept[places], revision.of_failures(failures)
    still_failing = ~np.isin(failures["id"], videos["id"])
    failures = {name: column[still_failing] for name, column in failures.items()}
    from_row, source = videos.pop("first_row"), source[kept]
    with _new_piece(path, pieces[0].provenance, videos, failures, merged_through) as new:
        start = 0
        for video, _, count in row_spans(source, from_row, videos["row_count"]):
            _copy_rows(pieces[source[video]], new, int(from_row[video]), start, count)
            start += count


def read_stored_column(file: h5py.File, table: str, name: str, *, is_checked: bool = True) -> NDArray[Any]:
    """Read a column of `COLUMNS[table]`. One that was added later reads as zeros where an older file lacks it.

    Args:
        file: a piece.
        table: videos or failures.
        name: the column.
        is_checked: compare it with its checksum.

    Raises:
        ValueError: it is missing, of another type, or not as it was written.
    """
    dtype = COLUMNS[table][name]
    if name in ADDED_LATER[table] and name not in file[table]:
        return np.zeros(len(own_dataset(file, f"{table}/id")), "S1" if dtype == "S" else dtype)
    dataset = own_dataset(file, f"{table}/{name}")
    column = read_column(dataset, dtype)
    if is_checked and read_attribute(dataset, "crc32") != checksum_column(column):
        raise ValueError(f"the column {dataset.name} is not the one that was written (checksum)")
    if name in ("id", "location", "listed_in") and has_inner_nul(column):  # nothing could be found by it
        raise ValueError(f"a name in {dataset.name} has a NUL in it")
    return column


def check_is_piece(file: h5py.File, path: Path) -> None:
    """Distinguish the HDF5 file of another program from a damaged one.

    Raises:
        StoreDamaged: it does not have this format; the message says what it lacks.
    """
    if read_attribute(file, "format") != FORMAT:
        raise _foreign(path)


def _foreign(path: Path) -> StoreDamaged:
    return StoreDamaged(f"{path} is an HDF5 file, but not a store of embeddings: {read_apart(what_it_lacks, path)}.")


def what_it_lacks(path: Path) -> str:
    """Return what the HDF5 file of another program lacks. Such a file may crash or hang the library that reads it."""
    with damage_of(path), h5py.File(path, "r") as file:
        lacks = [f"the attribute {name}" for name in _ATTRIBUTES if name not in file.attrs]
        lacks += [f"the dataset /{name}" for name in ("embeddings", "timestamps_s") if name not in file]
        lacks += [] if "videos" in file else ["the group /videos"]
        return f"it lacks {', '.join(lacks)}" if lacks else f"its attribute format is not {FORMAT!r}"


@final
@dataclass(frozen=True)
class _NewRows:
    """The empty datasets of a new piece."""

    timestamps_s: h5py.Dataset
    spans_s: h5py.Dataset | None
    rows: h5py.Dataset

    def fill_times(self, start: int, times_s: NDArray[np.float32]) -> None:
        """Write the times of rows from row `start` on."""
        place = slice(start, start + len(times_s))
        self.timestamps_s[place] = times_s if self.spans_s is None else times_s[:, 0]
        if self.spans_s is not None:
            self.spans_s[place] = times_s[:, 1:]


@contextmanager
def _new_piece(
    path: Path, provenance: Provenance, videos: Columns, failures: Columns, merged_through: int = -1
) -> Iterator[_NewRows]:
    """Create a piece with its tables, and give its empty row datasets to fill, first the times.

    HDF5 places them in the order in which they are first written. With the vectors last, a file that is cut off has
    lost only the last videos.
    """
    counts = videos["row_count"]
    videos = {**videos, "first_row": np.cumsum(counts) - counts}
    total = int(counts.sum())
    with replaced_hdf5(path) as file:
        attributes: dict[str, str | int | None] = {
            "format": FORMAT,
            "provenance": json.dumps(provenance.to_json()),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "merged_through": merged_through,
        }
        attributes["crc32"] = _header_checksum(attributes, (total, provenance.encoder.dimension))
        for name, value in attributes.items():
            file.attrs[name] = fixed_text(value) if isinstance(value, str) else value
        for table, columns in (("videos", videos), ("failures", failures)):
            for name, column in columns.items():
                file[f"{table}/{name}"] = column
                file[f"{table}/{name}"].attrs["crc32"] = checksum_column(column)
        rows = file.create_dataset("embeddings", (total, provenance.encoder.dimension), provenance.row_type)
        rows.attrs.update(SCALE_OF[provenance.storage])
        timestamps_s = file.create_dataset("timestamps_s", (total,), np.float32)
        spans_s = file.create_dataset("spans_s", (total, 2), np.float32) if provenance.has_spans else None
        file.flush()  # places what describes the file before the rows
        yield _NewRows(timestamps_s, spans_s, rows)


def _header_checksum(attributes: Mapping[str, str | int | None], shape: tuple[int, ...]) -> int:
    values = [str(attributes[name]) for name in _ATTRIBUTES[:-1]]
    return zlib.crc32("\0".join([*values, str(shape)]).encode("utf-8", "surrogateescape"))


def _joined(pieces: Sequence[Piece], table: str, kept: NDArray[np.int64]) -> Columns:
    return {name: np.concatenate([piece.column(table, name) for piece in pieces])[kept] for name in COLUMNS[table]}


def _copy_rows(piece: Piece, new: _NewRows, first: int, start: int, count: int) -> None:
    step = max(1, _COPY_BYTES // (piece.rows.dtype.itemsize * piece.rows.shape[1] + 12))
    for done in range(0, count, step):
        size = min(step, count - done)
        rows, times_s = piece.read(first + done, size)
        new.fill_times(start + done, times_s)
        new.rows[start + done : start + done + size] = rows

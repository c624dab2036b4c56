"""One immutable HDF5 file of a store: written whole, read with suspicion.

    /embeddings           (N, D) float16    rows of all videos, one after another
    /timestamps_s         (N,)   float32    the moment of each row, on the video's own clock
    /videos/{column}      (V,)              one entry a video, sorted by id: `VideoRecord`, first_row, row_count, crc32
    /failures/{column}    (F,)              one entry a video without vectors, sorted by id: `Failure`
    attributes            format, provenance (JSON), created (ISO 8601), merged_through

Rows lie flat and unchunked, and texts in fixed-length fields, because h5py slows from 9,000 to 200 dataset opens a
second on the way to a million datasets (h5py issue 2540); measured on 10,000 videos, a flat file reads 3 to 10 times
quicker than one dataset a video. A file may come from anywhere, so nothing in it is followed out of it.
"""

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar, final

import h5py
import numpy as np
from numpy.typing import NDArray

from embed.errors import FailureReason, StoreDamaged, StoreError
from embed.provenance import Provenance

FORMAT = "framehead embeddings 1"
_COPY_BYTES = 64 << 20
_DTYPES: dict[object, str] = {int: "i8", float: "f8", str: "S", FailureReason: "S"}

Columns = dict[str, NDArray[Any]]
"""A table as one array a column, all of one length; texts as UTF-8 bytes ("S")."""

Record = TypeVar("Record", "VideoRecord", "Failure")


@dataclass(frozen=True)
class VideoRecord:
    """What is known of an embedded video beside its vectors.

    Args:
        id: its name in the store.
        location: where it was read from.
        content_hash: `embed.pipeline.hash_content` of the file, which tells re-uploads and changed files.
        frame_count: frames on its timeline.
        duration_s, fps: from its packets.
        width_px, height_px: as stored, before any rotation.
    """

    id: str
    location: str = ""
    content_hash: str = ""
    frame_count: int = 0
    duration_s: float = 0.0
    fps: float = 0.0
    width_px: int = 0
    height_px: int = 0


@dataclass(frozen=True)
class Failure:
    """A video that gave no vectors, and why.

    Args:
        id: its name, as it would stand in the store.
        location: where it was to be read from.
        reason: a code of `embed.errors.FailureReason`.
        detail: what happened, for people.
        attempts: how often it was tried.
    """

    id: str
    location: str
    reason: FailureReason
    detail: str
    attempts: int = 1


@dataclass(frozen=True)
class EmbeddedVideo:
    """One video's vectors on their way into a store: (T, D) float16 and (T,) float32."""

    record: VideoRecord
    vectors: NDArray[np.float16]
    timestamps_s: NDArray[np.float32]


@final
class Piece:
    """An open piece. Its tables are in memory, its rows on disk.

    Raises:
        StoreDamaged: the file is no piece, or a damaged one; the message says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _damage_of(path):
            self._file = h5py.File(path, "r")
        try:
            with _damage_of(path):
                self._read_tables()
        except BaseException:
            self._file.close()
            raise

    def _read_tables(self) -> None:
        attributes = self._file.attrs
        if attributes.get("format") != FORMAT:
            raise StoreDamaged(
                f"{self.path} is an HDF5 file, but no store of embeddings: its attribute `format` is "
                f"{attributes.get('format')!r}, not {FORMAT!r}."
            )
        self.provenance = Provenance.from_json(json.loads(attributes["provenance"]))
        self.created = str(attributes["created"])
        self.merged_through = int(attributes["merged_through"])
        self.rows = _own_dataset(self._file, "embeddings")
        self.timestamps_s = _own_dataset(self._file, "timestamps_s")
        self.videos = _read_columns(self._file, "videos")
        self.failures = _read_columns(self._file, "failures")
        self._check_shapes()

    def _check_shapes(self) -> None:
        row_count, dimension = self.rows.shape
        if dimension != self.provenance.encoder.dimension or self.rows.dtype != np.float16:
            raise ValueError(f"rows are {self.rows.dtype} of {dimension} dimensions, which the provenance denies")
        if self.timestamps_s.shape != (row_count,):
            raise ValueError(f"{self.timestamps_s.shape[0]} timestamps for {row_count} rows")
        first, count = self.videos["first_row"], self.videos["row_count"]
        if np.any(first < 0) or np.any(count < 0) or np.any(first > row_count - count):
            raise ValueError("a video's rows lie outside the table of rows")

    def close(self) -> None:
        """Close the file; tables stay readable."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_piece(
    path: Path, provenance: Provenance, videos: Sequence[EmbeddedVideo], failures: Sequence[Failure]
) -> None:
    """Write a piece from memory. Videos and failures must have different ids."""
    videos = sorted(videos, key=lambda video: video.record.id)
    columns = _columns_of(VideoRecord, [video.record for video in videos])
    columns["row_count"] = np.array([len(video.vectors) for video in videos], dtype=np.int64)
    columns["crc32"] = np.array([checksum(video.vectors, video.timestamps_s) for video in videos], dtype=np.int64)
    failed = _columns_of(Failure, sorted(failures, key=lambda failure: failure.id))
    with _new_piece(path, provenance, columns, failed) as (rows, timestamps_s):
        if videos:
            rows[:] = np.concatenate([video.vectors for video in videos])
            timestamps_s[:] = np.concatenate([video.timestamps_s for video in videos])


def merge_pieces(path: Path, pieces: Sequence[Piece], *, merged_through: int = -1) -> None:
    """Write one piece that holds what the pieces hold; of two entries for one id the later piece's stays.

    Args:
        path: where; may be one of the pieces' own files.
        pieces: at least one, oldest first, of one provenance.
        merged_through: the last sequence number whose piece is contained, for `name.h5`.
    """
    source = np.repeat(np.arange(len(pieces)), [len(piece.videos["id"]) for piece in pieces])
    videos, kept = latest_of([piece.videos for piece in pieces])
    failures, _ = latest_of([piece.failures for piece in pieces])
    still_failing = ~np.isin(failures["id"], videos["id"])
    failures = {name: column[still_failing] for name, column in failures.items()}
    from_row, source = videos.pop("first_row"), source[kept]
    with _new_piece(path, pieces[0].provenance, videos, failures, merged_through) as (rows, timestamps_s):
        start = 0
        for video, stop, count in row_spans(source, from_row, videos["row_count"]):
            piece, first = pieces[source[video]], from_row[video]
            for table, new in ((piece.rows, rows), (piece.timestamps_s, timestamps_s)):
                _copy_rows(table, new, int(first), start, count)
            start += count
            assert stop > video


def latest_of(tables: Sequence[Columns]) -> tuple[Columns, NDArray[np.int64]]:
    """Join tables, keep the last entry of each id, and sort by id.

    Returns:
        The joined table, and the position of each kept entry among all entries.
    """
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    ids = joined["id"]
    # unique() keeps the first of equals, so look at the entries from the last to the first.
    _, from_end = np.unique(ids[::-1], return_index=True)
    kept = len(ids) - 1 - from_end
    return {name: column[kept] for name, column in joined.items()}, kept


def row_spans(
    source: NDArray[np.int64], first_row: NDArray[np.int64], row_count: NDArray[np.int64]
) -> Iterator[tuple[int, int, int]]:
    """Group videos, in the given order, whose rows follow each other in one piece.

    Yields:
        (first video, one past the last video, rows) of each group.
    """
    if not len(source):
        return
    follows = (source[1:] == source[:-1]) & (first_row[1:] == first_row[:-1] + row_count[:-1])
    starts = np.concatenate([[0], np.flatnonzero(~follows) + 1, [len(source)]])
    sums = np.concatenate([[0], np.cumsum(row_count)])
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        yield start, stop, int(sums[stop] - sums[start])


def checksum(vectors: NDArray[np.float16], timestamps_s: NDArray[np.float32]) -> int:
    """Return the CRC-32 of a video's rows and their moments, as stored."""
    return zlib.crc32(timestamps_s.tobytes(), zlib.crc32(vectors.tobytes()))


def record_at(kind: type[Record], columns: Columns, index: int) -> Record:
    """Read one entry of a table."""
    cells = {field.name: columns[field.name][index] for field in fields(kind)}
    values: dict[str, Any] = {
        name: cell.decode() if isinstance(cell, bytes) else cell.item() for name, cell in cells.items()
    }
    return kind(**values)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes `path` when the block ends well and vanishes when it does not."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _new_piece(
    path: Path, provenance: Provenance, videos: Columns, failures: Columns, merged_through: int = -1
) -> Iterator[tuple[h5py.Dataset, h5py.Dataset]]:
    """Create a piece with its tables, and give its empty row datasets to fill."""
    counts = videos["row_count"]
    videos = {**videos, "first_row": np.cumsum(counts) - counts}
    total = int(counts.sum())
    with replaced_file(path) as beside, h5py.File(beside, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["provenance"] = json.dumps(provenance.to_json())
        file.attrs["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        file.attrs["merged_through"] = merged_through
        for table, columns in (("videos", videos), ("failures", failures)):
            for name, column in columns.items():
                file[f"{table}/{name}"] = column
        rows = file.create_dataset("embeddings", (total, provenance.encoder.dimension), np.float16)
        yield rows, file.create_dataset("timestamps_s", (total,), np.float32)


def _columns_of(kind: type[Record], records: Sequence[Record]) -> Columns:
    columns: Columns = {}
    for field in fields(kind):
        values = [getattr(record, field.name) for record in records]
        if _DTYPES[field.type] == "S":
            # A NUL would end the field early for every reader of HDF5; no file name has one.
            values = [value.replace("\0", " ").encode("utf-8", "replace") for value in values]
        columns[field.name] = np.array(values, dtype=_DTYPES[field.type] if values else _empty_dtype(field.type))
    return columns


def _empty_dtype(kind: object) -> str:
    return "S1" if _DTYPES[kind] == "S" else _DTYPES[kind]


def _read_columns(file: h5py.File, table: str) -> Columns:
    record: type[VideoRecord] | type[Failure] = VideoRecord if table == "videos" else Failure
    expected = {field.name: _DTYPES[field.type] for field in fields(record)}
    if table == "videos":
        expected |= dict.fromkeys(("first_row", "row_count", "crc32"), "i8")
    columns = {name: _own_dataset(file, f"{table}/{name}")[:] for name in expected}
    for name, column in columns.items():
        if column.dtype.kind != expected[name][0] or column.shape != columns["id"].shape:
            raise ValueError(f"/{table}/{name} is {column.dtype} {column.shape}")
    return columns


def _own_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset that lies in this very file, not behind a link into another one."""
    link = file.get(name, getlink=True)
    dataset = file.get(name) if isinstance(link, h5py.HardLink) else None
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise ValueError(f"the dataset /{name} is missing")
    return dataset


def _copy_rows(old: h5py.Dataset, new: h5py.Dataset, first: int, start: int, count: int) -> None:
    step = max(1, _COPY_BYTES // max(1, old.dtype.itemsize * int(np.prod(old.shape[1:]))))
    for done in range(0, count, step):
        size = min(step, count - done)
        new[start + done : start + done + size] = old[first + done : first + done + size]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Turn what h5py raises over a damaged or foreign file into StoreDamaged."""
    try:
        yield
    except FileNotFoundError:
        raise
    except StoreError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise StoreDamaged(
            f"{path} is not a whole store of embeddings: {error}. Run inspect-embeddings {path} --verify, or embed "
            "the videos again into a new file."
        ) from error

"""The tables of a store: records, the columns in which they are stored, and the checksums over both.

A table is one array per column. Texts are fixed-length fields of UTF-8 bytes. A file name that is not UTF-8 keeps its
bytes, by Python's surrogateescape.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from embed.errors import FailureReason
from embed.store.records import ADDED_LATER, Failure, VideoRecord

_DTYPES: dict[object, str] = {int: "i8", float: "f8", str: "S", FailureReason: "S"}

# Made once: every record that is written asks for them.
_TABLES: dict[type[VideoRecord] | type[Failure], dict[str, str]] = {
    kind: {field.name: _DTYPES[field.type] for field in fields(kind)} for kind in (VideoRecord, Failure)
}

_END_BYTES = 250  # kept at both ends of a long text: it begins with its subject and ends with what to do

Columns = dict[str, NDArray[Any]]
"""A table as one array a column, all of one length; texts as bytes ("S")."""

Record = TypeVar("Record", VideoRecord, Failure)


def dtypes_of(kind: type[VideoRecord] | type[Failure]) -> dict[str, str]:
    """Return column -> NumPy type of the table of such records."""
    return _TABLES[kind]


def columns_of(kind: type[Record], records: Sequence[Record]) -> Columns:
    """Return records as a table, in the same order."""
    columns: Columns = {}
    for name, dtype in dtypes_of(kind).items():
        values = [getattr(record, name) for record in records]
        if dtype == "S":
            values = [encode_text(value) for value in values]
            dtype = dtype if any(values) else "S1"
        columns[name] = np.array(values, dtype=dtype)
    return columns


def record_at(kind: type[Record], columns: Columns, index: int) -> Record:
    """Return one entry of a table."""
    values: dict[str, Any] = {}
    for name in dtypes_of(kind):
        cell = columns[name][index]
        values[name] = decode_text(cell) if isinstance(cell, bytes) else cell.item()
    return kind(**values)


def encode_text(text: str) -> bytes:
    """Return the bytes of a text as they are stored."""
    # A NUL would end the field early for every reader of HDF5. No file name has one.
    return text.replace("\0", " ").encode("utf-8", "surrogateescape")


def shorten(text: str) -> str:
    """Cut the middle out of a text of more than 500 bytes, because a column is as wide as its longest entry.

    >>> shorten("猫" * 300) == "猫" * 83 + "…" + "猫" * 83
    True
    """
    stored = encode_text(text)
    if len(stored) <= 2 * _END_BYTES:
        return text
    ends = stored[:_END_BYTES], stored[-_END_BYTES:]
    return "…".join(end.decode("utf-8", "ignore") for end in ends)  # half a character at the cut is dropped


def decode_text(stored: bytes) -> str:
    """Return the text that was stored. It never fails, so that damage shows in a checksum and not as a crash."""
    return stored.decode("utf-8", "surrogateescape")


def has_inner_nul(texts: NDArray[np.bytes_]) -> bool:
    """Return True if a text has a NUL before its end; at its end it is the filling of the column.

    >>> has_inner_nul(np.array([b"a", b"bc"])), has_inner_nul(np.array([b"a", bytes([98, 0, 99])]))
    (False, True)
    """
    marks = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.dtype.itemsize)
    return bool(((marks[:, :-1] == 0) & (marks[:, 1:] != 0)).any())


def checksum_rows(stored_id: bytes, vectors: NDArray[Any], times_s: NDArray[np.float32]) -> int:
    """Return the CRC-32 over a video's id, its rows and their times, as stored: under a wrong name they fail.

    Args:
        stored_id: the id as bytes.
        vectors: (T, D) as stored.
        times_s: (T,) moments; or (T, 3) moment, first and last, where the store has spans.
    """
    crc = zlib.crc32(np.ascontiguousarray(vectors).view(np.uint8).data, zlib.crc32(stored_id))
    return zlib.crc32(np.ascontiguousarray(times_s).view(np.uint8).data, crc)


def checksum_record(videos: Columns, index: int) -> int:
    """Return the CRC-32 over a `VideoRecord`: its texts as UTF-8 and a NUL, its numbers as int64 or float64.

    A column of `ADDED_LATER` counts only where it has a value, so that records of older stores keep their checksums.
    """
    stored = bytearray()
    for name, dtype in dtypes_of(VideoRecord).items():
        cell = videos[name][index]
        if name in ADDED_LATER["videos"] and not cell:
            continue
        stored += bytes(cell) + b"\0" if dtype == "S" else cell.astype(f"<{dtype}").tobytes()
    return zlib.crc32(stored)


def checksum_column(column: NDArray[Any]) -> int:
    """Return the CRC-32 over a column's type and bytes."""
    return zlib.crc32(np.ascontiguousarray(column).view(np.uint8).data, zlib.crc32(column.dtype.str.encode()))


def latest_of(ids: Sequence[NDArray[np.bytes_]]) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Join the ids of tables, oldest table first, and keep the last entry of each id, sorted.

    Returns:
        The ids, and the position of each kept entry among all entries.
    """
    joined = np.concatenate(ids)
    if np.all(joined[1:] > joined[:-1]):  # one piece is sorted already; this takes a tenth of the time of sorting
        return joined, np.arange(len(joined))
    order = np.argsort(joined, kind="stable")
    ordered = joined[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    return ordered[is_last], order[is_last]


def find_ids(ids: NDArray[np.bytes_], wanted: Sequence[str]) -> NDArray[np.int64]:
    """Find names in sorted ids.

    Returns:
        (len(wanted),) positions, -1 for a name that does not exist.
    """
    if not len(ids) or not len(wanted):
        return np.full(len(wanted), -1, dtype=np.int64)
    keys = encode_text("\n".join(wanted)).split(b"\n")  # one by one, a million names take ten times as long
    if len(keys) != len(wanted):
        keys = [encode_text(name) for name in wanted]
    # A name longer than the field does not exist, and would make NumPy widen a copy of the whole table.
    is_short = np.fromiter(map(len, keys), np.int64, len(keys)) <= ids.dtype.itemsize
    fitting = np.array(keys, dtype=ids.dtype)
    if len(fitting) == len(ids) and np.all(is_short) and np.array_equal(fitting, ids):
        return np.arange(len(ids))  # the whole store in its own order, as when everything is read
    positions = np.minimum(np.searchsorted(ids, fitting), len(ids) - 1)
    return np.where(is_short & (ids[positions] == fitting), positions, -1).astype(np.int64)


def find_id(ids: NDArray[np.bytes_], wanted: str) -> int:
    """Return the position of one name in sorted ids, or -1, in a third of the time of `find_ids`."""
    key = encode_text(wanted)
    if not len(ids) or len(key) > ids.dtype.itemsize:
        return -1
    position = int(ids.searchsorted(np.bytes_(key)))
    return position if position < len(ids) and ids[position] == key else -1


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

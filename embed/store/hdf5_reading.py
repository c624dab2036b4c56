"""Read HDF5 files that may be damaged or hostile. No link out of a file is followed, and nothing outside it is read.

Stores are written in a format (superblock version 2) whose structures all have checksums, with one exception: the heap
of texts of variable length. A block of zeros in that heap makes the HDF5 library loop for ever. So stores have no such
texts, and none is read. Older formats have no checksums: they are read in another process.
"""

import errno
import math
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreDamaged, StoreError
from embed.machine import open_regular, remedy_for
from embed.store.quantisation import OFFSET, SCALE

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
SCALE_OF: dict[str, dict[str, float]] = {"float16": {}, "uint8": {"scale": SCALE, "offset": OFFSET}}
"""Type of rows -> attributes of /embeddings: a value is code * scale + offset."""
_LONGEST_TEXT_BYTES = 1 << 20
_UNDAMAGED = (errno.EACCES, errno.EMFILE, errno.ENFILE)
"""Errors that say nothing about what a file holds."""


def is_hdf5(path: Path) -> bool:
    """Return True if a file begins like an HDF5 file."""
    with open_regular(path) as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def is_checksummed(path: Path) -> bool:
    """Return True if the structures of an HDF5 file have checksums.

    Raises:
        ValueError: it is not an HDF5 file.

    Source: HDF5 file format specification, "Format Signature and Superblock". The signature is expected at the first
    byte only.
    """
    if not is_hdf5(path):
        raise ValueError("file signature not found")
    with open_regular(path) as file:
        return file.read(len(_SIGNATURE) + 1)[-1:] == b"\x02"


def read_attribute(owner: h5py.File | h5py.Dataset, name: str) -> str | int | None:
    """Read an attribute that is one integer or one text of fixed length; None if there is no such attribute.

    Raises:
        ValueError: it has another type.
    """
    if name not in owner.attrs:
        return None
    stored = owner.attrs.get_id(name)
    kind = stored.get_type()
    is_text = isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
    if not (is_text or isinstance(kind, h5py.h5t.TypeIntegerID)) or stored.shape != ():
        raise ValueError(f"the attribute {name} is neither a number nor a text of fixed length")
    if kind.get_size() > _LONGEST_TEXT_BYTES:
        raise ValueError(f"the attribute {name} claims {kind.get_size()} bytes")
    value = owner.attrs[name]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else int(value)


def check_row_type(rows: h5py.Dataset, expected: np.dtype[Any]) -> None:
    """Compare the type of rows, and what their codes stand for, with what a store says of them.

    Raises:
        ValueError: they differ, or what codes stand for is missing.
    """
    if rows.dtype != expected:
        raise ValueError(f"rows are {rows.dtype}, but its provenance says {expected}")
    for name, value in SCALE_OF[expected.name].items():
        stored = rows.attrs.get_id(name) if name in rows.attrs else None
        if stored is None or stored.dtype != np.float64 or stored.shape != () or rows.attrs[name] != value:
            raise ValueError(f"the attribute {name} of /embeddings, by which codes are read, is not {value}")


def own_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset whose bytes are all in this file, in one contiguous run.

    Raises:
        ValueError: there is none. Its claimed size is compared with the size of the file before anything is read,
            because a few bytes can claim an array that is larger than the memory.
    """
    dataset = _own_object(file, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise ValueError(f"the dataset /{name} is missing")
    offset = dataset.id.get_offset() if dataset.chunks is None else None
    if dataset.size and (offset is None or offset + dataset.nbytes > file.id.get_filesize()):
        raise ValueError(f"the dataset /{name} is not one contiguous run in the file")
    return dataset


def _own_object(file: h5py.File, name: str) -> Any:
    """Return the object at a path whose links all stay in the file; None if there is none."""
    found: Any = file
    for step in name.split("/"):
        is_here = isinstance(found, h5py.Group) and isinstance(found.get(step, getlink=True), h5py.HardLink)
        found = found.get(step) if is_here else None
    return found


def read_column(dataset: h5py.Dataset, dtype: str) -> NDArray[Any]:
    """Read a column of text ("S") or numbers ("i8", "f8").

    Raises:
        ValueError: it has another type or shape.
    """
    if dataset.dtype.kind != dtype[0] or dataset.ndim != 1 or (dtype != "S" and dataset.dtype.itemsize != 8):
        raise ValueError(f"{dataset.name} is {dataset.dtype} {dataset.shape}")
    column: NDArray[Any] = dataset[:]
    return column


@final
class RowReader:
    """Reads rows of one dataset without the HDF5 library, which takes several times as long for a few rows.

    Args:
        file: opened with the system's own calls; it must stay open as long as rows are read.
        dataset: a result of `own_dataset`, of a type that NumPy has.
    """

    def __init__(self, file: h5py.File, dataset: h5py.Dataset) -> None:
        self._file = file
        self._handle = file.id.get_vfd_handle()
        self._start = dataset.id.get_offset() or 0  # None if it is empty
        self._row_bytes = dataset.dtype.itemsize * math.prod(dataset.shape[1:])

    def read_into(self, target: NDArray[Any], first: int) -> None:
        """Fill `target`, contiguous and of the dataset's type, with the rows from row `first` on.

        Raises:
            OSError: the disk cannot read them.
            EOFError: the file ends before them.
            StoreError: it has been closed.
        """
        if not self._file:
            raise StoreError("The store is closed. Read inside its `with` block, or open it again.")
        missing, at = target.reshape(-1).view(np.uint8).data, self._start + first * self._row_bytes
        while len(missing):  # Linux reads at most 2 GB at a time
            count = os.preadv(self._handle, [missing], at)
            if not count:
                raise EOFError("it ends before its last row")
            missing, at = missing[count:], at + count


def open_spans(file: h5py.File, row_count: int) -> RowReader:
    """Return the reader of the spans of N rows.

    Raises:
        ValueError: the dataset is missing, or of another type or shape.
    """
    spans_s = own_dataset(file, "spans_s")
    if spans_s.shape != (row_count, 2) or spans_s.dtype != np.float32:
        raise ValueError(f"{spans_s.shape} {spans_s.dtype} spans for {row_count} rows")
    return RowReader(file, spans_s)


def fixed_text(text: str) -> np.bytes_:
    """Return a text as an attribute of fixed length."""
    return np.bytes_(text.encode("utf-8", "surrogateescape"))


@contextmanager
def damage_of(path: Path) -> Iterator[None]:
    """Turn h5py's errors about a damaged or foreign file into StoreDamaged, and refused access into StoreError."""
    try:
        yield
    except (FileNotFoundError, StoreError):
        raise
    except OSError as error:
        if error.errno not in _UNDAMAGED:
            raise _damaged(path, error) from error
        remedy = remedy_for(error, "Allow this user to read it, and the folders above it")
        raise StoreError(
            f"{path} cannot be opened: {os.strerror(error.errno)}. {remedy}, and run the same command again."
        ) from error
    except (LookupError, RuntimeError, TypeError, ValueError, AttributeError, EOFError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is not a store of embeddings, or a damaged one: {error}. Run inspect-embeddings "
        f"{shlex.quote(str(path))} --repair NEW to save the undamaged videos into a new store, or embed the videos "
        "again."
    )

"""Read HDF5 files that may be damaged or hostile: nothing is followed out of one, or read that does not lie in it.

Of the format that stores are written in, superblock version 2, every structure carries a checksum, with one exception:
the heap where texts of variable length lie. A block of zeros in there makes the HDF5 library loop for ever. So stores
have no such texts, and none is read. Older formats have no checksums: they are left to another process.
"""

import math
import os
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LONGEST_TEXT_BYTES = 1 << 20


def is_hdf5(path: Path) -> bool:
    """Say whether a file begins like an HDF5 file."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def is_checksummed(path: Path) -> bool:
    """Say whether an HDF5 file is of the format whose structures carry checksums.

    Raises:
        ValueError: it is no HDF5 file.

    Source: HDF5 file format specification, "Format Signature and Superblock"; a signature that comes later than at the
    first byte is not looked for.
    """
    if not is_hdf5(path):
        raise ValueError("file signature not found")
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE) + 1)[-1:] == b"\x02"


def read_attribute(owner: h5py.File | h5py.Dataset, name: str) -> str | int | None:
    """Read an attribute that is one integer or one text of fixed length; None where it is absent.

    Raises:
        ValueError: it is of another kind.
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


def own_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset whose bytes lie in this very file, all of them, one after another.

    Raises:
        ValueError: there is none. What it claims is compared with the file's size before anything is read, since a
            few bytes can claim an array that no memory holds.
    """
    dataset = _own_object(file, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise ValueError(f"the dataset /{name} is missing")
    offset = dataset.id.get_offset() if dataset.chunks is None else None
    if dataset.size and (offset is None or offset + dataset.nbytes > file.id.get_filesize()):
        raise ValueError(f"the dataset /{name} does not lie in the file in one run")
    return dataset


def _own_object(file: h5py.File, name: str) -> Any:
    """Return what a path leads to by links that stay in the file; None where there is nothing."""
    found: Any = file
    for step in name.split("/"):
        is_here = isinstance(found, h5py.Group) and isinstance(found.get(step, getlink=True), h5py.HardLink)
        found = found.get(step) if is_here else None
    return found


def read_column(dataset: h5py.Dataset, dtype: str) -> NDArray[Any]:
    """Read a column of text ("S") or numbers ("i8", "f8").

    Raises:
        ValueError: it is of another type or shape.
    """
    if dataset.dtype.kind != dtype[0] or dataset.ndim != 1 or (dtype != "S" and dataset.dtype.itemsize != 8):
        raise ValueError(f"{dataset.name} is {dataset.dtype} {dataset.shape}")
    column: NDArray[Any] = dataset[:]
    return column


@final
class RowReader:
    """Reads rows of one dataset past the HDF5 library, which takes several times as long over a few of them.

    Args:
        file: open as long as rows are read, by the system's own calls.
        dataset: of `own_dataset`, of a type that NumPy has.
    """

    def __init__(self, file: h5py.File, dataset: h5py.Dataset) -> None:
        self._file = file
        self._handle = file.id.get_vfd_handle()
        self._start = dataset.id.get_offset() or 0  # none where it is empty
        self._row_bytes = dataset.dtype.itemsize * math.prod(dataset.shape[1:])

    def read_into(self, target: NDArray[Any], first: int) -> None:
        """Fill `target`, contiguous and of the dataset's type, with the rows from row `first` on.

        Raises:
            OSError: the disk does not give them.
            EOFError: the file ends before them.
            StoreError: it has been closed.
        """
        if not self._file:
            raise StoreError("The store has been closed. Read within its `with` block, or open it again.")
        missing, at = target.reshape(-1).view(np.uint8).data, self._start + first * self._row_bytes
        while len(missing):  # Linux gives 2 GB at a time
            count = os.preadv(self._handle, [missing], at)
            if not count:
                raise EOFError("it ends before its last row")
            missing, at = missing[count:], at + count


def fixed_text(text: str) -> np.bytes_:
    """Return a text as an attribute of fixed length."""
    return np.bytes_(text.encode("utf-8", "surrogateescape"))

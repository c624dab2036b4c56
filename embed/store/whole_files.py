"""Files that appear whole or not at all, also where the disk is full."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from embed.errors import StoreError


@contextmanager
def replaced_hdf5(path: Path) -> Iterator[h5py.File]:
    """Give a new HDF5 file to fill, of HDF5's 1.8 format, which becomes `path` when the block ends well.

    Raises:
        StoreError: the disk does not take it. `path` is as it was.
    """
    with refusal_of(path), replaced_file(path) as beside, _Sink(beside, "w+") as sink:
        with h5py.File(sink, "w", libver=("v108", "v108")) as file:
            yield file
        sink.check()


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes `path` when the block ends well and vanishes when it does not.

    Where `path` is a link, what it leads to is replaced, since it was put where there is room.
    """
    path = path.resolve()
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def refusal_of(path: Path) -> Iterator[None]:
    """Turn what is raised where a disk is full, or may not be written, into StoreError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise StoreError(
            f"{path} cannot be written: {error}. What was stored before is whole: make room, or allow writing there, "
            "and run the same again to go on from it."
        ) from error


class _Sink(io.FileIO):
    """A file that swallows what the disk refuses, and remembers it.

    HDF5 2.0 crashes the process (SIGSEGV) when it cannot write out a file that it closes, so it is not told.
    """

    refused: OSError | None = None

    def write(self, data: Any) -> int:
        if not self.refused:
            try:
                self._write_all(memoryview(data))
            except OSError as error:
                self.refused = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.refused = error
            return size or 0

    def check(self) -> None:
        """Raise what the disk said, if it refused something."""
        if self.refused:
            raise self.refused

    def _write_all(self, data: memoryview) -> None:
        while len(data):  # a disk that fills up takes a part first, and refuses the rest the next time
            data = data[super().write(data) or 0 :]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that appear whole or not at all, also on a full disk."""

import glob
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from embed.errors import StoreError
from embed.machine import is_left_over, real_path, remedy_for


@contextmanager
def replaced_hdf5(path: Path) -> Iterator[h5py.File]:
    """Yield a new HDF5 file to fill, in HDF5's 1.8 format, which replaces `path` when the block ends without an error.

    Raises:
        StoreError: the disk cannot write it. `path` is unchanged.
    """
    with refusal_of(path), replaced_file(path) as beside, _Sink(beside, "w+") as sink:
        with h5py.File(sink, "w", libver=("v108", "v108")) as file:
            yield file
        sink.check()


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which replaces `path` when the block ends without an error, and is deleted otherwise.

    If `path` is a link, its target is replaced, because it may be a link to a disk with more space.
    """
    path = real_path(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def folder_beside(path: Path, holds: str = "new") -> Iterator[Path]:
    """Yield a new folder beside `path` for what is to be there, and delete it at the end; also those of killed runs.

    Args:
        path: the file or folder that is being made.
        holds: a word for what the folder is for; two folders for one `path` have different ones.

    Raises:
        StoreError: the disk cannot write it.
    """
    path = real_path(path)
    with refusal_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.{holds}-*"):
            if is_left_over(left.name):
                left.unlink() if left.is_symlink() or not left.is_dir() else shutil.rmtree(left)
        folder = path.with_name(f".{path.name}.{holds}-{os.getpid()}")
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def refusal_of(path: Path) -> Iterator[None]:
    """Turn the errors of a disk that is full, or cannot be written, into StoreError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or error
        remedy = remedy_for(error, "Free some disk space, or allow writing there")
        raise StoreError(
            f"{path} cannot be written: {said}. What was stored before is undamaged. {remedy}, and run the same "
            "command again to continue."
        ) from error


class _Sink(io.FileIO):
    """A file that hides write errors from HDF5 and remembers them.

    HDF5 2.0 crashes the process (SIGSEGV) if it cannot write a file while closing it.
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
        """Raise the error of the disk, if there was one."""
        if self.refused:
            raise self.refused

    def _write_all(self, data: memoryview) -> None:
        while len(data):  # a disk that fills up writes a part first, and raises an error for the rest
            data = data[super().write(data) or 0 :]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

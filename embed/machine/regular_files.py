"""Open a file to read, and nothing else: a pipe, a socket or a device would wait for ever, or never end."""

import errno
import os
import stat
from pathlib import Path
from typing import IO

_KINDS = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | Path) -> IO[bytes]:
    """Open a regular file to read its bytes, without waiting. Links to files are followed.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe, a socket or a device; `strerror` says which.
    """
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it. It changes nothing for a file.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "its name has a NUL in it", str(path)) from error
    try:
        _refuse_kind(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | Path) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: as for `open_regular`, or it cannot be read.
    """
    with open_regular(path) as file:
        return file.read()


def require_regular(path: str | Path) -> None:
    """Check that a path is a regular file, for libraries that open it themselves.

    Raises:
        OSError: it does not exist, or is a folder, a pipe, a socket or a device; `strerror` says which.
    """
    _refuse_kind(Path(path).stat(), path)


def _refuse_kind(status: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind:
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def real_path(path: str | Path) -> Path:
    """Return a path without links. A link that leads to itself stays: opening it says that it does.

    So does a path that names nothing here: one with a NUL, or with letters that this system's encoding lacks.
    """
    try:
        return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for such a link until Python 3.13
    except ValueError:
        return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps `..`)

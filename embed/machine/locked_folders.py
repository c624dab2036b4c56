"""Folders for temporary files, which the next run removes if their own run was killed.

Each run locks a folder of its own. No process holds the lock of a killed run any more, and so the next run that makes
such a folder beside it removes it, once it is a minute old.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from embed.errors import OutputError

_PREFIXES = ("framehead-fetch-", "framehead-predict-", "framehead-search-", "framehead-serve-")
_LOCK_NAME = "lock"
_OTHERS = 0o077  # what a folder of ours lets nobody else do
_LOCKING_TIME_S = 60.0  # a folder younger than this may belong to a run that is about to lock it


def make_locked_folder(parent: Path, purpose: str) -> tuple[Path, IO[str]]:
    """Make and lock a folder. The lock ends with this process, even when it is killed.

    Args:
        parent: the folder to make it in. What killed runs left in it is removed.
        purpose: "fetch", "predict", "search" or "serve", for the folder's name.

    Returns:
        The folder, and the lock, to be closed once the folder is removed.

    Raises:
        OSError: the folder cannot be made or locked.
    """
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f"framehead-{purpose}-"
    assert prefix in _PREFIXES
    for known in _PREFIXES:
        _remove_abandoned(parent, known)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    return folder, _lock_of(folder)


@contextmanager
def temporary_folder(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """Lend a locked folder, and remove it.

    Args:
        purpose: as for `make_locked_folder`.
        parent: the folder to make it in; None takes the system's folder for temporary files.

    Raises:
        OutputError: the folder cannot be made or locked.
    """
    parent = parent or Path(tempfile.gettempdir())
    try:
        folder, lock = make_locked_folder(parent, purpose)
    except OSError as error:
        raise OutputError(
            f"No temporary folder can be made in {parent}: {error.strerror}. Set TMPDIR to another folder."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the next run removes what is left
        lock.close()


def _lock_of(folder: Path) -> IO[str]:
    descriptor = os.open(folder / _LOCK_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    lock = os.fdopen(descriptor, "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # the file system has no locks
        lock.close()
        shutil.rmtree(folder)
        raise
    return lock


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of runs that were killed.

    Other users may write to a shared folder for temporary files, and plant there what looks like a folder of ours. So
    only folders that are ours alone are looked into, and nothing in them is opened through a link, or waited for.
    """
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # locked by a live run, owned by another user, or just removed by another run
            here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if _is_ours_alone(os.fstat(here)):
                    _remove_unlocked(folder, here)
            finally:
                os.close(here)


def _is_ours_alone(status: os.stat_result) -> bool:
    is_old = time.time() - status.st_mtime >= _LOCKING_TIME_S
    return is_old and status.st_uid == os.geteuid() and not status.st_mode & _OTHERS


def _remove_unlocked(folder: Path, here: int) -> None:
    """Remove a folder whose lock nobody holds; `here` is its descriptor. A run killed early left it without a lock."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    lock = os.open(_LOCK_NAME, flags, 0o600, dir_fd=here)
    try:
        if stat.S_ISREG(os.fstat(lock).st_mode):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
    finally:
        os.close(lock)

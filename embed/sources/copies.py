"""Where copies of remote videos are kept on this machine, and how much disk space they may take.

Each run keeps its copies in a folder of its own. A run that was killed leaves its folder behind. The next run removes
it, since no process holds its lock any more.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, final

from embed.errors import EmbedError, VideoError

_FOLDER_PREFIX = "framehead-fetch-"
_LOCK_NAME = "lock"
_OTHERS = 0o077  # what a folder of ours lets nobody else do
_LOCKING_TIME_S = 60.0  # a folder younger than this may belong to a run that is about to lock it


@final
class CopyFolder:
    """The folder of this run's copies, made when it is first needed.

    Args:
        parent: the folder to make it in; None uses the system's folder for temporary files.
    """

    def __init__(self, parent: str | None) -> None:
        self._parent = parent
        self._made: tuple[Path, IO[str]] | None = None
        self._is_removed = False
        self._lock = threading.Lock()

    def path(self) -> Path:
        """Return the folder.

        Raises:
            VideoError: the folder was removed because the run is ending.
            EmbedError: the folder cannot be made.
        """
        with self._lock:
            if self._is_removed:
                raise VideoError("fetch_error", "no video is fetched any more: the run was stopped")
            self._made = self._made or _make_locked(Path(self._parent or tempfile.gettempdir()))
            return self._made[0]

    def forget(self, pattern: str) -> None:
        """Remove the copies whose names match."""
        with self._lock:
            for copy in self._made[0].glob(pattern) if self._made else ():
                copy.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and all copies. It is not made again."""
        with self._lock:
            made, self._made, self._is_removed = self._made, None, True
        if made:
            shutil.rmtree(made[0], ignore_errors=True)  # a copy may appear meanwhile: the next run removes what is left
            made[1].close()


@final
class DiskBudget:
    """The bytes that copies may take, granted in the order in which decoding will need the copies.

    In this order no ticket waits for ever: all bytes granted before its turn belong to earlier tickets, whose copies
    are decoded first and then give their bytes back.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._queue: deque[int] = deque()
        self._is_closed = False
        self._changed = threading.Condition()

    def queue(self, ticket: int) -> None:
        """Put a ticket at the end of the queue."""
        with self._changed:
            self._queue.append(ticket)

    def take(self, ticket: int, size_bytes: int) -> int:
        """Wait for the ticket's turn and for space, and return `size_bytes`.

        A size that exceeds the limit by itself is granted when no other bytes are taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or (self._queue[0] == ticket and self._has_room(size_bytes)))
            self._queue.remove(ticket)
            self._taken_bytes += size_bytes
            self._changed.notify_all()
        return size_bytes

    def _has_room(self, size_bytes: int) -> bool:
        return self._taken_bytes == 0 or self._taken_bytes + size_bytes <= self._limit_bytes

    def correct(self, more_bytes: int) -> None:
        """Correct a size that was wrong by `more_bytes`, which may be negative. Never waits: the bytes are here."""
        with self._changed:
            self._taken_bytes += more_bytes
            self._changed.notify_all()

    def give_back(self, size_bytes: int) -> None:
        """Return bytes to the budget."""
        self.correct(-size_bytes)

    def leave(self, ticket: int) -> None:
        """Remove a ticket that will not be used from the queue, so that it does not block the others."""
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop all waiting: every `take` returns at once."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _make_locked(parent: Path) -> tuple[Path, IO[str]]:
    """Make and lock this run's folder. The lock ends with this process, even when it is killed."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=parent))
        return folder, _lock_of(folder)
    except OSError as error:
        raise EmbedError(
            f"Copies of remote videos cannot be kept in {parent}: {error.strerror}. Set TMPDIR to another folder."
        ) from error


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


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of runs that were killed.

    Other users may write to a shared folder for temporary files, and plant there what looks like a folder of ours. So
    only folders that are ours alone are looked into, and nothing in them is opened through a link, or waited for.
    """
    for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
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

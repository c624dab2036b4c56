"""Where copies of remote videos are kept on this machine, and how much disk space they may take.

Each run keeps its copies in a folder of its own, which the next run removes if this one is killed
(`embed.machine.locked_folders`).
"""

import shutil
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import IO, final

from embed.errors import EmbedError, VideoError
from embed.machine import make_locked_folder


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
            self._made = self._made or _make_folder(Path(self._parent or tempfile.gettempdir()))
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


def _make_folder(parent: Path) -> tuple[Path, IO[str]]:
    try:
        return make_locked_folder(parent, "fetch")
    except OSError as error:
        raise EmbedError(
            f"Copies of remote videos cannot be kept in {parent}: {error.strerror}. Set TMPDIR to another folder."
        ) from error

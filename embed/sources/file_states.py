"""What a local file is at one moment: its size, time and content hash, all read from one open file.

A file may be replaced, or still be written, while something else reads it. A `WatchedFile` tells.
"""

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, final

from embed.errors import VideoError
from embed.sources.sparse_copies import END_BYTES


@dataclass(frozen=True)
class FileState:
    """A file at one moment.

    Args:
        size_bytes: its size.
        modified_s: when it was last changed, in seconds since 1970.
        content_hash: `hash_content` of it.
        identity: device, inode, size, and the times in nanoseconds at which its content and its entry were last
            changed. `cp -p` sets the first time back, and nothing sets the second.
    """

    size_bytes: int
    modified_s: float
    content_hash: str
    identity: tuple[int, ...]


@final
class WatchedFile:
    """A local file that something else reads meanwhile.

    Args:
        path: a regular file.

    Attributes:
        before: its state when it was opened.

    Raises:
        OSError: it cannot be opened.
        VideoError: it is no regular file, or one that keeps its readers waiting (unreadable).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # A pipe without a writer would block `open` for ever.
        self._file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        try:
            if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                raise VideoError("unreadable", f"{path} is a folder, pipe or device, not a file")
            self.before = self._state()
        except BaseException:
            self._file.close()
            raise

    def has_changed(self) -> bool:
        """Return True if the file is not what it was, or if its name means another file now."""
        with suppress(OSError):
            return self._state() != self.before or _identity(Path(self._path).stat()) != self.before.identity
        return True

    def has_same_content(self) -> bool:
        """Return True if no more than the entry of the file has changed, as by chmod or a hard link for a backup."""
        with suppress(OSError):
            there, now = Path(self._path).stat(), self._state()
            is_same = _identity(there)[:-1] == now.identity[:-1] == self.before.identity[:-1]
            return is_same and now.content_hash == self.before.content_hash
        return False

    def _state(self) -> FileState:
        found = os.fstat(self._file.fileno())
        return FileState(found.st_size, found.st_mtime, _hash(self._path, self._file, found.st_size), _identity(found))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hash_content(path: str) -> str:
    """Return the sha256 of a file's size, first mebibyte and last mebibyte.

    This distinguishes files without reading gigabytes: a video that was encoded or cut again differs at both ends.
    """
    with Path(path).open("rb") as file:
        return _hash(path, file, os.fstat(file.fileno()).st_size)


def _hash(path: str, file: IO[bytes], size_bytes: int) -> str:
    digest = hashlib.sha256(str(size_bytes).encode())
    for start in (0, max(0, size_bytes - END_BYTES)):
        file.seek(start)
        content: bytes | None = file.read(END_BYTES)
        if content is None:  # a file of the system, such as /proc/kmsg
            raise VideoError("unreadable", f"{path} gives its bytes only as they come, so it is no file of a video")
        digest.update(content)
    return digest.hexdigest()


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

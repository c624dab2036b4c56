"""A file object for other libraries, whose bytes come from a function."""

import io
import os
from collections.abc import Callable
from typing import Any, final


@final
class RandomAccessFile(io.RawIOBase):
    """A read-only file whose content a function returns.

    Args:
        size_bytes: the file's length.
        read_span: (start, stop) -> the bytes from start up to stop, where 0 <= start < stop <= size_bytes.

    >>> file = RandomAccessFile(4, lambda start, stop: b"abcd"[start:stop])
    >>> file.seek(-3, os.SEEK_END), file.read(9)
    (1, b'bcd')
    """

    def __init__(self, size_bytes: int, read_span: Callable[[int, int], bytes]) -> None:
        self._size_bytes, self._read_span, self._at = size_bytes, read_span, 0

    def readable(self) -> bool:
        """Return True: this file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: this file can seek."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte and return its position."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size_bytes}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into a buffer and return how many were read; 0 at the end of the file."""
        stop = min(self._at + len(buffer), self._size_bytes)
        if stop <= self._at:
            return 0
        found = self._read_span(self._at, stop)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

"""A video on its way here: what is too slow or too large of it, and how people are told what went wrong."""

import errno
import shutil
import threading
import time
from pathlib import Path
from typing import final

from embed.errors import EmbedError, FailureReason
from embed.sources.sparse_copies import WrongLength

_LEAST_FREE_BYTES = 256 << 20
"""What a copy of unknown size leaves of its disk, once it has more than that itself."""

LEAST_BYTES_PER_S = 1024
"""A server that is slower than a modem is one that hangs."""

_PASSING_STATUSES = frozenset({408, 425, 429})  # timeout, too early, too many requests (RFC 9110, 8470, 6585)
_CREDENTIALS = "check the credentials in the environment; a signed link may have run out"


class _Stopped(Exception):
    """The run ends while a video is on its way."""


class _TooSlow(Exception):
    """A server sends, but so little that the video would not be here today."""


class _TooLarge(Exception):
    """A server sends without saying how much, and more than there is room for."""


@final
class Transfer:
    """Watches a transfer: it is told whenever bytes have come.

    Args:
        size_bytes: what the server says that it sends; None where it does not say.
        most_bytes: what it may send where it does not say.
        folder: where the bytes go.
        window_s: so long it may be slow.
        closing: set when the run ends.
    """

    def __init__(
        self, size_bytes: int | None, *, most_bytes: int, folder: Path, window_s: float, closing: threading.Event
    ) -> None:
        self._size_bytes, self._most_bytes, self._folder = size_bytes, most_bytes, folder
        self._window_s, self._closing = window_s, closing
        self._began, self._bytes_then = time.monotonic(), 0

    def check(self, received_bytes: int) -> None:
        """Take how many bytes have come since the transfer began.

        Raises:
            _Stopped: the run ends.
            _TooSlow: too little came since the window began.
            WrongLength: more came than was told.
            _TooLarge: nothing was told, and there is no room for more.
        """
        if self._closing.is_set():
            raise _Stopped
        self._check_size(received_bytes)
        seconds = time.monotonic() - self._began
        if seconds > self._window_s:
            if received_bytes - self._bytes_then < LEAST_BYTES_PER_S * seconds:
                raise _TooSlow(f"less than {LEAST_BYTES_PER_S} bytes a second came")
            self._began, self._bytes_then = time.monotonic(), received_bytes

    def _check_size(self, received_bytes: int) -> None:
        if self._size_bytes is not None:
            if received_bytes > self._size_bytes:
                raise WrongLength(f"more than the {self._size_bytes:,} bytes came that were told")
            return
        way_out = "It may be a live stream, which has no end; else copy it to this machine, and name the copy"
        if received_bytes > self._most_bytes:
            raise _TooLarge(f"its server tells no size, and more than {self._most_bytes:,} bytes came. {way_out}")
        if received_bytes > _LEAST_FREE_BYTES and shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
            raise _TooLarge(f"its server tells no size, and {received_bytes:,} bytes all but fill the disk. {way_out}")


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status behind an error: fsspec makes "file not found" of all that a web server refuses."""
    while error:
        status = getattr(error, "status", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None


def _root_of(error: BaseException) -> BaseException:
    while error.__cause__:
        error = error.__cause__
    return error


def problem_of(error: Exception) -> tuple[FailureReason, str, bool]:
    """Return the reason, what to tell people after the video's location, and whether trying again may help.

    An error's own text is told only where it is ours or the system's: others hold the address with its secrets.
    """
    root, status = _root_of(error), status_of(error)
    if isinstance(root, WrongLength | _TooSlow | _TooLarge | EmbedError):
        return "fetch_error", f"was not fetched: {root}", not isinstance(root, _TooLarge | EmbedError)
    if status in (404, 410) or (status is None and isinstance(root, FileNotFoundError)):
        return "not_found", "does not exist", False
    if status is not None and 400 <= status < 500 and status not in _PASSING_STATUSES:
        return "fetch_error", f"was refused (HTTP {status}): {_CREDENTIALS}", False
    if isinstance(root, PermissionError) or type(root).__name__ == "NoCredentialsError":  # botocore's
        return "fetch_error", f"was refused: {_CREDENTIALS}", False
    if isinstance(root, OSError) and root.errno in (errno.ENOSPC, errno.EDQUOT):
        return "fetch_error", "was not fetched: the disk is full. Choose another folder for copies by TMPDIR", False
    return "fetch_error", f"was not fetched: {_in_plain_words(root, status)}", True


def _in_plain_words(error: BaseException, status: int | None) -> str:
    if status:
        return f"HTTP {status}"
    if isinstance(error, TimeoutError):
        return "the server fell silent"
    if type(error).__name__ in ("ClientPayloadError", "ContentLengthError"):  # aiohttp's
        return "the connection ended before the file did"
    return getattr(error, "strerror", None) or type(error).__name__

"""Watches a video's transfer: stops one that is too slow or too large, and explains errors to users."""

import errno
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import final

from embed.errors import EmbedError, FailureReason
from embed.machine import counted
from embed.sources.sparse_copies import WrongLength

_LEAST_FREE_BYTES = 256 << 20
"""The free disk space that a copy of unknown size must leave, once the copy itself is larger than this."""

LEAST_BYTES_PER_S = 1024
"""A server that is slower than a modem counts as one that hangs."""

_PASSING_STATUSES = frozenset({408, 425, 429})  # timeout, too early, too many requests (RFC 9110, 8470, 6585)
_CREDENTIALS = "Check the credentials in the environment; a signed link may have expired"
# By name, since their libraries are loaded only where they are used: botocore's, and aiohttp's for addresses.
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})
_WRONG_ADDRESSES = frozenset(
    {"ParamValidationError", "InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError"}
    | {"TooManyRedirects", "ValueError"}  # a circle, and a port that no host has
) | {f"{kind}UrlRedirectClientError" for kind in ("Invalid", "NonHttp")}


class _Stopped(Exception):
    """The run ends during a transfer."""


class _TooSlow(Exception):
    """A server sends data, but too slowly for the transfer to end in reasonable time."""


class _TooLarge(Exception):
    """A server that states no size sends more than there is space for."""


@final
class Transfer:
    """Watches one transfer: call `check` whenever bytes have arrived.

    Args:
        size_bytes: the size that the server states; None if it states none.
        most_bytes: how much a server may send that states no size.
        folder: where the bytes are written.
        window_s: how long the transfer may be slow.
        closing: set when the run ends.
    """

    def __init__(
        self, size_bytes: int | None, *, most_bytes: int, folder: Path, window_s: float, closing: threading.Event
    ) -> None:
        self._size_bytes, self._most_bytes, self._folder = size_bytes, most_bytes, folder
        self._window_s, self._closing = window_s, closing
        self._began, self._bytes_then = time.monotonic(), 0

    def check(self, received_bytes: int) -> None:
        """Check a transfer that has received this many bytes since it began.

        Raises:
            _Stopped: the run ends.
            _TooSlow: too few bytes have arrived since the window began.
            WrongLength: more bytes have arrived than the server stated.
            _TooLarge: the server states no size, and there is no space for more.
        """
        if self._closing.is_set():
            raise _Stopped
        self._check_size(received_bytes)
        seconds = time.monotonic() - self._began
        if seconds > self._window_s:
            if received_bytes - self._bytes_then < LEAST_BYTES_PER_S * seconds:
                raise _TooSlow(f"its server sent less than {LEAST_BYTES_PER_S:,} bytes a second")
            self._began, self._bytes_then = time.monotonic(), received_bytes

    def _check_size(self, received_bytes: int) -> None:
        if self._size_bytes is not None:
            if received_bytes > self._size_bytes:
                raise WrongLength(f"its server stated {counted(self._size_bytes, 'byte')} and sent more")
            return
        way_out = "It may be a live stream, which has no end; if not, copy it to this machine and embed the copy"
        if received_bytes > self._most_bytes:
            raise _TooLarge(f"its server states no size and sent more than {self._most_bytes:,} bytes. {way_out}")
        if received_bytes > _LEAST_FREE_BYTES and shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
            raise _TooLarge(f"its server states no size, and {received_bytes:,} bytes nearly fill the disk. {way_out}")


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error: fsspec reports every refusal of a web server as "file not found"."""
    statuses = (getattr(each, "status", None) for each in _chain(error))
    return next((status for status in statuses if isinstance(status, int)), None)


def is_refusal(status: int | None) -> bool:
    """Return True for an HTTP status that stays the same however often a server is asked."""
    return status is not None and 400 <= status < 500 and status not in _PASSING_STATUSES


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes; the last is the root."""
    while error:
        yield error
        error = error.__cause__


def problem_of(error: Exception) -> tuple[FailureReason, str, bool]:
    """Return the reason, the text that follows the video's location in a message, and whether a retry may help.

    An error's own text is shown only if it is ours or the system's: other libraries' texts may contain the address with
    its secrets.
    """
    *_, root = _chain(error)
    status = status_of(error)
    if isinstance(root, _TooLarge | EmbedError):
        return "refused", f"was not fetched: {root}", False
    if isinstance(root, WrongLength | _TooSlow):
        return "fetch_error", f"was not fetched: {root}", True
    if status in (404, 410) or (status is None and isinstance(root, FileNotFoundError)):
        return "not_found", "does not exist. Check the address", False
    if is_refusal(status):
        return "refused", f"was refused (HTTP {status}). {_CREDENTIALS}", False
    names = {type(each).__name__ for each in _chain(error)}
    if isinstance(root, PermissionError) or names & _NO_CREDENTIALS:
        return "refused", f"was refused. {_CREDENTIALS}", False
    if names & _WRONG_ADDRESSES:
        return (
            "refused",
            "was not fetched: its address, or one that it leads to, is not valid. Correct the address",
            False,
        )
    if isinstance(root, OSError) and root.errno in (errno.ENOSPC, errno.EDQUOT):
        return "fetch_error", "was not fetched: the disk is full. Set TMPDIR to a folder on another disk", False
    return "fetch_error", f"was not fetched: {_in_plain_words(root, status)}", True


def _in_plain_words(error: BaseException, status: int | None) -> str:
    if status:
        return f"HTTP {status}"
    if isinstance(error, TimeoutError):
        return "its server stopped responding"
    if type(error).__name__ in ("ClientPayloadError", "ContentLengthError"):  # aiohttp's
        return "the connection ended before the whole file was here"
    return getattr(error, "strerror", None) or type(error).__name__

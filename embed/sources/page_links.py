"""Web pages that show a video -> the video as a file, through yt-dlp (extra `download`).

The smallest version of at least 480 lines is taken, since no encoder looks at more than 480 pixels. One without sound
is welcome: then nothing has to be joined.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from embed.errors import VideoError
from embed.sources.locations import is_web, suffix_of, without_secrets

_PAGE_TYPES = frozenset(
    {
        "application/dash+xml",
        "application/vnd.apple.mpegurl",
        "application/x-mpegurl",
        "application/xhtml+xml",
        "text/html",
    }
)
"""Content types of pages, and of the lists of pieces that a stream is cut into."""

_FORMAT = {"format": "bv*/b", "format_sort": ["+res:480"]}


def is_page(address: str, content_type: str | None) -> bool:
    """Tell whether what an address gives is a page and not a video."""
    return is_web(address) and ((content_type or "").lower() in _PAGE_TYPES or suffix_of(address) in (".m3u8", ".mpd"))


def fetch_from_page(address: str, target: Path, *, stall_s: float, on_bytes: Callable[[int], None]) -> Path:
    """Fetch the video that a page shows.

    Args:
        address: of the page.
        target: the file to write, without its ending.
        stall_s: how long a server may stay silent.
        on_bytes: called now and then with the bytes that have come; what it raises ends the transfer.

    Returns:
        The file: target with the ending of its format.

    Raises:
        VideoError: not_found or fetch_error.
    """
    try:
        import yt_dlp
    except ImportError as error:
        raise VideoError(
            "fetch_error",
            f"{without_secrets(address)} is a web page. To fetch videos from pages: pip install 'framehead[download]'",
        ) from error
    options = {
        **_FORMAT,
        "outtmpl": {"default": str(target).replace("%", "%%") + ".%(ext)s"},
        "socket_timeout": stall_s,
        "retries": 3,
        "noplaylist": True,
        "playlist_items": "1",
        "cachedir": False,
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "logger": _Silence(),
        "progress_hooks": [lambda told: on_bytes(told.get("downloaded_bytes") or 0)],
        "match_filter": partial(_refuse_live, address),
    }
    try:
        with yt_dlp.YoutubeDL(options) as downloader:
            found = downloader.extract_info(address)
    except yt_dlp.utils.YoutubeDLError as error:
        raise _as_video_error(address, error) from None  # its text and its cause hold the address with its secrets
    return _file_of(found, address)


def _refuse_live(address: str, found: dict[str, Any], *, incomplete: object) -> None:  # noqa: ARG001 (yt-dlp names it)
    """Be yt-dlp's filter of what it may fetch.

    Raises:
        VideoError: it is going on at this moment.
    """
    if found.get("is_live") or found.get("live_status") == "is_live":
        raise VideoError(
            "fetch_error",
            f"{without_secrets(address)} is live, and has no end. Embed it when it is over: --retry-failed",
        )


def _file_of(found: dict[str, Any], address: str) -> Path:
    first = (found.get("entries") or [found])[0]
    files = first.get("requested_downloads")
    if not files:
        raise VideoError("not_found", f"{without_secrets(address)} is a web page without a video")
    return Path(files[0]["filepath"])


def _as_video_error(address: str, error: Exception) -> VideoError:
    shown = without_secrets(address)
    cause = (getattr(error, "exc_info", None) or (None, error))[1]
    status = getattr(getattr(cause, "cause", None), "status", None) or getattr(cause, "status", None)
    if status in (404, 410):
        return VideoError("not_found", f"{shown} is gone (HTTP {status})")
    text = str(error).replace(address, shown).removeprefix("ERROR: ").split("; please report")[0]
    return VideoError("fetch_error", f"{shown} gives no video: {without_secrets_in(text)}")


def without_secrets_in(text: str) -> str:
    """Clean every address in a text of others.

    >>> without_secrets_in("see https://me:pass@host/a?token=1 for it")
    'see https://host/a for it'
    """
    return " ".join(without_secrets(word) for word in text.split())


class _Silence:
    """Where yt-dlp's messages go: what matters of them is in its exceptions."""

    def debug(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        pass

    def error(self, message: str) -> None:
        pass

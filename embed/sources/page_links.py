"""Web pages that show a video -> the video as a file, through yt-dlp (extra `download`).

The smallest version with at least 480 lines is fetched, since no encoder looks at more than 480 pixels. It may be a
version without sound: then no streams have to be joined.
"""

import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from embed.errors import FailureReason, VideoError
from embed.sources.kept_addresses import plain_words, without_secrets
from embed.sources.locations import is_web, suffix_of, with_small_scheme
from embed.sources.public_hosts import public_connections
from embed.sources.transfers import is_refusal

_PAGE_TYPES = frozenset(
    {
        "application/dash+xml",
        "application/vnd.apple.mpegurl",
        "application/x-mpegurl",
        "application/xhtml+xml",
        "text/html",
    }
)
"""Content types of web pages, and of playlists that list a stream's segments (HLS, DASH)."""

# Only connections of this process can be checked: no proxy, and no other program that fetches.
_OWN_CONNECTIONS = {"proxy": "", "hls_prefer_native": True, "ffmpeg_location": "/nonexistent"}
_FORMAT = {"format": "bv*/b", "format_sort": ["+res:480"]}


def is_page(address: str, content_type: str | None) -> bool:
    """Return True if an address leads to a web page or a playlist rather than to a video file."""
    return is_web(address) and ((content_type or "").lower() in _PAGE_TYPES or suffix_of(address) in (".m3u8", ".mpd"))


def fetch_from_page(
    address: str, target: Path, *, stall_s: float, on_bytes: Callable[[int], None], public_only: bool = False
) -> Path:
    """Fetch the video that a page shows.

    Args:
        address: of the page.
        target: the file to write, without its suffix.
        stall_s: how long a server may send nothing.
        on_bytes: called now and then with the number of bytes received so far; an error that it raises ends the
            transfer.
        public_only: True lets no connection lead to a host that is not public.

    Returns:
        The path of the file: `target` with the suffix of its format.

    Raises:
        VideoError: the page has no video or is gone (not_found), cannot be read here (refused), or the video cannot be
            fetched (fetch_error).
    """
    try:
        import yt_dlp
    except ImportError as error:
        raise VideoError(
            "refused",
            f"{without_secrets(address)} is a web page, and the package that fetches videos from pages is not "
            "installed. Install it: pip install '.[download]' in framehead's folder",
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
        **(_OWN_CONNECTIONS if public_only else {}),
    }
    try:
        with (
            public_connections() if public_only else nullcontext(),
            yt_dlp.YoutubeDL(options) as downloader,
        ):
            found = downloader.extract_info(with_small_scheme(address))
    except yt_dlp.utils.YoutubeDLError as error:
        raise _as_video_error(address, error) from None  # its text and cause contain the address with its secrets
    return _file_of(found, address)


def _refuse_live(address: str, found: dict[str, Any], *, incomplete: object) -> None:  # noqa: ARG001 (yt-dlp names it)
    """Refuse live streams; yt-dlp calls this before it fetches a video.

    Raises:
        VideoError: the video is live.
    """
    if found.get("is_live") or found.get("live_status") == "is_live":
        raise VideoError(
            "fetch_error",
            f"{without_secrets(address)} is a live stream, which has no end. Embed it after its end: --retry-failed",
        )


def _file_of(found: dict[str, Any], address: str) -> Path:
    first = (found.get("entries") or [found])[0]
    files = first.get("requested_downloads")
    if not files:
        raise VideoError(
            "not_found", f"{without_secrets(address)} is a web page without a video. Use the video's own address"
        )
    return Path(files[0]["filepath"])


def _as_video_error(address: str, error: Exception) -> VideoError:
    shown = without_secrets(address)
    cause = (getattr(error, "exc_info", None) or (None, error))[1]
    status = getattr(getattr(cause, "cause", None), "status", None) or getattr(cause, "status", None)
    if status in (404, 410):
        return VideoError("not_found", f"{shown} does not exist any more (HTTP {status}). Check the address")
    reason: FailureReason = "fetch_error"
    if type(cause).__name__ == "UnsupportedError":  # no extractor, and no video in the page
        reason = "not_found"
    elif is_refusal(status):
        reason = "refused"
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ").split("; please report")[0]
    return VideoError(reason, f"{shown} gives no video: {plain_words(text, address)}")


class _Silence:
    """Discards yt-dlp's messages: its exceptions contain what matters."""

    def debug(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        pass

    def error(self, message: str) -> None:
        pass

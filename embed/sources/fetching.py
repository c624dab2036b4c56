"""Remote videos -> local files: fetched ahead of decoding within a limit of disk space, and removed after use.

with Fetcher(FetchConfig()) as fetcher:
    for video in fetcher.ahead(find_videos(["s3://bucket/videos/"])):
        with fetcher.local_file(video) as path:
            ...
"""

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar, final

from embed.errors import VideoError
from embed.machine import VIDEO_SUFFIXES, counted
from embed.sources.copies import CopyFolder, DiskBudget
from embed.sources.locations import is_remote, is_web, open_filesystem, path_on, suffix_of
from embed.sources.page_links import fetch_from_page, is_page
from embed.sources.sparse_copies import END_BYTES, Span, SparseCopy, WrongLength, read_spans, serves_ranges
from embed.sources.transfers import LEAST_BYTES_PER_S, Transfer, problem_of, status_of
from embed.sources.videos import Video

_INDEXED_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ""})

Result = TypeVar("Result")


@dataclass(frozen=True)
class FetchConfig:
    """How remote videos are fetched.

    Args:
        folder: where copies are kept while they are needed; None uses the system's folder for temporary files.
        ahead_files: the number of videos that are fetched, or being fetched, before decoding needs them.
        ahead_bytes: the disk space of all copies together, including those in use. A larger video is fetched alone. A
            video whose server does not state a size counts as an equal share until it is here; it may be as large as
            this whole limit.
        attempts: how often one video is tried.
        backoff_s: the pause after the first attempt; each later pause is twice as long.
        stall_s: how long a server may send nothing.
        patience_s: when the silences and pauses of one video's attempts add up to this, no further attempt is made.
        sparse_bytes: if an indexed video is at least this large and its server allows it, only the needed bytes are
            fetched.
        public_only: True fetches from hosts of the public internet only, redirections included.
    """

    folder: str | None = None
    ahead_files: int = 8
    ahead_bytes: int = 4 << 30
    attempts: int = 4
    backoff_s: float = 1.0
    stall_s: float = 30.0
    patience_s: float = 300.0
    sparse_bytes: int = 64 << 20
    public_only: bool = False

    @classmethod
    def patient_for(cls, seconds: float, *, public_only: bool = False) -> Self:
        """Return the defaults, shortened where they would wait longer than this for a server that sends nothing."""
        return cls(stall_s=min(cls.stall_s, seconds), patience_s=seconds, public_only=public_only)

    def __post_init__(self) -> None:
        if min(self.ahead_files, self.ahead_bytes, self.attempts) < 1:
            raise ValueError(f"ahead_files, ahead_bytes and attempts must be at least 1, got {self}")
        if self.backoff_s < 0 or self.stall_s <= 0:
            raise ValueError(f"backoff_s must be at least 0 and stall_s above 0, got {self}")


@final
class Fetcher:
    """Makes local copies of remote videos. Any thread may use or close it; closing stops the transfers under way."""

    def __init__(self, config: FetchConfig | None = None) -> None:
        self._config = config or FetchConfig()
        self._budget = DiskBudget(self._config.ahead_bytes)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._fetched: dict[str, Future[_Copy]] = {}
        self._filesystems: dict[str, Any] = {}
        self._folder = CopyFolder(self._config.folder)
        self._closing = threading.Event()

    def ahead(self, videos: Iterable[Video]) -> Iterator[Video]:
        """Yield the videos in their order, and fetch those that come next. Open each one with `local_file`."""
        remaining = iter(videos)
        begun: deque[Video] = deque()
        while not self._closing.is_set():
            for video in islice(remaining, self._config.ahead_files + 1 - len(begun)):
                self._begin(video)
                begun.append(video)
            if not begun:
                return
            yield begun.popleft()

    @contextmanager
    def local_file(self, video: Video) -> Iterator[str | SparseCopy]:
        """Yield the path of a video's file, or its partial copy. A copy is removed afterwards.

        Raises:
            VideoError: the video does not exist (not_found), cannot be fetched (fetch_error), or cannot be fetched
                however often it is tried (refused).
            EmbedError: copies cannot be kept on this machine.
        """
        if not is_remote(video.address):
            yield video.location
            return
        with self._lock:
            future = self._fetched.pop(video.id, None)
        copy = (future or self._start(video)).result()
        try:
            yield copy.sparse or str(copy.path)
        finally:
            copy.path.unlink(missing_ok=True)
            self._budget.give_back(copy.size_bytes)

    def _begin(self, video: Video) -> None:
        if is_remote(video.address):
            future = self._start(video)
            with self._lock:
                self._fetched[video.id] = future

    def _start(self, video: Video) -> "Future[_Copy]":
        """Fetch a video on a thread of its own. The thread does not delay the end of the program."""
        future: Future[_Copy] = Future()
        ticket = next(self._numbers)
        self._budget.queue(ticket)

        def run() -> None:
            try:
                future.set_result(self._fetch(video, ticket))
            except BaseException as error:
                self._budget.leave(ticket)
                future.set_exception(error)

        threading.Thread(target=run, name=f"fetch-{ticket}", daemon=True).start()
        return future

    def _fetch(self, video: Video, ticket: int) -> "_Copy":
        offer = self._retry(video, lambda: self._ask(video))
        share = self._config.ahead_bytes // self._config.ahead_files
        reserved = self._budget.take(ticket, share if offer.size_bytes is None else offer.size_bytes)
        try:
            path = self._folder.path() / _name_of_copy(ticket, video)
            sparse = self._retry(video, lambda: self._sparse_copy(video, offer, path))
            copy = sparse or self._retry(video, lambda: self._copy(video, offer, path))
        except BaseException:
            self._folder.forget(f"{ticket}-*")
            self._budget.give_back(reserved)
            raise
        self._budget.correct(copy.size_bytes - reserved)
        return copy

    def _ask(self, video: Video) -> "_Offer":
        """Ask the server how large a video is, and whether its address leads to a web page instead."""
        filesystem, path = self._filesystem(video)
        try:
            info = filesystem.info(path)
        except Exception as error:
            # Some sites answer this request only for browsers; yt-dlp knows how to ask them.
            is_refusal = is_web(video.address) and status_of(error) in (403, 405, 406)
            if suffix_of(video.address) in VIDEO_SUFFIXES or not is_refusal:
                raise
            return _Offer(None, is_page=True)
        if is_page(video.address, info.get("mimetype")):
            return _Offer(None, is_page=True)  # the page's size says nothing about the video's
        has_ranges = filesystem.async_impl and info.get("partial", True)
        return _Offer(info.get("size"), is_page=False, has_ranges=has_ranges)

    def _sparse_copy(self, video: Video, offer: "_Offer", path: Path) -> "_Copy | None":
        """Fetch only the two ends of a large video, and other bytes on request; None if the whole file is needed."""
        size_bytes, suffix = offer.size_bytes or 0, suffix_of(video.location)
        if offer.is_page or not offer.has_ranges or size_bytes < self._config.sparse_bytes:
            return None
        filesystem, far_path = self._filesystem(video)
        is_web_server = is_web(video.address)
        if suffix not in _INDEXED_SUFFIXES or (
            is_web_server and not self._retry(video, lambda: serves_ranges(filesystem, far_path, size_bytes))
        ):
            return None

        def read(spans: list[Span]) -> list[bytes]:
            timeout_s = self._config.stall_s + sum(stop - start for start, stop in spans) / LEAST_BYTES_PER_S
            return self._retry(video, lambda: read_spans(filesystem, far_path, spans, timeout_s=timeout_s))

        def copy() -> object:
            return self._retry(video, lambda: self._copy(video, offer, path))

        sparse = SparseCopy(path, size_bytes, read=read, copy=copy)
        sparse.bring([(0, min(END_BYTES, size_bytes)), (max(0, size_bytes - END_BYTES), size_bytes)])
        return _Copy(path, size_bytes, sparse)

    def _copy(self, video: Video, offer: "_Offer", path: Path) -> "_Copy":
        transfer = Transfer(
            offer.size_bytes,
            most_bytes=self._config.ahead_bytes,
            folder=path.parent,
            window_s=self._config.stall_s,
            closing=self._closing,
        )
        if offer.is_page:
            path = fetch_from_page(
                video.address,
                path,
                stall_s=self._config.stall_s,
                on_bytes=transfer.check,
                public_only=self._config.public_only,
            )
            return _Copy(path, path.stat().st_size)
        from fsspec.callbacks import Callback

        filesystem, far_path = self._filesystem(video)
        watching = Callback(hooks={"transfer": lambda _, received_bytes, **__: transfer.check(received_bytes)})
        filesystem.get_file(far_path, str(path), callback=watching)
        size_bytes = path.stat().st_size
        if offer.size_bytes not in (None, size_bytes):
            raise WrongLength(f"its server sent {counted(size_bytes, 'byte')} of {offer.size_bytes:,}")
        return _Copy(path, size_bytes)

    def _filesystem(self, video: Video) -> tuple[Any, str]:
        """Return a filesystem and the video's path on it.

        One filesystem serves the whole web, or one bucket, because it keeps connections open. If a protocol has a
        single connection (FTP), which threads cannot share, each call opens its own filesystem.
        """
        web_or_bucket = "/".join(video.address.split("/")[: 1 if is_web(video.address) else 3])
        with self._lock:
            filesystem = self._filesystems.get(web_or_bucket)
            if filesystem is None:
                filesystem = open_filesystem(
                    video.address, stall_s=self._config.stall_s, public_only=self._config.public_only
                )
            if filesystem.async_impl:
                self._filesystems[web_or_bucket] = filesystem
        return filesystem, path_on(filesystem, video.address)

    def _retry(self, video: Video, attempt: Callable[[], Result]) -> Result:
        """Try with growing pauses; after the last attempt, raise an error that states the problem, without secrets."""
        waited_s = 0.0
        for number in range(1, self._config.attempts + 1):
            if self._closing.is_set():
                break
            began = time.monotonic()
            try:
                return attempt()
            except VideoError:
                raise
            except Exception as error:  # each storage library has its own exceptions
                reason, text, is_passing = problem_of(error)
            pause_s = self._config.backoff_s * 2 ** (number - 1)
            waited_s += min(time.monotonic() - began, self._config.stall_s) + pause_s
            if number == self._config.attempts or not is_passing or waited_s >= self._config.patience_s:
                tries = f" ({number} attempts)" if number > 1 else ""
                advice = ". Try it again later with --retry-failed" if is_passing else ""
                raise VideoError(reason, f"{video.location} {text}{tries}{advice}")
            self._closing.wait(pause_s)
        raise VideoError("fetch_error", f"{video.location} was not fetched: the run was stopped")

    def close(self) -> None:
        """Stop fetching and remove every copy. Any thread may call this."""
        self._closing.set()
        self._budget.close()
        self._folder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _name_of_copy(ticket: int, video: Video) -> str:
    """Return a name that shows which video it is, cut to fit a file system's 255 bytes with yt-dlp's endings added."""
    stem, suffix = os.fsencode(PurePosixPath(video.id).stem)[:80], os.fsencode(suffix_of(video.location))[:16]
    return f"{ticket}-{stem.decode(errors='ignore')}{suffix.decode(errors='ignore')}"


@dataclass(frozen=True)
class _Offer:
    """What a server states about a video before it is fetched; `size_bytes` is None if it states no size."""

    size_bytes: int | None
    is_page: bool
    has_ranges: bool = False


@dataclass(frozen=True)
class _Copy:
    """A video's file on this machine."""

    path: Path
    size_bytes: int
    sparse: SparseCopy | None = None

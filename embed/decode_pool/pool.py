"""Decode videos ahead of the encoder, several at a time. No video can hang, crash or starve the run.

Each worker process has a thread here that fetches a video, has it decoded, and puts the result in a queue. If a worker
dies or must be killed while it decodes a video, that video is tried once more after all others, alone on the machine.
So is a file that changes while it is decoded: it may still be copied. If a worker dies while it starts, another one is
started, after pauses that grow. The run ends only when none has lived for a minute.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Self, final

from embed.decode_pool.answers import DecodedVideo, DecodePlan
from embed.decode_pool.process import DecodeLimits, DecodeProcess, NotStarted
from embed.errors import EmbedError, VideoError
from embed.machine import core_count, counted
from embed.sources import SparseCopy, Video
from embed.store import Failure

__all__ = [
    "DecodeLimits",
    "DecodePlan",
    "DecodePool",
    "DecodedVideo",
    "Fetch",
    "decode_videos",
    "default_worker_count",
    "local_file",
]

_MOST_WORKERS = 16
_PATIENCE_S = 60.0  # without a living worker, before a run ends
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before another worker is started
_MOST_WAITING_BYTES = 128 << 20
"""Most bytes of decoded frames that may wait when another video is begun, for example while an encoder loads."""
_LEAST_VIDEO_BYTES = 1 << 20
"""A waiting video counts as at least this many bytes: before Python 3.13 its mapping holds a file descriptor, and a
process may have 1,024 of them."""

Fetch = Callable[[Video], AbstractContextManager[str | SparseCopy]]
"""Fetches a video to this machine: gives the path of a local file, or a copy with holes. A copy is removed
afterwards."""


def local_file(video: Video) -> AbstractContextManager[str]:
    """Return the path of a video that is a local file already."""
    return nullcontext(video.location)


def default_worker_count() -> int:
    """Return the number of cores, at most 16."""
    return min(_MOST_WORKERS, core_count())


def decode_videos(
    videos: Iterable[Video],
    plan: DecodePlan,
    *,
    workers: int | None = None,
    limits: DecodeLimits | None = None,
    fetch: Fetch = local_file,
) -> Iterator[DecodedVideo | Failure]:
    """Decode videos in the background and yield them as they are ready, in no fixed order.

    Frames that wait to be taken use at most 128 MiB of memory, plus the frames of one video per worker.

    Args:
        videos: taken as they are needed.
        plan: how each is decoded. Its sampling is sent to other processes, so it must be importable there.
        workers: videos decoded at once; None is one per core, at most 16.
        limits: what one video may take; None uses the defaults.
        fetch: how a video becomes a local file.

    Raises:
        EmbedError: no decoding process can be started.
    """
    with DecodePool(plan, workers=workers, limits=limits, fetch=fetch) as pool:
        yield from pool.decode(videos)


@final
class DecodePool:
    """`decode_videos` that another thread can stop. It has the same arguments."""

    def __init__(
        self,
        plan: DecodePlan,
        *,
        workers: int | None = None,
        limits: DecodeLimits | None = None,
        fetch: Fetch = local_file,
    ) -> None:
        self._plan, self._limits, self._fetch = plan, limits or DecodeLimits(), fetch
        self._workers = workers or default_worker_count()
        self._lock = threading.Lock()
        self._processes: set[DecodeProcess] = set()
        self._current: _Pass | None = None
        self._last_alive_s = time.monotonic()
        self._closing = threading.Event()

    def decode(self, videos: Iterable[Video]) -> Iterator[DecodedVideo | Failure]:
        """Begin to decode. The returned iterator yields every video, decoded or failed, until the pool is closed."""
        suspects: list[Video] = []
        return self._results(self._begin(videos, self._workers, suspects), suspects)

    def _results(self, work: "_Pass", suspects: list[Video]) -> Iterator[DecodedVideo | Failure]:
        yield from work.each()
        for result in self._begin(suspects, 1, None).each():
            if isinstance(result, DecodedVideo) and self._plan.decode_device != "cpu":
                result = replace(result, cpu_reason="its process ended, or its file changed, while the GPU decoded it")
            yield result

    def _begin(self, videos: Iterable[Video], workers: int, suspects: list[Video] | None) -> "_Pass":
        """Decode with some workers. Videos that kill one are added to `suspects`; if that is None, they have failed."""
        work = _Pass(iter(videos), workers=workers, suspects=suspects)
        # Several videos at once keep the cores busier than several threads on one video, and need no synchronisation.
        plan = replace(self._plan, thread_count=max(1, core_count() // workers))
        if suspects is None:  # the driver of a GPU may have hung or crashed
            plan = replace(plan, decode_device="cpu")
        with self._lock:
            self._current = work
            if self._closing.is_set():
                work.stop()
        for number in range(workers):
            threading.Thread(target=self._work, args=[work, plan], name=f"decode-{number}", daemon=True).start()
        return work

    def _work(self, work: "_Pass", plan: DecodePlan) -> None:
        """Decode one video after another in one worker process, which is replaced when it dies."""
        process: DecodeProcess | None = None
        try:
            while (video := work.take()) is not None:
                process = process or self._start(plan)
                if process is None:
                    break
                if not self._decode_on(process, video, work):
                    self._end(process)
                    process = None
        except BaseException as error:  # the consumer's thread raises it
            if not self._closing.is_set():
                work.give(error)
        finally:
            if process:
                self._end(process)
            work.give(None)

    def _decode_on(self, process: DecodeProcess, video: Video, work: "_Pass") -> bool:
        """Decode one video; return True if the process can be used again."""
        with ExitStack() as stack:
            started = time.monotonic()
            try:
                file = stack.enter_context(self._fetch(video))
            except VideoError as error:
                work.give(Failure(video.id, video.location, error.reason, error.detail))
                return True
            fetch_s = time.monotonic() - started
            path = file if isinstance(file, str) else str(file.path)
            try:
                result = process.decode(video, file)
            except VideoError as error:
                if not self._closing.is_set():
                    work.lose(
                        video, Failure(video.id, video.location, error.reason, _of_video(video, path, error.detail))
                    )
                return False
            if isinstance(result, Failure) and result.reason == "changed_while_read":
                work.lose(video, result)
            elif isinstance(result, Failure):
                work.give(replace(result, detail=_of_video(video, path, result.detail)))
            else:
                fetch_s += result.fetch_s
                work.give(replace(result, fetch_s=fetch_s, fetched_bytes=_fetched_bytes(video, file)))
        return True

    def _start(self, plan: DecodePlan) -> DecodeProcess | None:
        """Start a worker, and another one if it dies while it starts; None once the pool is closed.

        Raises:
            EmbedError: no worker has lived for a minute.
        """
        began, deaths = time.monotonic(), 0
        while not self._closing.is_set():
            try:
                process = DecodeProcess(plan, self._limits)
            except NotStarted as error:
                deaths += 1
                self._check_patience(began, deaths, error)
                self._closing.wait(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**deaths))
                continue
            with self._lock:
                self._processes.add(process)
                if self._closing.is_set():
                    process.kill()
            return process
        return None

    def _check_patience(self, began: float, deaths: int, error: NotStarted) -> None:
        """Raise EmbedError if no worker lives, and none has since a minute ago; others that live do the work."""
        with self._lock:
            waited_s = 0.0 if self._processes else time.monotonic() - max(began, self._last_alive_s)
        if waited_s > _PATIENCE_S:
            tries = counted(deaths, "try")
            raise EmbedError(
                f"No decoding process has started for {waited_s:.0f} s ({tries}): the last one {error.seen}. "
                f"{error.remedy} Embedded videos are kept: run the same command again to continue."
            ) from error

    def _end(self, process: DecodeProcess) -> None:
        with self._lock:
            self._processes.discard(process)
            self._last_alive_s = time.monotonic()
        process.close()

    def close(self) -> None:
        """Kill the workers and end `decode`. May be called from any thread."""
        with self._lock:
            self._closing.set()
            for process in self._processes:
                process.kill()
            if self._current:
                self._current.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fetched_bytes(video: Video, file: str | SparseCopy) -> int:
    if isinstance(file, SparseCopy):
        return file.fetched_bytes
    return 0 if file == video.location else Path(file).stat().st_size


def _of_video(video: Video, path: str, detail: str) -> str:
    """Name the video in a text about its file. The path of a temporary copy does not help the user."""
    return detail.replace(path, video.location)


@final
class _Pass:
    """One pass over the videos: those left to take, the results, and how far ahead the workers may run."""

    def __init__(self, videos: Iterator[Video], *, workers: int, suspects: list[Video] | None) -> None:
        self._videos, self._workers, self._suspects = videos, workers, suspects
        self._lock = threading.Lock()
        self._change = threading.Condition()
        self._is_stopped = False
        self._waiting_bytes = 0
        self._results: SimpleQueue[DecodedVideo | Failure | BaseException | None] = SimpleQueue()

    def take(self) -> Video | None:
        """Return the next video once there is memory for its frames; None if no video is left."""
        with self._change:
            self._change.wait_for(lambda: self._is_stopped or self._waiting_bytes < _MOST_WAITING_BYTES)
        with self._lock:
            return None if self._is_stopped else next(self._videos, None)

    def give(self, result: DecodedVideo | Failure | BaseException | None) -> None:
        """Pass on a result: a video, the error that ended a worker's thread, or None when that thread has ended."""
        if isinstance(result, DecodedVideo):
            self._count(_waiting_bytes(result))
        self._results.put(result)

    def each(self) -> Iterator[DecodedVideo | Failure]:
        """Yield the results until all workers have ended."""
        while self._workers:
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                self._workers -= 1
                continue
            if isinstance(result, DecodedVideo):
                self._count(-_waiting_bytes(result))
            yield result

    def _count(self, more_bytes: int) -> None:
        with self._change:
            self._waiting_bytes += more_bytes
            self._change.notify_all()

    def lose(self, video: Video, failure: Failure) -> None:
        """Keep a video that killed its worker, or was changed, for another try, or let it fail."""
        if self._suspects is None:
            self.give(failure)
        else:
            self._suspects.append(video)

    def stop(self) -> None:
        """Give out no more videos, and wake the threads that wait for memory."""
        with self._change:
            self._is_stopped = True
            self._change.notify_all()


def _waiting_bytes(video: DecodedVideo) -> int:
    return max(video.pictures.nbytes, _LEAST_VIDEO_BYTES)

"""A worker process as its parent sees it: started, asked, watched, and killed when it exceeds time or memory."""

import math
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import final

from embed.decode_pool.answers import DecodedVideo, DecodePlan, Wanted, receive_decoded
from embed.decode_pool.worker import READY
from embed.errors import EmbedError, FailureReason, VideoError
from embed.sources import Span, SparseCopy, Video, problem_of
from embed.store import Failure

_WATCH_INTERVAL_S = 0.05  # a worker that allocates 1 GB a second overshoots its limit by 50 MB
_KILL_TIMEOUT_S = 1.0
_LONGEST_SILENCE_S = 60.0  # between one byte and the next of an answer that has begun
_START_TIMEOUT_S = 120.0  # for imports from a slow network disk
_SHOWN_COMPLAINTS = 3  # last lines of what a worker wrote before it died


@dataclass(frozen=True)
class DecodeLimits:
    """What one video may take.

    Args:
        timeout_s: wall time of decoding. Minutes, because an hour of 4K video is legitimate work.
        memory_bytes: resident memory of its worker. 4 GiB are enough for the reference frames of an 8K HEVC stream.
            Checked on Linux only. `setrlimit` is not used: FFmpeg skips frames for which it gets no memory, and would
            silently return other frames than the requested ones.
    """

    timeout_s: float = 300.0
    memory_bytes: int = 4 << 30

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s < math.inf:
            raise ValueError(f"timeout_s must be finite and above 0, got {self.timeout_s}")
        if self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be at least 1, got {self.memory_bytes}")


class NotStarted(EmbedError):
    """A worker died while it started. The next one may start: the machine may have been short of something.

    Args:
        seen: what was seen of it, as the rest of a sentence about it.
        remedy: what the user can do about it.
    """

    def __init__(self, seen: str, remedy: str) -> None:
        super().__init__(seen, remedy)
        self.seen, self.remedy = seen, remedy

    def __str__(self) -> str:
        return f"A decoding process does not start: it {self.seen}. {self.remedy}"


@final
class DecodeProcess:
    """A running worker.

    It is started by `exec`, not by fork or multiprocessing: the parent may hold torch's threads and a GPU, and its
    `__main__` must not be imported again. Starting takes 0.25 s, mostly to import NumPy and PyAV.

    Args:
        plan: how every video is decoded.
        limits: what one video may take.

    Raises:
        NotStarted: it does not start; another may.
        EmbedError: none will start, since the plan cannot be read outside this process.
    """

    def __init__(self, plan: DecodePlan, limits: DecodeLimits) -> None:
        self._limits = limits
        try:
            with ExitStack() as opened:
                self._open(opened)
                opened.pop_all()
        except OSError as error:
            raise NotStarted(
                f"was refused by the system: {error.strerror or error}",
                "Free some disk space for temporary files (or set TMPDIR to another folder), allow more open files "
                "(ulimit -n) or use fewer --workers.",
            ) from error
        self._say_plan(plan)

    def _open(self, opened: ExitStack) -> None:
        self._complaints = opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (it is one)
        self._channel, theirs = socket.socketpair()
        opened.enter_context(self._channel)
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(self._limits.timeout_s))
        with theirs:
            self._connection = opened.enter_context(Connection(os.dup(self._channel.fileno())))
            their_lifeline, self._lifeline = os.pipe()
            opened.callback(os.close, self._lifeline)
            try:
                self._process = _start(theirs.fileno(), their_lifeline, self._complaints.fileno())
            finally:
                os.close(their_lifeline)

    def _say_plan(self, plan: DecodePlan) -> None:
        try:
            self._connection.send(plan)
            answer = self._connection.recv() if self._connection.poll(_START_TIMEOUT_S) else ""
        except (EOFError, OSError):
            answer = None
        except BaseException:
            self.close()
            raise
        if answer == READY:
            return
        death = self._death_at_the_start(is_late=answer == "")
        self.close()
        if answer:
            raise EmbedError(
                f"A decoding process does not start: {answer}. Define the sampling in a module of its own."
            )
        raise death

    def _death_at_the_start(self, *, is_late: bool) -> NotStarted:
        """Return what was seen of a worker that did not become ready: how it ended, and what it wrote last."""
        try:
            code = self._process.wait(0 if is_late else _KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
            self._end()
        complaints = self._complaint_lines()[-_SHOWN_COMPLAINTS:]
        wrote = f" and wrote: {' | '.join(complaints)}" if complaints else " and wrote nothing"
        if code is None:
            remedy = "Its disk or machine may be busy: use fewer --workers, or end other programs."
            return NotStarted(f"was not ready after {_START_TIMEOUT_S:g} s{wrote}", remedy)
        if code == -signal.SIGKILL:
            remedy = "The system may have too little memory for it: use fewer --workers, or end other programs."
            return NotStarted(f"was ended by SIGKILL{wrote}", remedy)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return NotStarted(how + wrote, f"Check the installation with: {sys.executable} -m pip check.")

    def decode(self, video: Video, file: str | SparseCopy) -> DecodedVideo | Failure:
        """Decode a video.

        Args:
            video: its name and location.
            file: the path of its file, or a copy with holes.

        Raises:
            VideoError: the worker died or was killed (timeout, out_of_memory, crashed), and cannot be used again.
        """
        path, spans = (file, None) if isinstance(file, str) else (str(file.path), file.spans)
        loss, deadline = None, time.monotonic() + self._limits.timeout_s
        try:
            self._connection.send((video, path, spans))
            while isinstance(answer := self._answer(path, deadline), Wanted):
                assert not isinstance(file, str)
                began = time.monotonic()
                loss = _bring(file, answer.spans, video)
                self._connection.send(loss is None)
                deadline += time.monotonic() - began
        except (EOFError, OSError) as error:
            raise VideoError(*self._cause_of_death(path)) from error
        return Failure(video.id, video.location, loss.reason, loss.detail) if loss else answer

    def _answer(self, path: str, deadline: float) -> DecodedVideo | Failure | Wanted:
        self._watch(path, deadline)
        try:
            return receive_decoded(self._channel, self._connection)
        except Exception as error:  # a worker whose memory is damaged may answer with anything, or with half of it
            raise EOFError(f"{type(error).__name__}: {error}") from error

    def _watch(self, path: str, deadline: float) -> None:
        """Wait for the answer; kill the worker if it exceeds a limit."""
        while not self._connection.poll(_WATCH_INTERVAL_S):
            if time.monotonic() > deadline:
                self.kill()
                waited = f"{path} was not decoded after {self._limits.timeout_s:g} s"
                raise VideoError("timeout", f"{waited}. Check that it plays, or give embed-videos a longer --timeout")
            if self._resident_bytes() > self._limits.memory_bytes:
                self.kill()
                limit = f"{self._limits.memory_bytes / (1 << 30):.3g} GiB"
                raise VideoError(
                    "out_of_memory",
                    f"decoding {path} takes more than {limit}. Give embed-videos a higher --memory-limit",
                )

    def _resident_bytes(self) -> int:
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        except (OSError, IndexError):  # not Linux, or the process has ended
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _cause_of_death(self, path: str) -> tuple[FailureReason, str]:
        try:
            code = self._process.wait(_KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "crashed", f"the process that decoded {path} gave an answer that cannot be read"
        if code == -signal.SIGKILL:
            return "out_of_memory", f"the system killed the process that decoded {path}, most likely to free memory"
        if code < 0:
            return "crashed", f"decoding {path} ended its process by {signal.Signals(-code).name}"
        lines = self._complaint_lines() or [f"exit code {code}"]
        return "crashed", f"decoding {path} ended its process: {lines[-1]}"

    def _complaint_lines(self) -> list[str]:
        """Return the lines that the worker wrote to stderr."""
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip().splitlines()

    def kill(self) -> None:
        """Tell the system to end the process, without waiting. May be called from any thread, at any time."""
        self._process.kill()

    def _end(self) -> None:
        self.kill()
        with suppress(subprocess.TimeoutExpired):  # SIGKILL does not end a process that waits for a dead network disk
            self._process.wait(_KILL_TIMEOUT_S)

    def close(self) -> None:
        """Kill the process and free its resources."""
        self._end()
        self._connection.close()
        self._channel.close()
        self._complaints.close()
        os.close(self._lifeline)


def _bring(file: SparseCopy, spans: list[Span], video: Video) -> VideoError | None:
    """Fetch spans; return the reason if they cannot be fetched, else None."""
    try:
        file.bring(spans)
    except VideoError as error:
        return error
    except OSError as error:  # of the copy's disk; uncaught, it would look like the death of the worker
        reason, text, _ = problem_of(error)
        return VideoError(reason, f"{video.location} {text}")
    return None


def _timeval(seconds: float) -> bytes:
    """Return a C `struct timeval` of at most `_LONGEST_SILENCE_S`, and at least a microsecond: 0 means no limit."""
    microseconds = max(1, int(min(seconds, _LONGEST_SILENCE_S) * 1e6))
    return struct.pack("ll", *divmod(microseconds, 1_000_000))


def _start(socket_descriptor: int, lifeline: int, complaints: int) -> "subprocess.Popen[bytes]":
    code = f"from embed.decode_pool.worker import serve; serve({socket_descriptor}, {lifeline})"
    # The worker imports from the same folders as this process: its plan may hold a sampling that the caller defines.
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return subprocess.Popen(
        # -P: do not import from the working folder, where someone may keep a `numpy.py` among the videos.
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        pass_fds=(socket_descriptor, lifeline),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        process_group=0,  # only the parent reacts to Ctrl-C in a terminal
    )

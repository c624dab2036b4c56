"""JPEGs of single frames, for posters, previews and hits. They are kept in memory, the latest ones.

A frame is decoded in one of a few processes, which wait for the next request. One that hangs ends itself after a while,
and another one takes its place.
"""

import json
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from queue import Empty, LifoQueue
from typing import final

from classify.web.answers import ApiError
from classify.web.media.frame_worker import receive, send
from embed.machine import core_count

_LIMIT_S = 20
_KEPT_BYTES = 64 << 20
_MOST_PROCESSES = 4
_PATIENCE_S = 30.0  # for a process that is free

_Key = tuple[str, int, int, float, int]


@final
class FrameReader:
    """Makes JPEGs of frames. May be asked from any thread."""

    def __init__(self) -> None:
        self._free: LifoQueue[_FrameProcess] = LifoQueue()
        for _ in range(min(_MOST_PROCESSES, core_count())):
            self._free.put(_FrameProcess())
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def read(self, path: str, status: os.stat_result, at_s: float, width_px: int) -> bytes:
        """Return the frame at a moment as a JPEG.

        Args:
            path: a local file.
            status: what the file is, so that a changed one is read again.
            at_s: on the clock of the file.
            width_px: the JPEG is no wider.

        Raises:
            ApiError: it cannot be decoded (422), or all processes are busy (503).
        """
        key = (path, status.st_mtime_ns, status.st_size, round(at_s, 2), width_px)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        jpeg = self._decode(path, at_s, width_px)
        self._keep(key, jpeg)
        return jpeg

    def _decode(self, path: str, at_s: float, width_px: int) -> bytes:
        try:
            process = self._free.get(timeout=_PATIENCE_S)
        except Empty:
            raise ApiError(
                503, "busy", "Too many pictures are asked for. Try again in a moment.", {"Retry-After": "2"}
            ) from None
        try:
            jpeg = process.ask(path, at_s, width_px)
        finally:
            self._free.put(process)
        if not jpeg:
            raise ApiError(
                422, "no_frame", "This moment of the video cannot be decoded. Try another moment, or play the file."
            )
        return jpeg

    def _keep(self, key: _Key, jpeg: bytes) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = jpeg
                self._kept_bytes += len(jpeg)
            while self._kept_bytes > _KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= len(oldest)

    def close(self) -> None:
        """End the processes that are free; those that decode end with their pipes."""
        with suppress(Empty):
            while True:
                self._free.get_nowait().close()


@final
class _FrameProcess:
    """A process that makes JPEGs; it is started when it is first asked, and again after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, path: str, at_s: float, width_px: int) -> bytes:
        """Return the JPEG; nothing if the frame cannot be decoded, or the process ended over it."""
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        answer = None
        with suppress(OSError):
            send(process.stdin, json.dumps([path, at_s, width_px]).encode())
            answer = receive(process.stdout)
        if answer is None:
            self.close()
        return answer or b""

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _start() -> "subprocess.Popen[bytes]":
    code = f"from classify.web.media.frame_worker import serve; serve({_LIMIT_S})"
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109 - an empty entry is that folder
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,  # only the server reacts to Ctrl-C in a terminal
    )

"""A job: the files of one request, what has become of each, and who is waiting for news.

job     queued -> running -> done, failed (all files) or cancelled
file    queued -> decoding -> encoding -> done, failed or cancelled
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from classify.web.answers import ApiError

FileState = Literal["queued", "decoding", "encoding", "done", "failed", "cancelled"]
ENDS = frozenset({"done", "failed", "cancelled"})


@final
@dataclass
class Upload:
    """One file. Only its job changes it.

    Args:
        name: as the visitor called it, for people alone.
        path: where it lies, under a name of ours.
        state: where it is.
        done: windows that are embedded.
        total: windows to embed; 0 while that is unknown.
        result: what was found.
        error: what went wrong.
        is_settled: True once its place in the queue is given to the next.
    """

    name: str
    path: Path
    state: FileState = "queued"
    done: int = 0
    total: int = 0
    result: dict[str, Any] | None = None
    error: ApiError | None = None
    is_settled: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the file JSON-ready."""
        said: dict[str, Any] = {"name": self.name, "state": self.state, "done": self.done, "total": self.total}
        if self.result is not None:
            said["result"] = self.result
        if self.error is not None:
            said["error"] = self.error.to_json()
        return said


@final
class Job:
    """The files of one request. May be read and changed from any thread.

    Args:
        files: one or more.
    """

    def __init__(self, files: Sequence[Upload]) -> None:
        self.key, self.files = secrets.token_urlsafe(12), tuple(files)
        self.ended_s: float | None = None
        self._lock = threading.Lock()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def state(self) -> str:
        """Return "queued", "running", "done", "failed" or "cancelled"."""
        states = {file.state for file in self.files}
        if states <= ENDS:
            return "done" if "done" in states else "cancelled" if states == {"cancelled"} else "failed"
        return "queued" if states == {"queued"} else "running"

    @property
    def has_ended(self) -> bool:
        """True if nothing more will happen."""
        return all(file.state in ENDS for file in self.files)

    def change(self, file: Upload, state: FileState, **values: Any) -> None:
        """Say what has become of a file, and wake who waits. One that has ended stays so, and its copy is deleted."""
        with self._lock:
            if file.state in ENDS:
                return
            for name, value in values.items():
                setattr(file, name, value)
            file.state = state
            if state in ENDS:
                file.path.unlink(missing_ok=True)
            if self.has_ended:
                self.ended_s = time.monotonic()
            listeners = [*self._listeners]
        for loop, event in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def fail(self, file: Upload, error: ApiError) -> None:
        """Say that a file cannot be labelled."""
        self.change(file, "failed", error=error)

    def cancel(self) -> None:
        """End what has not ended."""
        for file in self.files:
            self.change(file, "cancelled")

    def to_json(self, ahead: int = 0) -> dict[str, Any]:
        """Return the job JSON-ready.

        Args:
            ahead: files that come before it.
        """
        return {
            "job": self.key,
            "state": self.state,
            "ahead": ahead,
            "files": [file.to_json() for file in self.files],
        }

    def listen(self) -> "News":
        """Return a context in which the caller, a coroutine, can wait for changes."""
        return News(self, self._listeners, self._lock)


@final
class News:
    """Waits for changes of a job, in a `with` block."""

    def __init__(
        self, job: Job, listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]], lock: threading.Lock
    ) -> None:
        self.job, self._listeners, self._lock = job, listeners, lock
        self._event = asyncio.Event()
        self._entry = (asyncio.get_running_loop(), self._event)

    def __enter__(self) -> "News":
        with self._lock:
            self._listeners.add(self._entry)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._listeners.discard(self._entry)

    async def wait(self, seconds: float) -> bool:
        """Wait for a change; return False if there was none in that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

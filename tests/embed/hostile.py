"""Samplings that harm a worker as broken decoders do, but only for videos of a certain length."""

import os
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.video.sampling import UniformFrames
from embed.video.timeline import Timeline

HOSTILE_FRAME_COUNT = 13
BLOCK_BYTES = 32 << 20
EATEN_BYTES = 2 << 30  # on a busy machine the worker is watched late: then it must not take all there is


def sleep_for_ever() -> None:
    while True:
        time.sleep(60)


def eat_memory() -> None:
    eaten = []
    for _ in range(EATEN_BYTES // BLOCK_BYTES):
        eaten.append(np.ones(BLOCK_BYTES, dtype=np.uint8))
        time.sleep(0.01)
    sleep_for_ever()


def take_memory_at_once() -> None:
    """Allocate and keep 3 GB in one call of native code, as a decoder does for a picture that claims to be large."""
    taken = np.ones(3 << 30, dtype=np.uint8)
    sleep_for_ever()
    del taken


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def leave_in_silence() -> None:
    os._exit(0)


def write_garbage() -> None:
    """Send bytes that are not an answer on every open socket, and continue as if nothing had happened."""
    _answer(b"\xfe" * 1000)
    time.sleep(60)


def write_half_an_answer() -> None:
    """Announce a megabyte, send ten bytes of it, and die."""
    _answer((1 << 20).to_bytes(4, "big") + b"\x80" * 10)
    os._exit(0)


def write_half_an_answer_and_hang() -> None:
    """Announce a megabyte, send ten bytes of it, and hang."""
    _answer((1 << 20).to_bytes(4, "big") + b"\x80" * 10)
    time.sleep(60)


def _answer(content: bytes) -> None:
    for descriptor in range(3, 64):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, content)


def raise_an_error_of_its_own() -> None:
    raise LookupError("no such atom")


@dataclass(frozen=True)
class Hostile:
    """Choose every frame, but run `deed` first if a video has `HOSTILE_FRAME_COUNT` frames.

    With `once`, do so only if that file does not exist yet, and create it.
    """

    deed: Callable[[], None]
    once: Path | None = None

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        if timeline.frame_count == HOSTILE_FRAME_COUNT and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            self.deed()
        return UniformFrames(1000).indices(timeline)

    def to_json(self) -> dict[str, Any]:
        return {"name": "hostile"}

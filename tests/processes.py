"""Commands whose processes and child processes can be found again, even if they were abandoned (Linux)."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest


@dataclass
class Traced:
    """A family of processes, identified by a mark in their environment, and what they leave in shared memory.

    Args:
        environment: further variables for them.
    """

    environment: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"TRACED={uuid4()}")
    shared_before: frozenset[str] = field(default_factory=lambda: shared_memory())

    def start(self, command: Sequence[str | Path], folder: Path | None = None) -> "subprocess.Popen[str]":
        """Start a command in a process group of its own, in which Ctrl-C works: a shell's background ignores it."""
        name, _, value = self.mark.partition("=")
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **self.environment, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def running(self) -> list[int]:
        """Return the ids of the processes that are alive, without zombies."""
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if self._is_ours(folder)]

    def _is_ours(self, folder: Path) -> bool:
        try:
            return self.mark.encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has just ended, or belongs to another user
            return False

    def leavings(self, patience_s: float = 5.0) -> set[str]:
        """Return the processes and the names in shared memory that are still there after some seconds of patience.

        What comes or goes in the meantime belongs to another program.
        """
        deadline = time.monotonic() + patience_s
        left = self._left()
        while left and time.monotonic() < deadline:
            time.sleep(0.01)
            left &= self._left()
        return left

    def _left(self) -> set[str]:
        return {f"process {pid}" for pid in self.running()} | self._orphaned_memory()

    def _orphaned_memory(self) -> set[str]:
        """Return the new names in shared memory that no live process has mapped; other programs make names, too."""
        new = shared_memory() - self.shared_before
        return {name for name in new if not any(f"/dev/shm/{name}\n" in maps for maps in _all_maps())}


def _all_maps() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):
            yield path.read_text()


def shared_memory() -> frozenset[str]:
    """Return the names in shared memory, if the system shows them, without the locks of scikit-learn's workers.

    Extraction does not use such locks; other programs, and tests that were ended, leave them behind.
    """
    folder = Path("/dev/shm")
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return frozenset(name for name in names if not name.startswith("sem.loky-"))


@contextmanager
def slow_file(path: Path) -> Iterator[Path]:
    """Make a file, and let whoever opens it wait for up to 45 s, as on a dead network disk (Linux: a lease on it)."""
    path.touch()
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the system tells that somebody waits
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield path
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


@contextmanager
def mounted_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of some size, such as "100k", on a folder; skip the test if that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

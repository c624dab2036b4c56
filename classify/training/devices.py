"""The device that trains and predicts, its memory and its random numbers."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import final

import torch

from classify.errors import TrainError

_ALLOCATOR = "DefaultCPUAllocator"  # torch names it in the error for full memory, which has no class of its own
_LARGEST_SHARE = 0.5  # of the memory: heads, gradients and other programs need some too
_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def find_device(name: str) -> torch.device:
    """Return the device of a name: "cpu", "cuda", or "auto", which is a GPU if there is one.

    Raises:
        TrainError: this machine does not have the device.
    """
    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    if name == "cpu" or (name == "cuda" and has_gpu):
        return torch.device(name)
    raise TrainError(f"There is no device {name!r} here. Choose one of: auto, cpu{', cuda' if has_gpu else ''}.")


def has_room(device: torch.device, byte_count: int) -> bool:
    """Return True if a number of bytes is at most half of the machine's memory, or half of the GPU's free memory."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return byte_count <= _LARGEST_SHARE * free
    return byte_count <= _LARGEST_SHARE * memory_bytes()


def memory_bytes(limit_files: Sequence[Path] = _MEMORY_LIMITS) -> int:
    """Return the bytes that this process may use: the machine's memory, or the limit of its container.

    Args:
        limit_files: files of cgroups versions 2 and 1 that hold the limit on Linux: bytes, or "max".

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max, and cgroup-v1/memory.html.
    """
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in limit_files:
        with suppress(OSError, ValueError):  # no such file, or "max": no limit
            found.append(int(file.read_text()))
    return min(found)


@contextmanager
def explained_memory() -> Iterator[None]:
    """Turn errors of full memory into one that says what to do.

    Raises:
        TrainError: the memory is full.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_gpu = isinstance(error, torch.OutOfMemoryError)
        if not (is_gpu or isinstance(error, MemoryError) or _ALLOCATOR in str(error)):
            raise
        smaller = "a smaller --batch-size, or --device cpu" if is_gpu else "or a smaller --batch-size"
        raise TrainError(
            f"The {'GPU' if is_gpu else 'machine'}'s memory is full. Read vectors from disk with --stream, use fewer "
            f"vectors of each video with --max-frames, {smaller}. ({error})"
        ) from error


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global random generators, and restore their state afterwards."""
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield


@final
class _OneThread:
    """Counts the users of one-threaded torch, because several threads of a program may ask for it at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before = 1

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let torch compute on one thread: small operations take less time than threads need to synchronise."""
        with self._lock:
            if not self._users:
                self._before = torch.get_num_threads()
            self._users += 1
            torch.set_num_threads(1)
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                torch.set_num_threads(self._before)  # in each thread: OpenMP keeps a number for each


on_one_thread = _OneThread().hold

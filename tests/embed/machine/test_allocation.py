import ctypes
import subprocess
import sys

import pytest

from embed.machine.allocation import keep_freed_memory

BATCHES = """
import resource, sys, threading
import numpy as np
from embed.machine.allocation import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def work():
    for _ in range(5):
        np.ones(40 << 20, dtype=np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(40 << 20, dtype=np.uint8)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def page_faults(mode: str) -> int:
    result = subprocess.run([sys.executable, "-c", BATCHES, mode], capture_output=True, text=True, check=True)
    return int(result.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_repeated_work_needs_no_new_pages() -> None:
    assert page_faults("kept") < page_faults("given back") / 10


class OldGlibc:
    """`mallopt` before glibc 2.35, which accepted a threshold for mappings of at most half an arena, 32 MiB."""

    def __init__(self) -> None:
        self.options: dict[int, int] = {}

    def mallopt(self, option: int, value: int) -> int:
        if option == -3 and value > 32 << 20:
            return 0
        self.options[option] = value
        return 1


def test_an_old_glibc_keeps_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    library = OldGlibc()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    keep_freed_memory()
    assert library.options == {-8: 1, -3: 32 << 20, -1: 1 << 30}

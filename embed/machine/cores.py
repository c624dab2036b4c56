"""How many cores this process may use: of a machine, of a container, of a task set."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def core_count(quota_file: Path = _QUOTA) -> int:
    """Return the cores that this process may use, 1 or more.

    Args:
        quota_file: where Linux says what a container may use: "QUOTA PERIOD" in microseconds, or "max PERIOD".

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return allowed

"""The number of cores that this process may use, as limited by the machine, a container or a CPU affinity."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def core_count(quota_file: Path = _QUOTA) -> int:
    """Return the number of cores that this process may use, at least 1.

    Args:
        quota_file: where Linux stores the CPU limit of a container: "QUOTA PERIOD" in microseconds, or "max PERIOD".

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return allowed

"""The name of the processor, which each benchmark prints beside its figures."""

import platform
from pathlib import Path


def cpu_name() -> str:
    """Return the processor's name, as Linux gives it; on other systems the architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

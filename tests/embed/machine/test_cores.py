import os
from pathlib import Path

import pytest

from embed.machine.cores import core_count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no task sets")
def test_a_cpu_affinity_limits_the_cores() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert core_count() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("quota", "expected"), [("100000 100000", 1), ("50000 100000", 1)])
def test_the_quota_of_a_container_limits_the_cores(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")

    assert core_count(tmp_path / "cpu.max") == expected


def test_without_a_quota_all_cores_are_counted(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")

    assert core_count(tmp_path / "cpu.max") == core_count(tmp_path / "absent")

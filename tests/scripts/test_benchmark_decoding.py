"""The decoding benchmark runs, and distinguishes right frames from wrong ones."""

import os
import subprocess
import sys
from pathlib import Path

from tests.media import write_moving_video

ROOT = Path(__file__).parents[2]


def table(*arguments: str) -> list[list[str]]:
    """Run the benchmark and return the cells of its table."""
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / "benchmark_decoding.py", "--rounds", "1", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_installed_reader_returns_the_exact_frames_of_a_clip_and_of_a_long_clip(tmp_path: Path) -> None:
    few = ("--codec", "h264", "--size", "90", "--gop", "10", "--seconds", "2", "--frames", "4", "--long-seconds", "6")
    readers = ("framehead", "PyAV sequential", "OpenCV sequential")
    found = table(*few, "--part", "clips", "long", "--folder", str(tmp_path), "--reader", *readers)
    assert [(row[0], row[1], row[5]) for row in found] == [
        (name, reader, exact)
        for name, exact in (("h264-90p-gop10-2s", "4 of 4"), ("h264-90p-gop10-2s-for-6s", "8 of 8"))
        for reader in readers
    ]
    assert all(row[6].endswith("%") for row in found if row[1] == "framehead")


def test_a_reader_that_counts_frames_wrongly_is_detected(tmp_path: Path) -> None:
    options = {"g": "12", "bf": "2"}
    path = write_moving_video(tmp_path / "a.ts", 60, codec="libx264", options=options)
    reader = ("--reader", "PyAV sequential", "OpenCV seeks")
    sequential, seeks = table("--part", "files", "--files", str(path), "--frames", "6", *reader)
    assert sequential[5] == "6 of 6"
    assert seeks[5] != "6 of 6"

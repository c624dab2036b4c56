"""The benchmark of windows that overlap runs on a short video."""

import subprocess
import sys
from pathlib import Path

from tests.media import write_video

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_overlap.py"


def test_windows_that_overlap_hand_over_each_frame_once(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 32, fps=16)  # 2 s

    result = subprocess.run(
        [sys.executable, SCRIPT, video, "--rounds", "1"], capture_output=True, text=True, check=True
    )

    apart, overlapping = (line.strip("| ").split(" | ") for line in result.stdout.splitlines()[-2:])
    assert apart[:3] == ["side by side", "2", "32"]
    assert overlapping[:3] == ["overlapping by half", "3", "32"]

"""The encoding benchmark runs on a tiny batch."""

import subprocess
import sys
from pathlib import Path

from tests.media import write_video

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_encoding.py"


def test_float32_is_compared_with_itself_and_a_missing_precision_is_reported(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4")
    options = ["--models", "efficientnet-lite0", "--precisions", "int8", "--batch-size", "2", "--rounds", "1"]
    result = subprocess.run([sys.executable, SCRIPT, video, *options], capture_output=True, text=True, check=True)
    rows = [line.strip("| ").split(" | ") for line in result.stdout.splitlines() if line.startswith("| efficientnet")]
    absent, measured = rows
    assert absent[1] == "int8"
    assert measured[1] == "float32"
    assert all(float(rate) > 0 for rate in measured[2:4])
    assert measured[4:] == ["1.00", "1.00000", "1.00000"]

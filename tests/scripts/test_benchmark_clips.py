"""The benchmark of clip encoders runs on short clips."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_clips.py"
SHORT = ["--models", "r2plus1d_18", "--clip-frames", "1", "--rounds", "1"]


def cells_of(part: str, *options: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, SCRIPT, part, *SHORT, *options], capture_output=True, text=True, check=True
    )
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("| r2plus1d"))
    return row.strip("| ").split(" | ")


@pytest.mark.nightly
def test_the_encoder_is_compared_with_its_backbone() -> None:
    model, window, _, batch, *_, suited, share, _ = cells_of("encoding", "--batch-sizes", "1", "--threads", "1")
    assert (model, window, batch, suited) == ("r2plus1d_18", "1", "1", "32")
    assert float(share) > 0

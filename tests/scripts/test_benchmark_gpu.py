"""The GPU benchmark runs on tiny clips, and reads what nvidia-smi reports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_gpu.py"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what a tiny run prints if nvidia-smi reports that kernels run 40% and NVDEC 10% of the time."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "nvidia-smi").write_text("#!/bin/sh\necho 40, 10\n")
    (folder / "nvidia-smi").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        [sys.executable, SCRIPT, "--tiny"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_each_way_to_run_an_encoder_has_a_row_with_the_same_vectors(printed: str) -> None:
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith(("| cpu", "| cuda"))]
    by_cpu = [row for row in rows if row[0] == "cpu"]
    assert [row[1] for row in by_cpu[:2]] == ["1", "2"]
    assert all(float(row[2]) > 0 and float(row[3]) > 0 for row in rows)
    assert all(row[4:6] == ["60%", "10%"] for row in rows)
    assert [row[-1] for row in by_cpu[:2]] == ["1.00000", "1.00000"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without an NVIDIA GPU")
def test_without_a_gpu_it_says_that_the_figures_are_those_of_the_cpu(printed: str) -> None:
    assert "no NVIDIA GPU here: all figures below are those of the CPU" in printed
    assert "Decoding stays on the CPU: FFmpeg finds no NVIDIA GPU" in printed

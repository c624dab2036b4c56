"""The benchmark of smaller stores on a tiny one: bright and dark vectors."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from embed.store import StoreWriter, VideoRecord
from tests.embed.stores import PROVENANCE

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_reduction.py"
STORES = ["float16", "one byte", "PCA", "PCA, one byte", "whitening PCA", "whitening PCA, one byte"]


def test_an_easy_difference_is_learned_from_every_smaller_store(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for number in range(12):
            vectors = np.random.default_rng(number).normal(number % 2, 0.1, (3, 10))
            writer.append(VideoRecord(f"{('dark', 'bright')[number % 2]}/{number}.mp4"), vectors, np.arange(3.0))
    tiny = ["--dimensions", "4", "--folds", "2", "--seeds", "1", "--arch", "linear"]
    command = [sys.executable, SCRIPT, tmp_path / "s.h5", *tiny]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    rows = [line[2:-2].split(" | ") for line in result.stdout.splitlines() if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == STORES
    assert [row[1] for row in rows] == ["20", "10", "8", "4", "8", "4"]
    assert {row[5] for row in rows} == {"1.000 (std 0.000)"}
    assert [row[2] == "-" for row in rows] == [True, False, True, False, True, False]

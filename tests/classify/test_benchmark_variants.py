"""The benchmark of variants, on made videos whose answer is certain: they differ in which way they change."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_variants.py"
WINDOWS, CHANGES, SEEDS = "windows of 3/4 of the time", "differences in time as input", "mean of 5 trainings"
VARIANTS = ";".join([WINDOWS, CHANGES, SEEDS, "timestamps as positions", "8 frames"])

SIZE = "--arch linear,motion --folds 2 --seeds 2 --epochs 60 --jobs 1"

pytestmark = pytest.mark.nightly


@pytest.fixture
def rows(make_store: Callable[..., Path], tmp_path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Run it on videos that rise or fall by as much: (head, variant) -> its row."""
    rng, ramp = np.random.default_rng(0), np.linspace(-1, 1, 8)[:, None] * np.ones(16)
    shown = {f"{number}.mp4": 1 if number % 2 else -1 for number in range(32)}
    noise = {clip: 0.05 * rng.standard_normal((8, 16)) for clip in shown}
    store = make_store({clip: ramp * way + noise[clip] - noise[clip].mean(axis=0) for clip, way in shown.items()})
    lines = [
        f"{clip},{'rises' if way > 0 else 'falls'},{place // 2},{place // 16}"
        for place, (clip, way) in enumerate(shown.items())
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,group,set", *lines]))
    command = [sys.executable, SCRIPT, store, tmp_path / "labels.csv", "--variants", VARIANTS, *SIZE.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    head, _, *cells = ([cell.strip() for cell in line[2:-2].split(" | ")] for line in result.stdout.splitlines()[3:])
    return {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in cells}


def test_a_variant_is_held_against_the_same_head_without_it(rows: dict[tuple[str, str], dict[str, str]]) -> None:
    assert list(rows) == [  # neither head has positions
        (arch, name) for arch in ("linear", "motion") for name in ("plain", WINDOWS, CHANGES, SEEDS, "8 frames")
    ]
    plain = float(rows["linear", "plain"]["micro-F1, mean"])
    assert plain < 0.8  # the mean is the same both ways
    assert rows["linear", CHANGES]["micro-F1, mean"] == rows["linear", CHANGES]["0 to 1"] == "1.000"
    assert float(rows["linear", CHANGES]["over plain"].split()[0]) == pytest.approx(1 - plain, abs=1e-3)
    assert rows["linear", "8 frames"]["over plain"].startswith("+0.000 (-")  # of 8: the same, as far as so few can tell
    assert rows["motion", "plain"]["micro-F1, mean"] == rows["motion", WINDOWS]["micro-F1, mean"] == "1.000"

"""The benchmark of two labels and their order, on made clips whose answer is certain."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_order.py"
CLASSES = ("hug", "kick", "wave")


@pytest.fixture
def rows(make_store: Callable[..., Path], tmp_path: Path) -> dict[str, list[float]]:
    """Run it on 12 recordings of three plain classes: head -> micro-F1, mAP, accuracy of the order."""
    rng = np.random.default_rng(0)
    shown = {f"{group}-{name}.mp4": (name, group) for group in range(12) for name in CLASSES}
    centres = dict(zip(CLASSES, 3 * np.eye(3, 16), strict=True))
    store = make_store({clip: centres[name] + 0.1 * rng.standard_normal((6, 16)) for clip, (name, _) in shown.items()})
    lines = [f"{clip},{name},{group}" for clip, (name, group) in shown.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,group", *lines]))
    recipe = ("--frames-count", "4", "--project", "0", "--epochs", "20", "--learning-rate", "0.01")
    size = ("--arch", "linear,rnn", "--folds", "2", "--seeds", "1", "--jobs", "1", "--work", str(tmp_path / "work"))
    result = subprocess.run(
        [sys.executable, SCRIPT, store, tmp_path / "labels.csv", *recipe, *size],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("72 videos joined of two clips")
    cells = [line.strip("| ").split(" | ") for line in result.stdout.split("\n| --- ")[1].splitlines()[1:]]
    return {name: [float(cell.split()[0]) for cell in figures[:3]] for name, *figures in cells}


def test_means_tell_both_labels_and_nothing_of_their_order_which_a_recurrent_head_tells(
    rows: dict[str, list[float]],
) -> None:
    assert rows["logistic-regression"] == [1.0, 1.0, 0.5]
    assert rows["linear"][1] > 0.97
    assert rows["linear"][2] == 0.5
    assert rows["rnn"][2] > 0.9

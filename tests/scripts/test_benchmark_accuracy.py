"""The benchmark of accuracy on a tiny set: bright and dark clips of two sets."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import write_video

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_accuracy.py"
TINY = "--frames-count 2 --arch motion --mixup 0.4 --folds 2 --seeds 2 --epochs 20 --jobs 1"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of the table that it prints, by head and mixup."""
    folder = tmp_path_factory.mktemp("clips")
    lines = ["path,label,group,set"]
    for number in range(8):
        is_bright = number % 2
        write_video(folder / f"{number}.mp4", 2, numbers=[1022, 1023] if is_bright else [0, 1])
        lines.append(f"{number}.mp4,{'bright' if is_bright else 'dark'},group{number // 2},set{number // 4}")
    (folder / "labels.csv").write_text("\n".join(lines))
    command = [sys.executable, SCRIPT, folder, *TINY.split(), "--store", folder / "store.h5"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    head, _, *cells = ([cell.strip() for cell in line[2:-2].split(" | ")] for line in result.stdout.splitlines()[3:])
    table = [dict(zip(head, row, strict=True)) for row in cells]
    return {(row["head"], row["mixup"]): row for row in table}


def test_an_easy_difference_is_learned_by_folds_and_from_one_set_to_the_other(
    rows: dict[tuple[str, str], dict[str, str]],
) -> None:
    floor = rows["logistic regression on the mean", "-"]
    assert [floor[name] for name in ("micro-F1, mean", "std", "set0 to set1", "set1 to set0")] == [
        *("1.000", "0.000", "1.000", "1.000")
    ]
    assert rows["motion", "0.4"]["micro-F1, mean"] == rows["motion", "0.4"]["set0 to set1"] == "1.000"


def test_a_guess_is_below_the_baselines_by_the_difference_in_micro_f1(
    rows: dict[tuple[str, str], dict[str, str]],
) -> None:
    majority = rows["majority", "-"]
    assert majority["micro-F1, mean"] == "0.500"
    # Each of the four groups loses 0.5, so at least 4 / (4 + 1.96 ** 2) = 0.51 of all do; others may differ by 1.
    assert majority["over the mean"] == majority["over 8 bins"] == "-0.500 (-0.745 to +0.235)"

"""The benchmark of accuracy on a tiny set: bright and dark clips of two sets."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import write_video

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark_accuracy.py"

pytestmark = pytest.mark.nightly
TINY = "--frames-count 2 --arch motion,auto --mixup 0.4 --folds 2 --seeds 2 --first-seed 7 --budget 0.2 --jobs 1"

Table = dict[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    """Return the rows of the two tables that it prints, by head and mixup."""
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
    return [_read_table(block) for block in result.stdout.split("\n\n")[1:]]


def _read_table(block: str) -> Table:
    head, _, *cells = ([cell.strip() for cell in line[2:-2].split(" | ")] for line in block.splitlines())
    table = [dict(zip(head, row, strict=True)) for row in cells]
    return {(row["head"], row["mixup"]): row for row in table}


@pytest.fixture(scope="module")
def rows(tables: list[Table]) -> Table:
    return tables[0]


@pytest.fixture(scope="module")
def probabilities(tables: list[Table]) -> Table:
    return tables[1]


def test_an_easy_difference_is_learned_by_folds_and_from_one_set_to_the_other(rows: Table) -> None:
    floor = rows["logistic regression on the mean", "-"]
    assert [floor[name] for name in ("micro-F1, mean", "std", "set0 to set1", "set1 to set0")] == [
        *("1.000", "0.000", "1.000", "1.000")
    ]
    assert rows["motion", "0.4"]["micro-F1, mean"] == rows["motion", "0.4"]["set0 to set1"] == "1.000"
    assert rows["auto", "-"]["micro-F1, mean"] == "1.000"


def test_a_guess_is_below_the_baselines_by_the_difference_in_micro_f1(rows: Table) -> None:
    majority = rows["majority", "-"]
    assert majority["micro-F1, mean"] == "0.500"
    # Each of the four groups loses 0.5, so at least 4 / (4 + 1.96 ** 2) = 0.51 of all do; others may differ by 1.
    assert majority["over the mean"] == majority["over 8 bins"] == "-0.500 (-0.745 to +0.235)"


def test_probabilities_of_one_half_are_calibrated_and_chance_shows_the_deviation_of_a_binomial(
    probabilities: Table,
) -> None:
    majority = probabilities["majority", "-"]
    assert [majority[name] for name in ("ECE, mean", "std", "plain", "ECE, pooled")] == ["0.000"] * 4
    assert [majority[name] for name in ("log-loss, mean", "std of log-loss", "temperature")] == ["0.693", "0.000", "-"]
    # Of 8 labels at 0.5, the share is off by 0.137 on average: the mean deviation of Binomial(8, 0.5), divided by 8.
    assert float(majority["floor"]) == pytest.approx(0.137, abs=0.03)
    assert majority["pooled floor"] == majority["floor"]  # both seeds give the same, so together they show no more


def test_a_head_has_the_figures_of_the_temperature_that_training_took(probabilities: Table) -> None:
    head = probabilities["motion", "0.4"]
    assert float(head["log-loss, mean"]) < 0.693
    assert float(head["temperature"]) > 0
    assert probabilities["auto", "-"]["temperature"] != "-"

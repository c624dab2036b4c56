import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify import ClassifyError, CompareConfig, TrainConfig, TrainError, compare_heads
from classify.comparison.trial_files import append_result, read_earlier, start_results
from classify.comparison.trials import Trial, TrialResult

QUICK = CompareConfig(
    archs=("linear", "random-frame"),
    baselines=("majority", "logistic-regression", "nearest-neighbours"),
    folds=3,
    seeds=2,
    jobs=1,
    recipe=TrainConfig(learning_rate=0.1),
)


@pytest.fixture
def result() -> TrialResult:
    """A fold of 50,000 videos and 100 labels, of which each video is given the last."""
    predicted = np.zeros((50_000, 100), dtype=np.bool_)
    predicted[:, -1] = True
    return TrialResult(Trial("linear", 0.4, 1, 2), predicted, 0.5, 0.25, 0.125, 1.5, 303)


def test_results_of_a_large_fold_are_read_back(tmp_path: Path, result: TrialResult) -> None:
    start_results(tmp_path, {"folds": 5}, is_new=True)
    append_result(tmp_path / "runs.csv", result)

    (found,) = read_earlier(tmp_path, {"folds": 5}, 100)[1].values()

    assert (found.trial, found.seconds, found.parameters) == (result.trial, 1.5, 303)
    assert (found.micro_f1, found.macro_f1, found.mean_average_precision) == (0.5, 0.25, 0.125)
    assert (found.predicted == result.predicted).all()


@pytest.mark.parametrize("text", ["", "id,part\na,train\n", "\n"], ids=["empty", "other columns", "empty line"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    start_results(tmp_path, {"folds": 5}, is_new=True)
    (tmp_path / "runs.csv").write_text(text)

    with pytest.raises(TrainError, match=r"runs.csv holds no results to continue: it has other columns\. To keep"):
        read_earlier(tmp_path, {"folds": 5}, 100)


def test_a_comparison_goes_on_where_it_was_killed(toy_store: Path, tmp_path: Path) -> None:
    whole = compare_heads(toy_store, tmp_path / "comparison", config=QUICK)
    runs = tmp_path / "comparison" / "runs.csv"
    lines = runs.read_bytes().splitlines(keepends=True)
    runs.write_bytes(b"".join(lines[:12]) + lines[12][:30])  # header, 11 rows, and half a row
    steps: list[tuple[int, int]] = []

    resumed = compare_heads(
        toy_store, tmp_path / "comparison", config=QUICK, on_result=lambda *step: steps.append(step)
    )

    assert steps == [(done, 42) for done in range(12, 43)]
    assert "already held 11 of these 42 training runs; they were not run again" in resumed.notes[-1]
    assert _without_seconds(runs.read_bytes().splitlines()) == _without_seconds(lines)
    assert [found.micro_f1 for found in resumed.contenders] == [found.micro_f1 for found in whole.contenders]


def _without_seconds(lines: list[bytes]) -> list[list[str]]:
    rows = csv.reader(line.decode() for line in lines)
    return sorted([*row[:7], *row[8:]] for row in rows)


def test_a_further_head_is_added_to_what_is_there(toy_store: Path, tmp_path: Path) -> None:
    compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=("linear",)))
    steps: list[tuple[int, int]] = []

    compare_heads(toy_store, tmp_path / "comparison", config=QUICK, on_result=lambda *step: steps.append(step))

    assert steps[0] == (31, 42)


def test_an_older_table_stays_until_the_new_one_is_done(toy_store: Path, tmp_path: Path) -> None:
    one, both = (replace(QUICK, archs=(), baselines=names) for names in (("majority",), QUICK.baselines[:2]))
    compare_heads(toy_store, tmp_path / "comparison", config=one)
    summary = tmp_path / "comparison" / "comparison.json"
    seen: list[int] = []

    def look(*_: int) -> None:
        seen.append(len(json.loads(summary.read_text())["contenders"]))

    compare_heads(toy_store, tmp_path / "comparison", config=both, on_result=look)

    assert set(seen) == {1}
    assert len(json.loads(summary.read_text())["contenders"]) == 2


def test_a_finished_comparison_is_shown_again_without_a_training_run(toy_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, archs=())
    first = compare_heads(toy_store, tmp_path / "comparison", config=config)
    files = {path: path.read_bytes() for path in first.folder.iterdir() if path.suffix != ".png"}
    steps: list[tuple[int, int]] = []

    again = compare_heads(toy_store, tmp_path / "comparison", config=config, on_result=lambda *step: steps.append(step))

    assert steps == []
    assert again.contenders == first.contenders
    assert {path: path.read_bytes() for path in files} == files


def test_results_of_another_recipe_are_not_mixed_in(toy_store: Path, tmp_path: Path) -> None:
    compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=()))

    with pytest.raises(TrainError, match=r"made with other settings \(`epochs`, `learning_rate`\), so new results"):
        compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, recipe=TrainConfig(epochs=3)))


def test_results_of_another_recipe_are_lost_only_when_told(toy_store: Path, tmp_path: Path) -> None:
    compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=()))
    runs, before = tmp_path / "comparison" / "runs.csv", _comparison_files(tmp_path / "comparison")
    other = replace(QUICK, archs=(), folds=4)

    with pytest.raises(TrainError, match=r"To keep these results, name another folder; to lose them, add --overwrite"):
        compare_heads(toy_store, tmp_path / "comparison", config=other)
    assert _comparison_files(tmp_path / "comparison") == before
    found = compare_heads(toy_store, tmp_path / "comparison", config=other, overwrite=True)

    assert found.folds == 4
    assert len(runs.read_text().splitlines()) == 1 + 3 * 2 * 4


def _comparison_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_that_another_run_writes_to_is_refused(toy_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, archs=(), baselines=("majority",), seeds=1)

    def run_again(*_: int) -> None:
        with pytest.raises(TrainError, match=r"Another run of compare-heads writes to .*comparison\. Wait for its end"):
            compare_heads(toy_store, tmp_path / "comparison", config=replace(config, baselines=("nearest-neighbours",)))

    found = compare_heads(toy_store, tmp_path / "comparison", config=config, on_result=run_again)

    assert [contender.name for contender in found.contenders] == ["majority"]


def test_results_go_on_whatever_the_device_and_wherever_the_vectors_are(toy_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, archs=("linear",), baselines=(), seeds=1)
    compare_heads(toy_store, tmp_path / "comparison", config=config)
    elsewhere = replace(config, recipe=replace(QUICK.recipe, device="cpu", stream=True))

    assert compare_heads(toy_store, tmp_path / "comparison", config=elsewhere).contenders


@pytest.mark.parametrize("change", ["lacks", "has"])
def test_results_of_a_version_with_other_settings_are_not_gone_on_from(
    toy_store: Path, tmp_path: Path, change: str
) -> None:
    config, path = replace(QUICK, archs=()), tmp_path / "comparison" / "comparison.json"
    compare_heads(toy_store, tmp_path / "comparison", config=config)
    summary = json.loads(path.read_text())
    if change == "lacks":
        del summary["settings"]["warm_up"]
    else:
        summary["settings"]["warm_down"] = 0.0
    path.write_text(json.dumps(summary))

    with pytest.raises(TrainError, match=r"by another version, which (has|lacks) the setting warm_\w+\. To keep"):
        compare_heads(toy_store, tmp_path / "comparison", config=config)


def test_a_damaged_file_of_results_is_refused(toy_store: Path, tmp_path: Path) -> None:
    config, runs = replace(QUICK, archs=()), tmp_path / "comparison" / "runs.csv"
    compare_heads(toy_store, tmp_path / "comparison", config=config)
    runs.write_text(runs.read_text() + "majority,0.0,0\n")

    with pytest.raises(TrainError, match=r"holds no results to continue: .*To keep these results, name another folder"):
        compare_heads(toy_store, tmp_path / "comparison", config=config)


def test_a_file_of_results_that_is_another_file_is_refused(toy_store: Path, tmp_path: Path) -> None:
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "runs.csv").write_text("id,label\nx,y\n")

    with pytest.raises(ClassifyError, match=r"runs\.csv exists, and is not runs\.csv of compare-heads"):
        compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=()))


@pytest.mark.parametrize("rest", ["", "majority,0.0,0,1,0.3"], ids=["header", "half-row"])
def test_a_comparison_without_a_result_is_begun_anew(toy_store: Path, tmp_path: Path, rest: str) -> None:
    config = replace(QUICK, archs=())
    compare_heads(toy_store, tmp_path / "comparison", config=config)
    runs = tmp_path / "comparison" / "runs.csv"
    runs.write_text(runs.read_text().splitlines(keepends=True)[0] + rest)
    other = replace(config, folds=4)

    compare_heads(toy_store, tmp_path / "comparison", config=other)

    assert len(runs.read_text().splitlines()) == 1 + 3 * 2 * 4

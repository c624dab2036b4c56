import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result


def test_train_head_prints_figures_of_each_part_and_what_to_type_next(
    run: Callable[..., Result], toy_store: Path
) -> None:
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--learning-rate", "0.02", "-o", "my head")

    assert result.exit_code == 0
    assert "softmax and cross-entropy, since every video has one label" in result.stdout
    table = [line.split() for line in result.stdout.splitlines() if line.startswith(("train ", "validation ", "test "))]
    assert table == [
        ["train", "1.000", "-", *["1.000"] * 5, "48"],
        ["validation", "1.000", "1.000", "to", *["1.000"] * 6, "6"],
        ["test", "1.000", "1.000", "to", *["1.000"] * 6, "6"],
    ]
    assert "The test videos of this split were looked at once, after training." in result.stdout
    assert "Interval: bootstrap over 6 videos. So few say little." in result.stdout
    assert "Calibration error on test (15 bins): 0." in result.stdout
    assert ", fitted on validation." in result.stdout
    assert "With one label a video, micro-F1 is accuracy." in result.stdout
    assert "Next: predict-videos 'my head' NEW_VIDEOS" in result.stdout


def test_train_head_prints_the_most_frequent_of_many_labels(
    run: Callable[..., Result], make_store: Callable[..., Path]
) -> None:
    counts = {f"c{index:02d}": 3 if index < 24 else 6 for index in range(25)}
    ids = [f"{name}/{number}.mp4" for name, count in counts.items() for number in range(count)]
    store = make_store({video_id: np.zeros((1, 16)) for video_id in ids})
    run("split_videos", store, "--test-size", 0.34, "--validation-size", 0)

    result = run("train_head", store, "--split", "split.csv", "--epochs", 1)

    table = result.stdout.split("test, by label")[1].split("\n\n")[0].splitlines()[1:]
    assert table[0].startswith("c24 ")
    assert table[20:] == ["... and 5 more, in report.json"]


def test_train_head_writes_a_page_where_it_is_asked_to(trained: Callable[..., Result], tmp_path: Path) -> None:
    result = trained("train_head", "embeddings.h5", "--split", "split.csv", "--epochs", 1, "--html", "--json")

    assert result.exit_code == 0, result.output
    assert "-> head/report.html" in result.stderr
    assert json.loads(result.stdout)["head"] == "head"
    assert (tmp_path / "head" / "report.html").read_text().startswith("<!doctype html>")


def test_train_head_prints_json_for_programs(run: Callable[..., Result], toy_store: Path) -> None:
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--json", "--arch", "transformer", "--mixup", "0")

    figures = json.loads(result.stdout)
    assert figures["head"] == "head"
    assert figures["test_videos"] == 6
    assert {"micro_f1", "macro_f1", "seconds"} <= set(figures)
    assert figures["config"]["mixup"] == 0


def test_an_unknown_arch_is_refused_with_the_list(run: Callable[..., Result], toy_store: Path) -> None:
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--arch", "lineal")

    assert result.exit_code == 2
    assert "no head called 'lineal'. Choose one of: linear, mlp, random-frame, transformer" in result.stderr


@pytest.mark.parametrize(
    ("option", "package"),
    [(("--html",), "cleanlab"), (("--log-to", "mlflow"), "mlflow"), (("--log-to", "wandb"), "wandb")],
    ids=["html", "mlflow", "wandb"],
)
def test_an_absent_package_is_noticed_before_the_training(
    run: Callable[..., Result],
    toy_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
    package: str,
) -> None:
    run("split_videos", toy_store)
    monkeypatch.setitem(sys.modules, package, None)

    result = run("train_head", toy_store, "--split", "split.csv", *option)

    assert result.exit_code == 2
    assert "pip install 'framehead[" in result.stderr
    assert not (tmp_path / "head").exists()


def test_a_refused_record_costs_no_result(
    run: Callable[..., Result], toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--log-to", "mlflow", "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["test_videos"] == 6
    assert "head holds the trained head, but MLflow refuses" in result.stderr

import json
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from classify import TrainConfig
from classify.heads.registry import HEADS


def test_train_head_prints_figures_of_each_part_and_what_to_type_next(
    run: Callable[..., Result], toy_store: Path
) -> None:
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--learning-rate", "0.02", "-o", "my head")

    assert result.exit_code == 0
    lines, words = result.stdout.splitlines(), " ".join(result.stdout.split())
    assert "Loss: softmax and cross-entropy, since every video has one label." in words
    start = lines.index("on 6 test videos     micro-F1    95% interval  macro-F1    mAP  GAP@20")
    assert [line.split() for line in lines[start + 1 : start + 5] if "statistics" not in line] == [
        ["majority", "0.333", "0.000", "to", "0.667", "0.167", "0.333", "0.333"],
        ["logistic", "regression", "1.000", "0.610", "to", *["1.000"] * 4],
        ["this", "head", "1.000", "0.610", "to", *["1.000"] * 4],
    ]
    assert "validation       1.000  0.610 to 1.000     1.000  1.000   1.000       6" in lines
    assert "train            1.000               -     1.000  1.000   1.000      48" in lines
    assert "The test videos of this split were looked at once, after training." in words
    assert (
        "bootstrap over 6 videos, Wilson's where all are right or all are wrong. So few make intervals unreliable."
        in words
    )
    assert "Calibration error on test (15 bins): 0." in words
    assert ", fitted on validation and held-out folds." in words
    assert "Every video has one label, so micro-F1 is accuracy." in words
    assert max(map(len, lines)) <= 80
    assert result.stderr.endswith("\nNext:\npredict-videos 'my head' NEW_VIDEOS\n")


def test_train_head_says_plainly_if_it_is_no_better_than_logistic_regression(
    run: Callable[..., Result], toy_store: Path
) -> None:
    run("split_videos", toy_store)

    good = run("train_head", toy_store, "--split", "split.csv", "--learning-rate", "0.02")
    bad = run("train_head", toy_store, "--split", "split.csv", "--epochs", 1, "--learning-rate", 1e-9, "--mixup", 0)

    said = "This head is not better beyond noise than logistic regression: +0.0 points of micro-F1 (95% interval "
    assert f"{said}-39.0 to +39.0, paired on the test videos)." in " ".join(good.stdout.split())
    assert "This head is worse than logistic regression: -" in " ".join(bad.stdout.split())


def test_train_head_shows_exact_matches_where_videos_have_several_labels(
    run: Callable[..., Result], make_store: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    store = make_store({f"{index:02d}": rng.standard_normal((2, 16)) for index in range(40)})
    rows = "".join(f"{index:02d},{('x', 'y', 'x|y')[index % 3]}\n" for index in range(40))
    (tmp_path / "labels.csv").write_text(f"id,labels\n{rows}")
    run("split_videos", store, "--labels", "labels.csv")

    result = run("train_head", store, "--labels", "labels.csv", "--split", "split.csv", "--epochs", 1)

    assert "micro-F1    95% interval  macro-F1  exact    mAP  GAP@20\n" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_help_names_every_head_and_fits_80_columns(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    text = run("train_head", "--help").stdout

    options = text.split("Options:")[1].split("Labels:")[0]
    assert set(HEADS) | {"auto"} <= set(re.findall(r"[\w-]+", options))
    assert re.findall(r"^  (?:-o, )?(--[\w-]+)", options, flags=re.MULTILINE) == [
        *("--labels", "--split", "--output", "--arch", "--mixup", "--budget", "--html"),
    ]
    assert max(map(len, text.splitlines())) <= 80


BAD = {
    "arch": "lineal",
    "mixup": -0.1,
    "epochs": 0,
    "batch_size": 0,
    "learning_rate": -1,
    "seed": -1,
    "device": "tpu",
    "project": 0,
    "max_frames": 0,
    "dropout": 1,
    "positions": "rotary",
    "optimizer": "sgd",
    "weight_decay": "nan",
    "schedule": "step",
    "warm_up": 1.5,
    "clip_norm": 0,
    "patience": 0,
    "label_smoothing": -1,
    "class_weights": "auto",
    "thresholds": "best",
}
"""A bad value of every setting that has one; switches do not."""
UNNAMED = {"arch": "There is no head called 'lineal'", "device": "There is no device 'tpu' here"}


def test_every_setting_that_can_have_a_bad_value_is_tried() -> None:
    assert {setting.name for setting in fields(TrainConfig) if setting.metadata} - BAD.keys() == {
        *("standardise", "mixed_precision", "stream", "pretrained"),
    }


@pytest.mark.parametrize(("setting", "value"), BAD.items(), ids=BAD)
def test_a_bad_value_is_refused_by_the_name_that_was_typed(
    run: Callable[..., Result], toy_store: Path, setting: str, value: object
) -> None:
    run("split_videos", toy_store)
    option = f"--{setting.replace('_', '-')}"

    result = run("train_head", toy_store, "--split", "split.csv", option, value)

    assert result.exit_code == 2
    message = " ".join(result.stderr.split("Error: ")[1].split())
    refused = (f"{option} is {value}. ", f"{option} is {value}.0. ", f"Invalid value for '{option}': '{value}' is not")
    assert message.startswith((UNNAMED.get(setting, refused[0]), *refused))
    assert "_" not in message


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
    text = (tmp_path / "head" / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    shown = re.sub("<.*?>", "", text.split("<dt>Command</dt>")[1].split("</div>")[0])
    assert shown == "train-head embeddings.h5 --split split.csv --epochs 1 --html --json"


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
    assert "pip install '.[" in result.stderr
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


def test_a_named_recipe_fills_in_what_is_not_given(run: Callable[..., Result], toy_store: Path) -> None:
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--recipe", "clip-mixup", "--epochs", "2", "--json")

    config = json.loads(result.stdout)["config"]
    assert (config["mixup"], config["epochs"], config["learning_rate"]) == (0.4, 2, 0.001)
    assert (config["schedule"], config["weight_decay"]) == ("constant", 0.0)


def test_an_unknown_recipe_is_refused_with_those_that_there_are(run: Callable[..., Result], toy_store: Path) -> None:
    result = run("train_head", toy_store, "--split", "split.csv", "--recipe", "clip")

    assert result.exit_code == 2
    assert "clip-mixup" in result.stderr


def test_a_folder_of_videos_in_place_of_a_store_is_said_before_a_split_is_asked_for(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()

    result = run("train_head", "videos")

    assert result.exit_code == 2
    assert "videos is a folder of videos, not a store" in " ".join(result.stderr.split())

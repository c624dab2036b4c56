import csv
import json
import os
import sys
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classify import (
    CompareConfig,
    Comparison,
    Contender,
    HeadError,
    LabelledSet,
    SplitConfig,
    TrainConfig,
    TrainError,
    compare_heads,
    fold_videos,
    read_labels,
)
from classify.comparison.baselines import mean_vectors
from classify.comparison.contenders import NO_DIFFERENCE, verdict
from embed import EmbeddingStore

QUICK = CompareConfig(
    archs=("linear", "random-frame"),
    baselines=("majority", "logistic-regression", "nearest-neighbours"),
    folds=3,
    seeds=2,
    jobs=1,
    recipe=TrainConfig(learning_rate=0.1),
)


def found_of(comparison: Comparison, name: str, mixup: float | None = None) -> Contender:
    return next(found for found in comparison.contenders if (found.name, found.mixup) == (name, mixup))


def test_every_head_and_baseline_has_its_row_the_best_first(toy_store: Path, tmp_path: Path) -> None:
    comparison = compare_heads(toy_store, tmp_path / "comparison", config=QUICK)

    assert found_of(comparison, "linear", 0.0).micro_f1.value == 1.0
    assert found_of(comparison, "majority").micro_f1.value < 0.4
    scores = [found.micro_f1.value for found in comparison.contenders]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 7
    assert found_of(comparison, "linear", 0.0).parameters == 3 * 16 + 3


def test_the_standard_baselines_are_there_whatever_is_named(
    toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(QUICK, archs=(), baselines=("nearest-neighbours",), standard=True, seeds=1)

    small = compare_heads(toy_store, tmp_path / "small", config=asked)
    monkeypatch.setattr("classify.comparison.baselines._QUICK_WORK", 60 * 16 * 3)
    large = compare_heads(toy_store, tmp_path / "large", config=asked)

    standard = {"majority", "logistic-regression", "logistic-statistics"}
    assert {found.name for found in small.contenders} == {"nearest-neighbours", *standard}
    assert {found.name for found in large.contenders} == {"nearest-neighbours", *standard} - {"logistic-statistics"}


def test_a_difference_that_is_there_is_seen(toy_store: Path, tmp_path: Path) -> None:
    comparison = compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, baselines=("majority",)))

    head = found_of(comparison, "linear", 0.0)
    assert head.over_baseline is not None
    assert verdict(head.over_baseline) == "better"
    assert head.over_baseline.value == pytest.approx(1 - found_of(comparison, "majority").micro_f1.value)


def test_noise_is_called_noise(random_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, baselines=("logistic-regression",), seeds=3)

    comparison = compare_heads(random_store, tmp_path / "comparison", config=config)

    differences = [found.over_best for found in comparison.contenders if found.over_best is not None]
    assert [verdict(found) for found in differences] == [NO_DIFFERENCE] * 4
    assert all(0.3 < found.micro_f1.value < 0.7 for found in comparison.contenders)


def test_logistic_regression_scores_what_scikit_learn_says(random_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, archs=(), baselines=("logistic-regression",), seeds=1)

    comparison = compare_heads(random_store, tmp_path / "comparison", config=config)

    with EmbeddingStore(random_store) as store:
        table = read_labels(store)
        means, classes = mean_vectors(LabelledSet.read(store, table).videos), table.targets.argmax(axis=1)
    fold_of, predicted = fold_videos(table, 3, seed=0), np.zeros(60, dtype=np.int64)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    for fold in range(3):
        predicted[fold_of == fold] = model.fit(means[fold_of != fold], classes[fold_of != fold]).predict(
            means[fold_of == fold]
        )
    assert comparison.contenders[0].micro_f1.value == f1_score(classes, predicted, average="micro")
    assert comparison.contenders[0].macro_f1 == pytest.approx(f1_score(classes, predicted, average="macro"))


def test_groups_are_drawn_whole(toy_store: Path, tmp_path: Path) -> None:
    rows = [f"{label}/{number:02d}.mp4,{label},{number % 5}" for label in ("hug", "kick") for number in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,scene", *rows]))
    config = replace(QUICK, archs=(), split=SplitConfig(group_by="scene", validation_size=0))

    comparison = compare_heads(toy_store, tmp_path / "comparison", labels=tmp_path / "labels.csv", config=config)

    assert (comparison.unit, comparison.unit_count) == ("groups", 5)


@pytest.mark.parametrize(("has_gpu", "processes"), [(False, 2), (True, 0)], ids=["on a CPU", "on a GPU"])
def test_one_training_runs_per_core_and_one_at_a_time_on_a_gpu(
    toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_gpu: bool, processes: int
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**40, 2**40))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    seen: list[int] = []
    config = replace(QUICK, archs=(), baselines=("majority",), seeds=1, jobs=None)

    compare_heads(
        toy_store, tmp_path / "comparison", config=config, on_result=lambda *_: seen.append(len(active_children()))
    )

    assert seen[0] == processes


def test_an_option_of_some_heads_leaves_the_others_as_they_are(random_store: Path, tmp_path: Path) -> None:
    recipe = TrainConfig(epochs=1, learning_rate=0.01)
    config = replace(QUICK, archs=("linear", "mlp"), mixups=(0.0,), baselines=(), seeds=1, recipe=recipe)

    compare_heads(random_store, tmp_path / "plain", config=config)
    compare_heads(random_store, tmp_path / "dropped", config=replace(config, recipe=replace(recipe, dropout=0.9)))

    plain, dropped = (_rows_by_head((tmp_path / name / "runs.csv").read_text()) for name in ("plain", "dropped"))
    assert plain["linear"] == dropped["linear"]
    assert plain["mlp"] != dropped["mlp"]


def _rows_by_head(text: str) -> dict[str, list[list[str]]]:
    rows = sorted([*row[:7], *row[8:]] for row in csv.reader(text.splitlines()))  # without the seconds
    return {name: [row for row in rows if row[0] == name] for name in ("linear", "mlp")}


def test_an_unknown_baseline_is_refused_with_those_there_are() -> None:
    message = r"no baseline 'logistic'\. Choose one of: majority, logistic-regression, logistic-statistics, nearest-n"
    with pytest.raises(TrainError, match=message):
        CompareConfig(baselines=("majority", "logistic"))


def test_an_option_that_no_head_takes_is_refused(toy_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, recipe=TrainConfig(dropout=0.3))

    with pytest.raises(TrainError, match=r"dropout is 0\.3, but no head here takes it: linear, random-frame\. Leave"):
        compare_heads(toy_store, tmp_path / "comparison", config=config)


def test_an_unknown_head_is_refused_before_anything_is_trained_or_written(toy_store: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadError, match="no head called 'perceptron'"):
        compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=("linear", "perceptron")))
    assert not (tmp_path / "comparison").exists()


def test_what_no_fold_can_be_trained_on_is_refused_before_anything_is_written(toy_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, recipe=replace(QUICK.recipe, patience=2))

    with pytest.raises(TrainError, match=r"Fold 1 of seed 0 .* no validation videos .* --validation-size above 0"):
        compare_heads(toy_store, tmp_path / "comparison", config=config)
    assert not (tmp_path / "comparison").exists()


def test_a_fold_that_leaves_one_label_is_refused_before_anything_is_written(toy_store: Path, tmp_path: Path) -> None:
    rows = [f"hug/{number:02d}.mp4,hug,{number % 2}" for number in range(4)]
    rows += [f"kick/{number:02d}.mp4,kick,2" for number in range(2)]  # one group, so some fold tests them all
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,scene", *rows]))
    config = replace(QUICK, split=SplitConfig(group_by="scene", validation_size=0))

    with pytest.raises(TrainError, match=r"Fold \d of seed 0 cannot be trained on\. The 4 training videos show 1 of 2"):
        compare_heads(toy_store, tmp_path / "comparison", labels=tmp_path / "labels.csv", config=config)
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"archs": (), "baselines": ()}, "nothing to compare", id="nothing"),
        pytest.param({"mixups": ()}, "no mixup to train with", id="no mixup"),
        pytest.param({"mixups": (-1.0,)}, "mixup is -1.0", id="negative mixup"),
        pytest.param({"seeds": 0}, "seeds is 0", id="no seed"),
        pytest.param({"jobs": 0}, "jobs is 0", id="no job"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        replace(QUICK, **change)  # type: ignore[arg-type]


def test_the_summary_file_has_the_table_and_verdicts(toy_store: Path, tmp_path: Path) -> None:
    compare_heads(toy_store, tmp_path / "comparison", config=QUICK)

    summary = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    last = summary["contenders"][-1]
    assert last["name"] == "majority"
    assert last["against_best"] == "worse"
    assert last["over_best"]["high"] < 0


def test_the_picture_is_drawn(toy_store: Path, tmp_path: Path) -> None:
    compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=()))

    assert (tmp_path / "comparison" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_a_table_and_a_note(
    toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    comparison = compare_heads(toy_store, tmp_path / "comparison", config=replace(QUICK, archs=()))

    assert comparison.notes == ("There is no picture. To get one: pip install '.[plots]' in framehead's folder",)
    assert not (tmp_path / "comparison" / "comparison.png").exists()

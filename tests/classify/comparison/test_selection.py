import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from classify import LabelledSet, LabelTable, TrainConfig, TrainError, fit_head, split_videos, train_head
from classify.comparison.candidates import list_candidates
from classify.comparison.selection import _Budget, _Candidate, _Race, choose_recipe
from classify.heads.linear import LinearHead
from classify.heads.registry import HEADS
from classify.report.texts import report_text
from classify.training.logits import predict_probabilities
from tests.classify.conftest import labelled

ROOT = Path(__file__).parents[3]
LINEAR, STATISTICS, RNN = (
    TrainConfig(arch=arch, mixup=0, epochs=12, learning_rate=0.01, device="cpu")
    for arch in ("linear", "statistics", "rnn")
)
SHORT = replace(LINEAR, epochs=3)
AMPLE_S = 1e6
EVERY = np.arange(120)
NOBODY = np.array([], dtype=np.int64)


@dataclass
class Clock:
    """Tells seconds: as many more each time as a call takes."""

    call_s: float = 1.0
    now_s: float = 0.0

    def __call__(self) -> float:
        self.now_s += self.call_s
        return self.now_s


def table_of(dataset: LabelledSet, groups: tuple[str, ...] | None = None) -> LabelTable:
    return LabelTable(dataset.videos.ids, dataset.names, dataset.targets, groups)


@pytest.fixture
def in_order() -> LabelledSet:
    """120 videos of 6 vectors; of one class they rise along a direction, of the other they fall the same way."""
    rng, classes = np.random.default_rng(0), np.arange(120) % 2
    rise = np.linspace(-2, 2, 6)[:, None] * np.eye(16)[0]
    return labelled(np.where(classes[:, None, None], rise[::-1], rise) + 0.3 * rng.normal(size=(120, 6, 16)), classes)


def test_a_head_that_sees_order_is_chosen_where_nothing_else_tells(in_order: LabelledSet) -> None:
    found = choose_recipe(in_order, table_of(in_order), EVERY, [LINEAR, STATISTICS, RNN], budget_s=AMPLE_S)

    linear, statistics, rnn = (np.mean(tried.scores) for tried in found.tried)
    assert found.config == RNN
    assert rnn > 0.95
    assert max(linear, statistics) < 0.7


def test_of_equally_good_candidates_the_plainest_is_chosen(separable: LabelledSet) -> None:
    longer = replace(LINEAR, epochs=25)

    found = choose_recipe(separable, table_of(separable), EVERY, [LINEAR, longer], budget_s=AMPLE_S)

    assert found.config == LINEAR
    assert found.gain == 0
    assert found.tried[0].scores == found.tried[1].scores == (1.0,) * 20


def test_the_better_half_goes_on_and_the_first_is_never_dropped(separable: LabelledSet) -> None:
    idle = [replace(SHORT, learning_rate=1e-6, mixup=0.1 * times) for times in range(4)]

    found = choose_recipe(separable, table_of(separable), EVERY, [*idle, SHORT], budget_s=AMPLE_S)

    folds = [len(tried.scores) for tried in found.tried]
    assert folds[0] == folds[4] == 20  # two and three of the first partition, and three partitions more
    assert sorted(folds[1:4])[:2] == [2, 2]
    assert [tried.outcome for tried in found.tried] == ["dropped"] * 4 + ["chosen"]


def test_a_head_that_is_worse_by_its_first_recipe_is_not_tested_by_others(separable: LabelledSet) -> None:
    worse = replace(STATISTICS, learning_rate=1e-9, epochs=1)

    found = choose_recipe(separable, table_of(separable), EVERY, [LINEAR, worse, STATISTICS], budget_s=AMPLE_S)

    assert [tried.outcome for tried in found.tried] == ["chosen", "dropped", "skipped"]


def test_groups_stay_whole_in_the_folds() -> None:
    """Every group has a mark of its own, and a label by chance: who has seen the group knows the label."""
    rng, group_of = np.random.default_rng(0), np.arange(120) // 6
    marks = 3 * rng.normal(size=(20, 16))[group_of][:, None]
    marked = labelled(marks + 0.1 * rng.normal(size=(120, 2, 16)), rng.integers(0, 2, 20)[group_of])
    groups = tuple(f"{group}" for group in group_of)

    alone = choose_recipe(marked, table_of(marked), EVERY, [LINEAR], budget_s=AMPLE_S)
    grouped = choose_recipe(marked, table_of(marked, groups), EVERY, [LINEAR], budget_s=AMPLE_S)

    assert np.mean(alone.tried[0].scores) > 0.95
    assert np.mean(grouped.tried[0].scores) < 0.7


def test_where_time_ends_within_a_round_what_is_chosen_is_no_worse_than_the_first_on_all_its_folds(
    separable: LabelledSet,
) -> None:
    first, lucky, unfinished = (
        _Candidate(config, scores)
        for config, scores in (
            (LINEAR, [0.5, 0.5, 0.9, 0.9, 0.9]),
            (SHORT, [0.7, 0.7, 0.5, 0.5, 0.5]),
            (STATISTICS, [0.6, 0.6]),
        )
    )

    assert _Race(separable, [first, lucky, unfinished], _Budget(Clock(), 0, 1, 1)).best is first
    lucky.scores = [0.7, 0.7, 0.9, 0.9, 0.9]
    assert _Race(separable, [first, lucky, unfinished], _Budget(Clock(), 0, 1, 1)).best is lucky


@pytest.mark.parametrize("budget_s", [30, 100, 300, 1000])
def test_choice_and_last_training_fit_into_the_budget(separable: LabelledSet, budget_s: float) -> None:
    candidates = [replace(recipe, epochs=epochs) for recipe in (LINEAR, STATISTICS) for epochs in (4, 8, 16, 800)]

    found = choose_recipe(separable, table_of(separable), EVERY, candidates, budget_s=budget_s, clock=Clock(1 / 8))

    assert found.seconds + found.config.epochs <= budget_s  # the clock is asked once a step, of which 8 are an epoch
    assert all(not tried.scores for tried in found.tried if tried.settings["epochs"] == 800)
    assert {tried.outcome for tried in found.tried} <= {"chosen", "dropped", "skipped", "too slow", "not reached"}


def test_without_time_for_anything_the_first_is_chosen_untested(separable: LabelledSet) -> None:
    clock = Clock(call_s=10)

    found = choose_recipe(separable, table_of(separable), EVERY, [LINEAR, RNN], budget_s=1, clock=clock)

    assert found.config == LINEAR
    assert found.gain is None
    assert [tried.outcome for tried in found.tried] == ["chosen", "not reached"]
    assert clock.now_s < 100  # not the twenty epochs of a fold


class SlowHead(LinearHead):
    """Takes half a second of its clock to look at any batch."""

    clock = Clock()

    def classify(self, rows: Tensor) -> Tensor:
        self.clock.now_s += 0.5
        return super().classify(rows)


@pytest.mark.parametrize("is_first", [True, False], ids=["alone", "after linear"])
def test_a_head_is_given_up_within_its_first_epoch_where_that_is_too_slow(
    separable: LabelledSet, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    monkeypatch.setitem(HEADS, "slow", SlowHead)
    monkeypatch.setattr(SlowHead, "clock", clock := Clock(call_s=0))
    slow = replace(SHORT, arch="slow", batch_size=1)  # 96 steps an epoch: 48 s
    candidates = [slow] if is_first else [replace(SHORT, epochs=1), slow]

    found = choose_recipe(separable, table_of(separable), EVERY, candidates, budget_s=3, clock=clock)

    assert found.seconds == clock.now_s <= 3.5  # the step that is too late has begun in time
    assert found.config == candidates[0]
    assert found.tried[-1].scores == ()
    assert found.tried[-1].outcome == ("chosen" if is_first else "too slow")


def test_a_last_training_that_is_too_slow_is_cut_and_the_report_says_where(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    config = TrainConfig(arch="auto", device="cpu")

    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=config, budget_s=1e-6)

    assert report.history[-1].step == 1
    (note,) = report.notes
    assert note == (
        "The budget of 1e-06 s ended the training after 1 step, in epoch 1 of 268: the head may have learned too "
        "little. Use a larger --budget."
    )
    assert json.loads((tmp_path / "head" / "report.json").read_text())["notes"] == [note]


def test_the_last_training_ends_when_the_rest_of_the_budget_is_spent(
    toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(call_s=1)
    monkeypatch.setitem(choose_recipe.__kwdefaults__, "clock", clock)
    monkeypatch.setattr("classify.experiment.perf_counter", clock)
    split_videos(toy_store, tmp_path / "split.csv")
    config = TrainConfig(arch="auto", device="cpu")

    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=config, budget_s=100)

    assert report.selection is not None
    assert report.selection.seconds > 20
    assert report.notes[0].startswith("The budget of 100 s ended the training after ")
    assert clock.now_s == pytest.approx(100, abs=5)


def test_linear_comes_first_as_logistic_regression(noisy: LabelledSet) -> None:
    train, test, classes = np.arange(200), np.arange(200, 300), noisy.targets.argmax(axis=1)
    videos = noisy.videos.rows_of(np.arange(300)).reshape(300, 4, 16)
    recipe = list_candidates(noisy, train, TrainConfig(device="cpu"))[0]

    run = fit_head(noisy, train, NOBODY, recipe)

    found = predict_probabilities(run.head, noisy.videos, None)[test]
    means = run.head.scale(videos.mean(axis=1))
    # Of two classes scikit-learn has one row of weights, half of which each of the head's has: C=2 is as strict as 1.
    expected = LogisticRegression(C=2).fit(means[train], classes[train]).predict_proba(means[test])
    assert recipe.arch == "linear"
    assert np.abs(found - expected).max() < 0.05


@pytest.mark.parametrize(
    "setting",
    [
        {"optimizer": "adamw"},
        {"warm_up": 0.9},
        {"clip_norm": 1e-3},
        {"label_smoothing": 0.2},
        {"standardise": False},
        {"batch_size": 300},
        {"class_weights": "balanced"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_linear_comes_first_as_logistic_regression_whatever_is_asked_for(setting: dict[str, Any]) -> None:
    rng, classes = np.random.default_rng(0), (np.arange(300) % 4 == 0).astype(int)
    vectors = 0.01 * (classes[:, None, None] * 0.25 + rng.normal(size=(300, 4, 16)))
    uneven, train, test = labelled(vectors, classes), np.arange(200), np.arange(200, 300)
    recipe = list_candidates(uneven, train, TrainConfig(device="cpu", **setting))[0]

    run = fit_head(uneven, train, NOBODY, recipe)

    found = predict_probabilities(run.head, uneven.videos, None)[test]
    means = (vectors.mean(axis=1) - vectors[train].mean(axis=(0, 1))) / vectors[train].std(axis=(0, 1))
    weight = "balanced" if "class_weights" in setting else None
    model = LogisticRegression(C=2, class_weight=weight).fit(means[train], classes[train])
    assert np.abs(found - model.predict_proba(means[test])).max() < 0.04


def test_every_head_that_can_take_the_vectors_is_a_candidate(separable: LabelledSet) -> None:
    found = [recipe.arch for recipe in list_candidates(separable, EVERY, TrainConfig())]

    assert {"statistics", "transformer", "random-frame", "lstm"} <= set(found)
    assert found.index("statistics") < found.index("attention") < found.index("clip4clip")


@pytest.mark.parametrize("budget_s", [0, -1, float("nan")])
def test_a_budget_of_nothing_is_refused(separable: LabelledSet, budget_s: float) -> None:
    with pytest.raises(TrainError, match=r"The budget is .* s\. Use a number of seconds above 0\."):
        choose_recipe(separable, table_of(separable), EVERY, [LINEAR], budget_s=budget_s)


def test_a_single_group_is_refused(separable: LabelledSet) -> None:
    with pytest.raises(TrainError, match=r"120 training videos in 1 group cannot be cross-validated.*Add groups"):
        choose_recipe(separable, table_of(separable, ("one",) * 120), EVERY, [LINEAR])


def test_a_budget_for_a_named_head_is_refused(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")

    with pytest.raises(TrainError, match=r"A budget of 5 s has no effect on the linear head.*Leave out `budget`"):
        train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", budget_s=5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mixup": 0.0}, r"`mixup` is 0\.0"),
        ({"dropout": 0.3}, r"`dropout` is 0\.3"),
        ({"epochs": 5, "schedule": "cosine"}, "`epochs` is 5, `schedule` is cosine"),
        ({"learning_rate": 0.1, "weight_decay": 0.1}, r"`learning_rate` is 0\.1, `weight_decay` is 0\.1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_auto_chooses_are_refused_before_anything_is_read(
    tmp_path: Path, setting: dict[str, float | str], message: str
) -> None:
    config = TrainConfig(arch="auto", **setting)  # type: ignore[arg-type]

    with pytest.raises(
        TrainError, match=rf"auto chooses these itself, but {message}\. Leave them out, or name a head with"
    ):
        train_head(tmp_path / "absent.h5", tmp_path / "split.csv", tmp_path / "head", config=config)


def test_settings_that_auto_does_not_choose_are_kept(separable: LabelledSet) -> None:
    config = TrainConfig(arch="auto", batch_size=8, clip_norm=1.0, label_smoothing=0.1, max_frames=2, project=4)

    first, *others = list_candidates(separable, EVERY, config)

    assert {(one.batch_size, one.max_frames) for one in (first, *others)} == {(8, 2)}
    assert {(one.clip_norm, one.label_smoothing) for one in others} == {(1.0, 0.1)}


def test_a_note_names_the_settings_that_logistic_regression_has_of_its_own(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    config = TrainConfig(arch="auto", device="cpu", optimizer="adamw", clip_norm=1.0)

    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=config, budget_s=1)

    assert report.classifier.config.optimizer == "adam"
    assert (
        "so these have no effect: `optimizer` adamw, `clip_norm` 1.0. To use them, name a head with --arch."
        in report.notes[0]
    )


def test_the_report_says_what_was_tried_and_chosen(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")

    report = train_head(
        toy_store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(arch="auto"), budget_s=1
    )

    written = json.loads((tmp_path / "head" / "report.json").read_text())
    assert report.parts["test"].micro_f1 == 1.0
    assert written["config"]["arch"] == report.classifier.config.arch == "linear"
    assert written["selection"]["budget_s"] == 1
    assert written["selection"]["tried"][0]["settings"]["arch"] == "linear"
    assert "Chosen: arch linear, mixup 0, epochs " in report_text(report)


def test_the_benchmark_holds_the_choice_against_every_candidate(toy_store: Path, tmp_path: Path) -> None:
    rows = [f"{name}/{index:02d}.mp4,{name},{index % 4}" for name in ("hug", "kick", "wave") for index in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,group", *rows]) + "\n")
    script, few = str(ROOT / "scripts" / "benchmark_auto.py"), ("--budget", "0.5", "--folds", "2")

    result = subprocess.run(
        [sys.executable, script, str(toy_store), str(tmp_path / "labels.csv"), *few],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    cells = [line.strip("| ").split(" | ") for line in result.stdout.splitlines() if line.startswith("| ")]
    assert cells[2][:2] == ["auto", "1.000"]
    assert cells[3][0] == "logistic regression on the mean"

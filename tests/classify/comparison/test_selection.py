import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from classify import HeadError, LabelledSet, LabelTable, TrainConfig, TrainError, split_videos, train_head
from classify.comparison.selection import choose_recipe
from classify.heads.linear import LinearHead
from classify.heads.registry import HEADS
from classify.report.texts import report_text
from tests.classify.conftest import labelled

ROOT = Path(__file__).parents[3]
LINEAR, STATISTICS, RNN = (
    TrainConfig(arch=arch, epochs=12, learning_rate=0.02, schedule="constant", device="cpu")
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
    idle = [replace(SHORT, learning_rate=1e-6, mixup=0.1 * times) for times in range(12)]

    found = choose_recipe(separable, table_of(separable), EVERY, [*idle, SHORT], budget_s=AMPLE_S)

    folds = [len(tried.scores) for tried in found.tried]
    assert folds[0] == folds[-1] == 20  # four partitions of five
    assert sorted(folds[1:-1])[:5] == [5] * 5
    assert [tried.outcome for tried in found.tried] == ["dropped"] * 12 + ["chosen"]
    assert found.common_folds == 20


def test_groups_stay_whole_in_the_folds() -> None:
    """Every group has a mark of its own, and a label by chance: who has seen the group knows the label."""
    rng, group_of = np.random.default_rng(0), np.arange(120) // 6
    marks = 3 * rng.normal(size=(20, 16))[group_of][:, None]
    marked = labelled(marks + 0.1 * rng.normal(size=(120, 2, 16)), rng.integers(0, 2, 20)[group_of])
    groups = tuple(f"{group}" for group in group_of)

    alone = choose_recipe(marked, table_of(marked), EVERY, [LINEAR], budget_s=AMPLE_S)
    grouped = choose_recipe(marked, table_of(marked, groups), EVERY, [LINEAR], budget_s=AMPLE_S)

    assert np.mean(alone.tried[0].scores) > 0.9
    assert np.mean(grouped.tried[0].scores) < 0.7


@pytest.mark.parametrize("budget_s", [30, 100, 300, 1000])
def test_choice_and_last_training_fit_into_the_budget(separable: LabelledSet, budget_s: float) -> None:
    candidates = [replace(recipe, epochs=epochs) for recipe in (LINEAR, STATISTICS) for epochs in (4, 8, 16, 800)]

    found = choose_recipe(separable, table_of(separable), EVERY, candidates, budget_s=budget_s, clock=Clock(1 / 8))

    last_s = sum(member.config.epochs or 0 for member in found.members)  # a step is an eighth, and an epoch has eight
    assert found.seconds + last_s <= budget_s
    assert {tried.outcome for tried in found.tried} <= {"chosen", "averaged", "dropped", "too slow", "not reached"}


@pytest.mark.parametrize("call", [2, 20, 100, 1000])
def test_a_clock_that_jumps_costs_no_more_than_tests(separable: LabelledSet, call: int) -> None:
    """The machine halts for the whole budget at some look at the clock; what is chosen is no worse than the first."""
    clock, calls = Clock(0.01), 0

    def jumping() -> float:
        nonlocal calls
        calls += 1
        clock.now_s += 60 * (calls == call)
        return clock()

    found = choose_recipe(
        separable, table_of(separable), EVERY, [SHORT, LINEAR, STATISTICS], budget_s=60, clock=jumping
    )

    assert found.gain is None or found.gain >= 0
    assert found.members[0].config.epochs in (SHORT.epochs, LINEAR.epochs)


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


def test_what_is_chosen_is_trained_to_its_end_whatever_the_budget(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    config = TrainConfig(arch="auto", device="cpu")
    plain = train_head(toy_store, tmp_path / "split.csv", tmp_path / "plain", config=TrainConfig(device="cpu"))

    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=config, budget_s=1e-6)

    assert report.classifier.config == plain.classifier.config  # without time to choose, it is the default
    assert report.history[-1].epoch == report.classifier.config.epochs
    assert report.parts["test"].micro_f1 == 1.0
    assert "more than the budget of 1e-06 s: what is chosen is trained to its end" in report.notes[-1]
    assert json.loads((tmp_path / "head" / "report.json").read_text())["notes"] == list(report.notes)


class FailingHead(LinearHead):
    """Fails in training, as a package's head may."""

    def classify(self, rows: Tensor) -> Tensor:
        raise HeadError(f"no kernel for {rows.ndim} axes")


def test_a_head_that_fails_in_training_is_left_out_and_told(
    separable: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HEADS, "failing", FailingHead)
    failing = replace(SHORT, arch="failing")

    found = choose_recipe(separable, table_of(separable), EVERY, [LINEAR, failing], budget_s=AMPLE_S)

    assert found.config == LINEAR
    assert found.tried[1].outcome == "failed"
    assert found.notes == ("The failing head failed in training and was left out: HeadError: no kernel for 3 axes",)


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
        ({"mixup": 0.4}, r"`mixup` is 0\.4"),
        ({"dropout": 0.3}, r"`dropout` is 0\.3"),
        ({"epochs": 5, "schedule": "constant"}, "`epochs` is 5, `schedule` is constant"),
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
    assert [row[0] for row in cells[3:5]] == ["logistic-regression", "logistic-statistics"]
    assert "Calibration error of auto, over all folds: 0.0" in result.stdout

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from classify import SplitConfig, TrainConfig, read_labels
from classify.comparison.trials import Trial, TrialPlan, TrialResult, run_trials
from classify.data.splits import fold_table
from embed import EmbeddingStore

TRIALS = [Trial(name, 0.4, 0, fold) for name in ("linear", "attention") for fold in range(3)]


@pytest.fixture
def plan(toy_store: Path) -> TrialPlan:
    with EmbeddingStore(toy_store) as store:
        table = read_labels(store)
    splits = {0: fold_table(table, 3, SplitConfig(validation_size=0))}
    return TrialPlan(toy_store, table, splits, TrainConfig(epochs=2))


def by_trial(plan: TrialPlan, jobs: int, trials: list[Trial] = TRIALS) -> dict[Trial, TrialResult]:
    return {result.trial: result for result in run_trials(plan, trials, jobs)}


def test_several_processes_find_what_one_finds(plan: TrialPlan) -> None:
    alone, together = by_trial(plan, 1), by_trial(plan, 2)

    assert alone.keys() == together.keys() == set(TRIALS)
    assert all((alone[trial].predicted == together[trial].predicted).all() for trial in TRIALS)
    assert [alone[t].mean_average_precision for t in TRIALS] == [together[t].mean_average_precision for t in TRIALS]


def test_what_a_fold_tests_influences_nothing_that_is_said_of_it(plan: TrialPlan) -> None:
    trials = [Trial(name, mixup, 0, 1) for name in ("linear", "attention") for mixup in (0.0, 0.4)]
    targets = plan.table.targets.copy()
    tested = plan.splits[0][1].indices("test")
    targets[tested] = np.roll(targets[tested], 1, axis=1)
    poisoned = replace(plan, table=replace(plan.table, targets=targets))

    before, after = by_trial(plan, 1, trials), by_trial(poisoned, 1, trials)

    assert all((before[trial].predicted == after[trial].predicted).all() for trial in trials)
    assert all(before[trial].micro_f1 != after[trial].micro_f1 for trial in trials)


@pytest.mark.parametrize("name", ["majority", "logistic-regression"])
def test_baselines_may_give_no_label_in_every_fold_where_one_video_has_several(plan: TrialPlan, name: str) -> None:
    shuffled = np.random.default_rng(0).permutation(plan.table.targets)
    shuffled[0] = True
    several = replace(plan, table=replace(plan.table, targets=shuffled))

    found = by_trial(several, 1, [Trial(name, 0.0, 0, fold) for fold in range(3)])

    assert all((result.predicted.sum(axis=1) != 1).any() for result in found.values())


def test_baselines_get_tuned_thresholds_where_heads_do(plan: TrialPlan) -> None:
    """A quarter of the videos shows each label, which the majority gives to none at 0.5, and to all when tuned."""
    targets = np.random.default_rng(0).random(plan.table.targets.shape) < 0.25
    table = replace(plan.table, targets=targets)
    splits = {0: fold_table(table, 3, SplitConfig(validation_size=0.2))}
    half = replace(plan, table=table, splits=splits)
    tuned = replace(half, recipe=replace(plan.recipe, thresholds="label-f1"))

    before, after = (by_trial(one, 1, [Trial("majority", 0.0, 0, 0)]).popitem()[1] for one in (half, tuned))

    assert not before.predicted.any()
    assert after.predicted.all()


def test_videos_on_disk_give_what_those_in_memory_give(plan: TrialPlan) -> None:
    streamed = by_trial(replace(plan, recipe=replace(plan.recipe, stream=True)), 1)

    assert all((by_trial(plan, 1)[trial].predicted == streamed[trial].predicted).all() for trial in TRIALS[::3])


def test_the_callers_threads_are_left_as_they_were(plan: TrialPlan) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        next(run_trials(plan, TRIALS[-1:], 1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from classify.errors import TrainError
from classify.heads.linear import LinearHead
from classify.heads.registry import HEADS
from classify.training.batches import LabelledSet
from classify.training.joint_training import TrainJob, fit_heads
from classify.training.recipe import TrainConfig
from classify.training.training import TrainingRun, fit_head

NOBODY = np.array([], dtype=np.int64)
POOLING = ("linear", "random-frame", "statistics", "motion", "moe")
JOINING = [
    *(pytest.param(TrainConfig(arch=arch), id=arch) for arch in POOLING),
    pytest.param(TrainConfig(arch="mlp", dropout=0), id="mlp without dropout"),
]


def assert_same(joint: TrainingRun, alone: TrainingRun) -> None:
    """Compare weights and histories up to the last digits."""
    weights = alone.head.state_dict()
    for name, tensor in joint.head.state_dict().items():
        torch.testing.assert_close(tensor, weights[name], atol=1e-4, rtol=1e-3)
    losses = [[record.train_loss for record in run.history] for run in (joint, alone)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert joint.best_epoch == alone.best_epoch


def fit_at_once(dataset: LabelledSet, jobs: list[TrainJob]) -> list[TrainingRun]:
    """Train heads that can join, and make sure that every step was one of all of them."""
    done: list[int] = []
    runs = fit_heads(dataset, jobs, on_step=lambda own, _: done.append(own))
    assert done == list(range(len(jobs), jobs[0].config.epochs * jobs[0].steps_an_epoch * len(jobs) + 1, len(jobs)))
    return runs


@pytest.mark.parametrize("config", JOINING)
@pytest.mark.parametrize("mixup", [0.0, 0.4], ids=["plain", "mixup"])
def test_seeds_that_train_at_once_return_the_same_heads_as_alone(
    separable: LabelledSet, config: TrainConfig, mixup: float
) -> None:
    train, validation = np.arange(90), np.arange(90, 120)  # 90 = 5 x 16 + 10: the last step is a short one
    jobs = [TrainJob(train, validation, replace(config, mixup=mixup, epochs=3, seed=seed)) for seed in (0, 1, 2)]

    joint = fit_at_once(separable, jobs)

    for run, job in zip(joint, jobs, strict=True):
        assert_same(run, fit_head(separable, job.train, job.validation, job.config))


@pytest.mark.parametrize(
    "setting",
    [
        {"clip_norm": 0.1},
        {"class_weights": "balanced", "label_smoothing": 0.1},
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "warm_up": 0.2},
        {"project": 4, "max_frames": 2},
        {"arch": "motion"},
    ],
    ids=lambda setting: "-".join(setting),
)
def test_folds_that_train_at_once_each_have_their_own_scale_weights_and_length(
    separable: LabelledSet, setting: dict[str, float | str]
) -> None:
    rare = replace(separable, targets=np.eye(3, dtype=np.bool_)[[0] * 70 + [1] * 30 + [2] * 20])
    folds = [np.random.default_rng(seed).permutation(120)[: 78 + seed] for seed in range(3)]
    config = TrainConfig(epochs=3, **setting)  # type: ignore[arg-type]
    jobs = [TrainJob(fold, NOBODY, replace(config, seed=seed)) for seed, fold in enumerate(folds)]

    joint = fit_at_once(rare, jobs)

    for run, job in zip(joint, jobs, strict=True):
        assert_same(run, fit_head(rare, job.train, job.validation, job.config))


def test_a_batch_of_more_videos_than_there_are_is_not_padded(
    separable: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Measuring(LinearHead):
        def classify(self, rows: Tensor) -> Tensor:
            sizes.append(rows.shape[-2])
            return super().classify(rows)

    monkeypatch.setitem(HEADS, "measuring", Measuring)
    config = TrainConfig(arch="measuring", epochs=3, batch_size=100_000, weight_decay=0.0)
    jobs = [TrainJob(np.arange(count), NOBODY, config) for count in (38, 39)]

    joint = fit_at_once(separable, jobs)

    assert max(sizes) == 39
    for run, job in zip(joint, jobs, strict=True):
        assert_same(run, fit_head(separable, job.train, job.validation, job.config))


def test_each_of_several_heads_ends_with_its_own_patience(separable: LabelledSet) -> None:
    shuffled = replace(separable, targets=np.random.default_rng(1).permutation(separable.targets))
    config = TrainConfig(mixup=0, learning_rate=0.03, epochs=30, patience=2)
    jobs = [TrainJob(np.arange(80), np.arange(80, 120), replace(config, seed=seed)) for seed in range(3)]

    joint = fit_heads(shuffled, jobs)

    assert len({len(run.history) for run in joint}) > 1
    for run, job in zip(joint, jobs, strict=True):
        assert_same(run, fit_head(shuffled, job.train, job.validation, job.config))


def test_jobs_of_all_kinds_come_back_in_their_order(separable: LabelledSet) -> None:
    configs = [
        TrainConfig(arch=arch, epochs=epochs, seed=seed, learning_rate=1e-3, weight_decay=0)
        for arch, epochs, seed in [("linear", 2, 0), ("mlp", 2, 0), ("linear", 3, 1), ("rnn", 1, 0), ("linear", 2, 1)]
    ]
    seen: list[tuple[int, int]] = []

    runs = fit_heads(
        separable,
        [TrainJob(np.arange(80), NOBODY, config) for config in configs],
        on_step=lambda *step: seen.append(step),
    )

    assert [run.config for run in runs] == configs
    assert [len(run.history) for run in runs] == [2, 2, 3, 1, 2]
    assert len(seen) == 10 + 10 + 15 + 5  # steps of 16 videos; two linear heads take theirs at once
    assert seen[-1] == (50, 50)


@pytest.mark.parametrize("arch", ["linear", "mlp"])
def test_folds_agree_on_the_kind_of_labels_also_where_one_lacks_the_videos_of_several(
    separable: LabelledSet, arch: str
) -> None:
    targets = separable.targets.copy()
    targets[0] = True
    jobs = [TrainJob(fold, NOBODY, TrainConfig(arch=arch, epochs=1)) for fold in (np.arange(80), np.arange(40, 120))]

    runs = fit_heads(replace(separable, targets=targets), jobs)

    assert [run.thresholds for run in runs] == [(0.5, 0.5, 0.5)] * 2


def test_the_number_of_labels_of_a_test_video_only_decides_that_videos_may_have_several(separable: LabelledSet) -> None:
    twice, thrice = separable.targets.copy(), separable.targets.copy()
    twice[100, :2], thrice[110] = True, True

    one, other = (fit_head(replace(separable, targets=own), np.arange(80), NOBODY) for own in (twice, thrice))

    weights = other.head.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in one.head.state_dict().items())
    assert one.thresholds == other.thresholds == (0.5, 0.5, 0.5)


def test_an_exception_between_two_steps_ends_all_training_runs(separable: LabelledSet) -> None:
    def stop(done: int, _: int) -> None:
        if done > 6:
            raise KeyboardInterrupt

    jobs = [TrainJob(np.arange(80), NOBODY, TrainConfig(epochs=10**6, seed=seed)) for seed in (0, 1)]

    with pytest.raises(KeyboardInterrupt):
        fit_heads(separable, jobs, on_step=stop)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_heads_in_mixed_precision_are_those_that_train_alone(separable: LabelledSet) -> None:
    config = TrainConfig(epochs=3, device="cuda", mixed_precision=True)
    jobs = [TrainJob(np.arange(80), NOBODY, replace(config, seed=seed)) for seed in (0, 1)]

    for run, job in zip(fit_heads(separable, jobs), jobs, strict=True):
        assert_same(run, fit_head(separable, job.train, job.validation, job.config))


def test_training_at_once_leaves_the_global_random_generator_as_it_was(separable: LabelledSet) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    fit_heads(separable, [TrainJob(np.arange(80), NOBODY, TrainConfig(epochs=1, seed=seed)) for seed in (0, 1)])

    assert torch.equal(torch.rand(3), expected)


def test_a_full_gpu_is_reported_when_heads_train_at_once(
    separable: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out_of_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(torch, "baddbmm", run_out_of_memory)

    with pytest.raises(TrainError, match=r"The GPU's memory is full.*--stream"):
        fit_heads(separable, [TrainJob(np.arange(80), NOBODY, TrainConfig(epochs=1, seed=seed)) for seed in (0, 1)])


def test_a_job_that_cannot_be_trained_is_refused_before_any_is(separable: LabelledSet) -> None:
    seen: list[tuple[int, int]] = []
    jobs = [TrainJob(np.arange(80), NOBODY, TrainConfig(epochs=1)), TrainJob(NOBODY, NOBODY, TrainConfig(epochs=1))]

    with pytest.raises(TrainError, match=r"training videos show 0 of 3 labels"):
        fit_heads(separable, jobs, on_step=lambda *step: seen.append(step))

    assert seen == []

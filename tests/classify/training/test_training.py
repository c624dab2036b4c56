from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from classify.errors import TrainError
from classify.heads.registry import HEADS, list_heads
from classify.measures.metrics import decide_labels, micro_f1
from classify.training.batches import LabelledSet, VideoSet, open_videos
from classify.training.history import EpochRecord
from classify.training.joint_training import TrainJob, fit_heads
from classify.training.logits import predict_probabilities
from classify.training.recipe import TrainConfig
from classify.training.training import TrainingRun, fit_head
from embed import EmbeddingStore
from tests.classify.conftest import CLASSES

pytestmark = pytest.mark.usefixtures("small_heads")

NOBODY = np.array([], dtype=np.int64)

every_head = pytest.mark.parametrize("arch", list_heads())
mixup_on_and_off = pytest.mark.parametrize("mixup", [0.0, 0.4], ids=["plain", "mixup"])

QUICK = {*("linear", "random-frame", "statistics", "motion", "attention", "rnn", "moe"), "clip4clip-lstm"}
"""Heads with few weights, which can take longer steps."""


def recipe(arch: str, mixup: float) -> TrainConfig:
    """Return how to train a head on the toy sets: enough for every one, and quick for the largest."""
    return TrainConfig(arch=arch, mixup=mixup, epochs=30, learning_rate=0.02 if arch in QUICK else None)


def held_out_f1(dataset: LabelledSet, config: TrainConfig, *, train_share: float = 2 / 3) -> float:
    """Train on the first videos, and return the micro-F1 of the others."""
    border = round(len(dataset.videos) * train_share)
    run = fit_head(dataset, np.arange(border), NOBODY, config)
    probabilities = predict_probabilities(run.head, dataset.videos, run.thresholds)
    predicted = decide_labels(probabilities, run.thresholds)
    return micro_f1(dataset.targets[border:], predicted[border:])


def weights_of(run: TrainingRun) -> bytes:
    return safetensors.torch.save(run.head.state_dict())


@pytest.fixture
def order_only() -> LabelledSet:
    """360 videos of the same two scenes: one class shows the first scene first, the other the second."""
    rng = np.random.default_rng(0)
    classes = np.arange(360) % 2
    scenes = np.repeat(np.eye(2, 16) * 2, 3, axis=0)  # three vectors of one scene, three of the other
    videos = np.stack([scenes if label else scenes[::-1] for label in classes])
    vectors = (videos + 0.1 * rng.standard_normal(videos.shape)).astype(np.float32).reshape(-1, 16)
    ids = tuple(f"{index:03d}.mp4" for index in range(360))
    return LabelledSet(VideoSet(ids, vectors, np.full(360, 6)), ("x", "y"), classes[:, None] == np.arange(2))


@every_head
@mixup_on_and_off
def test_classes_that_can_be_told_apart_are_learned(separable: LabelledSet, arch: str, mixup: float) -> None:
    assert held_out_f1(separable, recipe(arch, mixup)) == 1.0


@every_head
@mixup_on_and_off
def test_several_labels_a_video_that_can_be_told_apart_are_learned(
    several_labels: LabelledSet, arch: str, mixup: float
) -> None:
    assert held_out_f1(several_labels, recipe(arch, mixup)) >= 0.99


@every_head
@mixup_on_and_off
def test_nothing_is_learned_of_shuffled_labels(separable: LabelledSet, arch: str, mixup: float) -> None:
    shuffles = [np.random.default_rng(seed).permutation(separable.targets) for seed in range(3)]

    figures = [
        held_out_f1(replace(separable, targets=shuffled), recipe(arch, mixup), train_share=1 / 4)
        for shuffled in shuffles
    ]

    assert np.mean(figures) < 0.44  # chance is 1/3 of three times 90 videos, 0.03 its standard error


@mixup_on_and_off
@pytest.mark.parametrize(
    ("arch", "floor"),
    # clip4clip's four layers memorise these 240 videos; chance is 0.5, and 0.046 its standard error.
    [("transformer", 0.95), ("rnn", 0.95), ("cnn-lstm", 0.95), ("motion", 0.95), ("clip4clip", 0.75)],
)
def test_heads_that_see_order_learn_classes_that_differ_only_in_order(
    order_only: LabelledSet, arch: str, floor: float, mixup: float
) -> None:
    config = TrainConfig(arch=arch, mixup=mixup, epochs=20)

    assert held_out_f1(order_only, config) >= floor


@mixup_on_and_off
@pytest.mark.parametrize("arch", ["linear", "mlp", "attention", "statistics", "moe", "dbof", "nextvlad"])
def test_other_heads_stay_at_chance_if_classes_differ_only_in_order(
    order_only: LabelledSet, arch: str, mixup: float
) -> None:
    figure = held_out_f1(order_only, TrainConfig(arch=arch, mixup=mixup, epochs=5))

    assert figure == pytest.approx(0.5, abs=0.15)


@every_head
def test_the_same_seed_gives_the_same_bytes(separable: LabelledSet, arch: str) -> None:
    config = TrainConfig(arch=arch, epochs=2, seed=3)
    torch.manual_seed(1)
    first = fit_head(separable, np.arange(80), NOBODY, config)
    torch.manual_seed(2)
    second = fit_head(separable, np.arange(80), np.arange(80, 100), config)

    assert weights_of(first) == weights_of(second)


def test_another_seed_trains_another_head(separable: LabelledSet) -> None:
    first, second = (fit_head(separable, np.arange(80), NOBODY, TrainConfig(epochs=1, seed=seed)) for seed in (0, 1))

    assert weights_of(first) != weights_of(second)


def test_training_leaves_the_global_random_generator_as_it_was(separable: LabelledSet) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    fit_head(separable, np.arange(80), NOBODY, TrainConfig(arch="transformer", epochs=1))

    assert torch.equal(torch.rand(3), expected)


def test_one_label_a_video_means_probabilities_that_sum_to_1(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(80), NOBODY, TrainConfig(epochs=1))

    probabilities = predict_probabilities(run.head, separable.videos, run.thresholds)

    assert run.thresholds is None
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_several_labels_a_video_mean_a_threshold_each(several_labels: LabelledSet) -> None:
    run = fit_head(several_labels, np.arange(80), NOBODY, TrainConfig(epochs=1))

    assert run.thresholds == (0.5, 0.5, 0.5)


def test_the_history_has_a_record_an_epoch_and_falls(separable: LabelledSet) -> None:
    seen: list[EpochRecord] = []

    config = TrainConfig(epochs=10, learning_rate=0.01)
    run = fit_head(separable, np.arange(80), np.arange(80, 120), config, on_epoch=seen.append)

    assert tuple(seen) == run.history
    assert [(record.epoch, record.step) for record in seen] == [(epoch, 5 * epoch) for epoch in range(1, 11)]
    assert seen[-1].train_loss < seen[0].train_loss / 2
    assert seen[-1].train_f1 == seen[-1].validation_f1 == 1.0


def test_every_step_is_told_and_an_exception_there_ends_the_training(separable: LabelledSet) -> None:
    steps, seen = count(1), list[EpochRecord]()

    def stop() -> None:
        if next(steps) == 13:
            raise KeyError

    with pytest.raises(KeyError):
        fit_head(separable, np.arange(80), NOBODY, TrainConfig(), on_epoch=seen.append, on_step=stop)

    assert [record.step for record in seen] == [5, 10]
    assert next(steps) == 14


def test_the_first_losses_are_those_of_a_hand_calculation() -> None:
    # Vectors of zeros leave softmax to the bias alone; with learning all but off it stays as it was drawn.
    videos = VideoSet(("a", "b"), np.zeros((2, 4), dtype=np.float32), np.array([1, 1]))
    dataset = LabelledSet(videos, ("x", "y"), np.eye(2, dtype=np.bool_))

    run = fit_head(dataset, np.arange(2), np.arange(2), TrainConfig(mixup=0, epochs=1, learning_rate=1e-12))

    bias = run.head.state_dict()["head.linear.bias"].double().numpy()
    expected = np.log(np.exp(bias).sum()) - bias.mean()
    assert run.history[0].train_loss == pytest.approx(expected, rel=1e-5)
    assert run.history[0].validation_loss == pytest.approx(expected, rel=1e-5)


def test_without_validation_videos_the_history_has_no_validation_figures(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(80), NOBODY, TrainConfig(epochs=1))

    assert run.history[0].validation_loss is None
    assert run.history[0].validation_f1 is None


@pytest.mark.parametrize("train", [NOBODY, np.array([0, 3])], ids=["nobody", "one-label"])
def test_training_videos_of_fewer_than_two_labels_are_refused(separable: LabelledSet, train: NDArray[np.int64]) -> None:
    with pytest.raises(TrainError, match=r"videos show [01] of 3 labels. Train on videos of at least two labels"):
        fit_head(separable, train, NOBODY)


def test_a_loss_that_is_not_finite_is_refused(separable: LabelledSet) -> None:
    vectors = np.full_like(separable.videos.vectors, np.nan)
    broken = replace(separable, videos=replace(separable.videos, vectors=vectors))

    with pytest.raises(TrainError, match=r"The loss is nan in epoch 1. Lower learning_rate .*--verify"):
        fit_head(broken, np.arange(80), NOBODY)


EVERYTHING = {
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warm_up": 0.2,
    "clip_norm": 1.0,
    "label_smoothing": 0.05,
    "class_weights": "balanced",
    "patience": 10,
    "thresholds": "micro-f1",
}


@pytest.mark.parametrize(
    "setting",
    [*({name: value} for name, value in EVERYTHING.items()), {"project": 8}, {"max_frames": 2}, EVERYTHING],
    ids=lambda setting: "all" if len(setting) > 1 else next(iter(setting)),
)
def test_each_setting_leaves_what_can_be_learned_learnable(
    several_labels: LabelledSet, setting: dict[str, float | str]
) -> None:
    config = TrainConfig(learning_rate=0.02, **setting)  # type: ignore[arg-type]

    run = fit_head(several_labels, np.arange(140), np.arange(140, 160), config)

    predicted = decide_labels(predict_probabilities(run.head, several_labels.videos, run.thresholds), run.thresholds)
    assert micro_f1(several_labels.targets[160:], predicted[160:]) >= 0.99


@pytest.mark.parametrize(
    "setting",
    [
        {"weight_decay": 0.01},
        {"weight_decay": 0.01, "optimizer": "adamw"},
        {"schedule": "constant"},
        *({name: EVERYTHING[name]} for name in ("warm_up", "label_smoothing", "class_weights")),
        {"clip_norm": 1e-6},
    ],
    ids=lambda setting: "-".join(setting),
)
def test_each_setting_changes_the_weights(separable: LabelledSet, setting: dict[str, float | str]) -> None:
    plain, changed = (
        fit_head(separable, np.arange(79), np.arange(79, 120), TrainConfig(epochs=2, **more))  # type: ignore[arg-type]
        for more in ({}, setting)
    )

    assert weights_of(plain) != weights_of(changed)


@pytest.mark.parametrize("arch", ["linear", "random-frame", "statistics"])
@pytest.mark.parametrize("labels", ["separable", "several_labels"])
@pytest.mark.parametrize("job_count", [1, 2], ids=["alone", "two at once"])
def test_steps_without_autograd_train_the_same_head_as_steps_with_it(
    arch: str, labels: str, job_count: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = request.getfixturevalue(labels)
    config = TrainConfig(
        arch=arch, epochs=3, learning_rate=3e-3, label_smoothing=0.1, class_weights="balanced", clip_norm=0.5
    )
    jobs = [TrainJob(np.arange(90), np.arange(90, 120), replace(config, seed=seed)) for seed in range(job_count)]
    written = fit_heads(dataset, jobs)

    monkeypatch.setattr(HEADS[arch], "is_linear", False)
    derived = fit_heads(dataset, jobs)

    for ours, theirs in zip(written, derived, strict=True):
        torch.testing.assert_close(ours.head.state_dict(), theirs.head.state_dict(), atol=1e-5, rtol=1e-4)
        losses = [[record.train_loss for record in run.history] for run in (ours, theirs)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_patience_ends_the_training_and_keeps_the_best_epochs_weights(separable: LabelledSet) -> None:
    shuffled = np.random.default_rng(1).permutation(separable.targets)
    dataset, validation = replace(separable, targets=shuffled), np.arange(80, 120)
    config = TrainConfig(learning_rate=0.05, epochs=50, patience=4, schedule="constant")

    run = fit_head(dataset, np.arange(80), validation, config)

    reached = [(record.validation_f1, -(record.validation_loss or 0)) for record in run.history]
    assert run.best_epoch == 1 + reached.index(max(reached))
    assert len(run.history) == run.best_epoch + 4
    again = fit_head(dataset, np.arange(80), validation, replace(config, epochs=run.best_epoch, patience=None))
    assert weights_of(run) == weights_of(again)


def test_thresholds_that_were_tuned_are_at_least_as_good_on_validation(several_labels: LabelledSet) -> None:
    noisy = replace(several_labels, targets=several_labels.targets & (np.random.default_rng(0).random((240, 3)) < 0.6))
    train, validation = np.arange(120), np.arange(120, 240)

    half, tuned = (
        fit_head(noisy, train, validation, TrainConfig(mixup=0.4, epochs=10, thresholds=goal))
        for goal in ("half", "micro-f1")
    )

    assert weights_of(half) == weights_of(tuned)
    probabilities = predict_probabilities(half.head, noisy.videos, half.thresholds)[validation]
    truth = noisy.targets[validation]
    figures = [micro_f1(truth, decide_labels(probabilities, run.thresholds)) for run in (half, tuned)]
    assert figures[1] > figures[0]


@pytest.mark.parametrize(
    ("setting", "named"),
    [({"patience": 2}, "--patience"), ({"patience": 2, "thresholds": "label-f1"}, "--patience and --thresholds")],
)
def test_what_validation_would_choose_is_refused_without_it(
    separable: LabelledSet, setting: dict[str, int | str], named: str
) -> None:
    told = (
        f"no validation videos for {named} to choose by. Split with a --validation-size above 0, or leave out {named}"
    )
    with pytest.raises(TrainError, match=told):
        fit_head(separable, np.arange(80), NOBODY, TrainConfig(**setting))  # type: ignore[arg-type]


@every_head
def test_training_from_disk_gives_the_same_bytes_as_from_memory(toy_store: Path, arch: str) -> None:
    config = TrainConfig(arch=arch, epochs=2, project=8)
    with EmbeddingStore(toy_store) as store:
        targets = np.array([[video_id.startswith(name) for name in CLASSES] for video_id in store.ids])
        runs = [
            fit_head(
                LabelledSet(open_videos(store, store.ids, stream=stream), CLASSES, targets),
                np.arange(10, 50),
                np.arange(10),
                config,
            )
            for stream in (False, True)
        ]

    assert weights_of(runs[0]) == weights_of(runs[1])
    assert runs[0].history == runs[1].history

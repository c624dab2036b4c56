"""The settings that are left to the head: enough steps for small sets, and the result of logistic regression."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from classify.measures import decide_labels, micro_f1
from classify.training import LabelledSet, TrainConfig, TrainJob, VideoSet, configure_head, fit_head, fit_heads
from classify.training.logits import predict_probabilities
from classify.training.recipe import settle

NOBODY = np.array([], dtype=np.int64)


def settled(config: TrainConfig, video_count: int, dimension: int = 512) -> TrainConfig:
    with torch.device("meta"):
        return settle(config, configure_head(config, dimension, 4), video_count)


def noisy_set(video_count: int, *, dimension: int = 64, several: bool = False) -> LabelledSet:
    """Return videos of 4 vectors around points that are too close to be told apart always; 500 more to test on."""
    rng, count = np.random.default_rng(0), video_count + 500
    targets = rng.random((count, 3)) < 0.3 if several else np.eye(3, dtype=np.bool_)[rng.integers(3, size=count)]
    points = rng.standard_normal((3, dimension)) * 2 / dimension**0.5
    means = targets @ points + rng.standard_normal((count, dimension))
    rows = means[:, None] + 0.5 * rng.standard_normal((count, 4, dimension))
    videos = VideoSet(tuple(map(str, range(count))), rows.reshape(-1, dimension).astype(np.float32), np.full(count, 4))
    return LabelledSet(videos, ("a", "b", "c"), targets)


@pytest.mark.parametrize(
    ("arch", "videos", "epochs"),
    [("linear", 24, 1200), ("linear", 96, 400), ("linear", 20_000, 10), ("motion", 96, 134), ("transformer", 96, 17)],
)
def test_a_small_set_has_more_epochs(arch: str, videos: int, epochs: int) -> None:
    assert settled(TrainConfig(arch=arch), videos).epochs == epochs


def test_what_is_given_stays() -> None:
    given = TrainConfig(epochs=3, learning_rate=0.5, weight_decay=0.25)

    assert settled(given, 24) == given


def test_as_many_steps_have_the_same_settings_so_that_folds_train_together() -> None:
    assert settled(TrainConfig(), 95) == settled(TrainConfig(), 96)


@pytest.mark.parametrize("dimension", [128, 512, 1280])
def test_more_dimensions_have_a_lower_rate(dimension: int) -> None:
    assert settled(TrainConfig(), 96, dimension).learning_rate == pytest.approx(min(0.01, 4 / dimension))


@pytest.mark.parametrize("together", [False, True], ids=["alone", "two at once"])
def test_a_given_number_of_epochs_is_trained_exactly(separable: LabelledSet, together: bool) -> None:
    jobs = [TrainJob(np.arange(80), NOBODY, TrainConfig(epochs=2, seed=seed)) for seed in range(1 + together)]

    assert [len(run.history) for run in fit_heads(separable, jobs)] == [2] * len(jobs)


def test_the_run_tells_the_settings_that_it_chose(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(80), NOBODY, TrainConfig())

    assert run.config == replace(TrainConfig(), epochs=480, learning_rate=0.01, weight_decay=1 / 80)
    assert len(run.history) == run.history[0].epochs == 480


@pytest.mark.parametrize("videos", [24, 120, 600])
def test_the_linear_head_gives_the_probabilities_of_logistic_regression(videos: int) -> None:
    dataset = noisy_set(videos)
    run = fit_head(dataset, np.arange(videos), NOBODY, TrainConfig())
    means = dataset.videos.vectors.reshape(-1, 4, 64).mean(axis=1)
    rows = StandardScaler().fit(means[:videos]).transform(means)
    model = LogisticRegression(max_iter=1000).fit(rows[:videos], dataset.targets[:videos].argmax(axis=1))

    found, expected = predict_probabilities(run.head, dataset.videos, None), model.predict_proba(rows)

    assert np.abs(found - expected)[videos:].mean() < 0.03
    assert abs(micro_f1_of(dataset, found, videos) - micro_f1_of(dataset, expected, videos)) < 0.03


def test_a_small_set_of_several_labels_a_video_is_learned() -> None:
    dataset = noisy_set(36, several=True)

    run = fit_head(dataset, np.arange(36), NOBODY, TrainConfig())

    found = predict_probabilities(run.head, dataset.videos, run.thresholds)
    assert micro_f1(dataset.targets[36:], decide_labels(found, run.thresholds)[36:]) > 0.5  # 10 epochs: 0.42


def micro_f1_of(dataset: LabelledSet, probabilities: np.ndarray, start: int) -> float:  # type: ignore[type-arg]
    return micro_f1(dataset.targets[start:], decide_labels(probabilities, None)[start:])

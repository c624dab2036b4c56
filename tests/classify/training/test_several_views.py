"""Videos of two views: one shows a class in dimensions 0 to 2, the other in dimensions 5 to 7."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from classify.comparison.trials import Trial, TrialPlan, run_trials
from classify.data.labels import LabelTable
from classify.data.splits import SplitConfig, fold_table
from classify.measures.ranking import rank
from classify.training.batches import LabelledSet, VideoSet, open_videos
from classify.training.joint_training import TrainJob, fit_heads
from classify.training.logits import predict_probabilities
from classify.training.recipe import TrainConfig
from classify.training.training import TrainingRun, fit_head
from embed import EmbeddingStore, Provenance
from tests.classify.conftest import CLASSES

NOBODY = np.array([], dtype=np.int64)
CLASS_OF = np.arange(60) % 3


@pytest.fixture
def two_views() -> LabelledSet:
    """60 videos of 2 x 1 to 2 x 4 vectors."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 5, 60)
    views = np.stack([np.eye(3, 16), np.eye(3, 16, 5)], axis=1) * 3
    rows = np.repeat(views[CLASS_OF].reshape(120, 16), counts.repeat(2), axis=0)
    vectors = (rows + 0.3 * rng.standard_normal(rows.shape)).astype(np.float16)
    ids = tuple(f"{index:02d}.mp4" for index in range(60))
    return LabelledSet(VideoSet(ids, vectors, 2 * counts, view_count=2), CLASSES, CLASS_OF[:, None] == np.arange(3))


@pytest.fixture
def store(two_views: LabelledSet, make_store: Callable[..., Path], provenance: Provenance) -> Path:
    videos = {
        video_id: two_views.videos.rows_of(np.array([index])) for index, video_id in enumerate(two_views.videos.ids)
    }
    return make_store(videos, made_by=replace(provenance, views=("left", "right")))


def probabilities_by_view(run: TrainingRun, videos: VideoSet) -> np.ndarray:
    """Return (N, V, C) probabilities of each view, predicted as a video of one view."""
    found = predict_probabilities(run.head, videos.each_view(), run.thresholds)
    return found.reshape(len(videos), videos.view_count, -1)


def weights_of(run: TrainingRun) -> bytes:
    return safetensors.torch.save(run.head.state_dict())


@pytest.mark.parametrize("arch", ["linear", "attention"])
@pytest.mark.parametrize("mixup", [0.0, 0.4], ids=["plain", "mixup"])
def test_every_view_is_learned(two_views: LabelledSet, arch: str, mixup: float) -> None:
    run = fit_head(two_views, np.arange(40), NOBODY, TrainConfig(arch=arch, mixup=mixup, epochs=20, learning_rate=0.02))

    found = probabilities_by_view(run, two_views.videos)  # type: ignore[arg-type]

    assert (found.argmax(axis=2) == CLASS_OF[:, None])[40:].all()


@pytest.mark.parametrize("are_several", [False, True], ids=["one label", "several labels"])
def test_a_videos_probabilities_are_the_mean_of_its_views(two_views: LabelledSet, are_several: bool) -> None:
    if are_several:
        two_views.targets[0] = True
    run = fit_head(two_views, np.arange(60), NOBODY, TrainConfig(epochs=2))

    found = predict_probabilities(run.head, two_views.videos, run.thresholds)

    assert (run.thresholds is not None) == are_several
    by_view = probabilities_by_view(run, two_views.videos)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, by_view.mean(axis=1), atol=1e-6)
    assert np.abs(by_view[:, 0] - by_view[:, 1]).max() > 0.01


@pytest.mark.parametrize("arch", ["linear", "attention"])
def test_views_on_disk_train_the_same_head_as_views_in_memory(store: Path, two_views: LabelledSet, arch: str) -> None:
    config = TrainConfig(arch=arch, epochs=2)
    with EmbeddingStore(store) as opened:
        streamed = replace(two_views, videos=open_videos(opened, two_views.videos.ids, stream=True))
        runs = [fit_head(dataset, np.arange(40), np.arange(40, 60), config) for dataset in (two_views, streamed)]
        found = [
            predict_probabilities(run.head, data.videos, None)
            for run, data in zip(runs, (two_views, streamed), strict=True)
        ]

    assert weights_of(runs[0]) == weights_of(runs[1])
    assert runs[0].history == runs[1].history
    np.testing.assert_array_equal(*found)


def test_heads_that_train_at_once_draw_the_views_that_they_draw_alone(two_views: LabelledSet) -> None:
    jobs = [TrainJob(np.arange(40), np.arange(40, 60), TrainConfig(epochs=3, seed=seed)) for seed in (0, 1)]

    for run, job in zip(fit_heads(two_views, jobs), jobs, strict=True):
        alone = fit_head(two_views, job.train, job.validation, job.config)
        for name, tensor in alone.head.state_dict().items():
            torch.testing.assert_close(run.head.state_dict()[name], tensor, atol=1e-4, rtol=1e-3)
        assert run.history[-1].validation_loss == pytest.approx(alone.history[-1].validation_loss, rel=1e-4)


def test_a_comparison_averages_the_views_that_a_prediction_averages(store: Path, two_views: LabelledSet) -> None:
    table = LabelTable(two_views.videos.ids, CLASSES, two_views.targets)
    (split, *_) = splits = fold_table(table, 3, SplitConfig(validation_size=0))
    config = TrainConfig(arch="rnn", mixup=0, epochs=1)

    (result,) = run_trials(TrialPlan(store, table, {0: splits}, config), [Trial("rnn", 0.0, 0, 0)], jobs=1)

    run = fit_head(two_views, split.indices("train"), NOBODY, config)
    found = predict_probabilities(run.head, two_views.videos, run.thresholds)[split.indices("test")]
    np.testing.assert_array_equal(result.predicted.argmax(axis=1), found.argmax(axis=1))
    expected = rank(two_views.targets[split.indices("test")], found)
    assert result.mean_average_precision == pytest.approx(expected.mean_average_precision)

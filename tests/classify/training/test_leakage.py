"""A test video changes nothing but the figures of the test, whatever its labels and its vectors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from classify import (
    CompareConfig,
    LabelledSet,
    LabelTable,
    SplitConfig,
    TrainConfig,
    TrainingReport,
    TrainJob,
    compare_heads,
    fold_videos,
    list_heads,
    train_head,
)
from classify.comparison.selection import choose_recipe
from classify.comparison.trial_files import read_results
from classify.comparison.trials import Trial
from classify.heads.registry import HEADS
from tests.classify.training.test_joint_training import JOINING, POOLING, fit_at_once

AMPLE_S = 1e6
FOLD = 1  # its test videos are poisoned; of three folds, one comes before it and one after it

TrainTwice = Callable[..., tuple[TrainingReport, TrainingReport]]
WriteSet = Callable[..., tuple[Path, Path]]


def poison(dataset: LabelledSet, test: NDArray[np.int64]) -> LabelledSet:
    """Return the videos with other labels, and vectors a hundred times as long, at `test`."""
    targets, lengths = dataset.targets.copy(), np.ones(len(dataset.videos), dtype=np.float32)
    targets[test] = np.roll(targets[test], 1, axis=1)
    lengths[test] = 100
    vectors = dataset.videos.rows_of(np.arange(len(lengths))) * lengths.repeat(dataset.videos.row_counts)[:, None]
    return replace(dataset, targets=targets, videos=replace(dataset.videos, vectors=vectors))


@pytest.fixture
def write_set(make_store: Callable[..., Path], tmp_path: Path) -> WriteSet:
    """Write a set as a store and a label file; every twelve videos are one scene."""

    def write(dataset: LabelledSet, name: str) -> tuple[Path, Path]:
        rows = np.split(dataset.videos.vectors, dataset.videos.row_counts.cumsum()[:-1])
        store = make_store(dict(zip(dataset.videos.ids, rows, strict=True)), name=f"{name}.h5")
        shown = ["|".join(np.array(dataset.names)[row]) for row in dataset.targets]
        scenes = [str(place // 12) for place in range(len(shown))]
        lines = [",".join(row) for row in zip(dataset.videos.ids, shown, scenes, strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,labels,scene", *lines, ""]))
        return store, tmp_path / f"{name}.csv"

    return write


@pytest.fixture
def train_twice(write_set: WriteSet, tmp_path: Path) -> TrainTwice:
    """Train on a set whose last sixth tests and whose sixth before validates: as it is, and with its test poisoned."""

    def train(dataset: LabelledSet, name: str, config: TrainConfig, budget_s: float | None) -> TrainingReport:
        store, labels = write_set(dataset, name)
        return train_head(
            store, tmp_path / "split.csv", tmp_path / name, labels=labels, config=config, budget_s=budget_s
        )

    def call(
        dataset: LabelledSet, config: TrainConfig, *, budget_s: float | None = None
    ) -> tuple[TrainingReport, TrainingReport]:
        sixth = len(dataset.videos) // 6
        parts = ["train"] * 4 * sixth + ["validation"] * sixth + ["test"] * sixth
        rows = "".join(f"{video_id},{part}\n" for video_id, part in zip(dataset.videos.ids, parts, strict=True))
        (tmp_path / "split.csv").write_text(f"id,part\n{rows}")
        poisoned = poison(dataset, np.arange(5 * sixth, 6 * sixth))
        return train(dataset, "clean", config, budget_s), train(poisoned, "poisoned", config, budget_s)

    return call


def assert_only_the_test_differs(clean: TrainingReport, poisoned: TrainingReport) -> None:
    weights, others = ((report.folder / "head.safetensors").read_bytes() for report in (clean, poisoned))
    assert weights == others
    assert clean.classifier.thresholds == poisoned.classifier.thresholds
    assert clean.classifier.temperature == poisoned.classifier.temperature
    assert clean.history == poisoned.history
    differing = [part for part, found in clean.evaluations.items() if found != poisoned.evaluations[part]]
    assert differing == ["test"]


@pytest.mark.usefixtures("small_heads")
@pytest.mark.parametrize("arch", list_heads())
@pytest.mark.parametrize("mixup", [0.0, 0.4], ids=["plain", "mixup"])
def test_the_head_is_the_same_whatever_the_test_videos_are(
    separable: LabelledSet, train_twice: TrainTwice, arch: str, mixup: float
) -> None:
    assert_only_the_test_differs(*train_twice(separable, TrainConfig(arch=arch, mixup=mixup, epochs=1)))


@pytest.mark.parametrize(
    "config",
    [
        *JOINING,
        pytest.param(TrainConfig(clip_norm=0.1, class_weights="balanced", project=8, patience=1), id="all settings"),
    ],
)
@pytest.mark.parametrize("mixup", [0.0, 0.4], ids=["plain", "mixup"])
def test_a_fold_has_the_same_head_whatever_it_tests_though_its_test_videos_train_others_at_once(
    separable: LabelledSet, config: TrainConfig, mixup: float
) -> None:
    folds = np.arange(120).reshape(3, 40)
    rest = [np.setdiff1d(np.arange(120), fold) for fold in folds]
    jobs = [TrainJob(own[:64], own[64:], replace(config, mixup=mixup, epochs=2)) for own in rest]

    clean, poisoned = (fit_at_once(dataset, jobs) for dataset in (separable, poison(separable, folds[FOLD])))

    is_same = [
        all(torch.equal(tensor, run.head.state_dict()[name]) for name, tensor in other.head.state_dict().items())
        and other.history == run.history
        for run, other in zip(clean, poisoned, strict=True)
    ]
    assert is_same == [fold == FOLD for fold in range(3)]


def test_a_fold_of_a_comparison_is_predicted_the_same_whatever_else_it_tests(
    noisy: LabelledSet, write_set: WriteSet, tmp_path: Path
) -> None:
    config = CompareConfig(
        archs=POOLING,
        mixups=(0.4,),
        baselines=("logistic-regression",),
        folds=3,
        seeds=1,
        split=SplitConfig(group_by="scene", validation_size=0.2),
        recipe=TrainConfig(epochs=2, patience=1),
        jobs=1,
    )
    scenes = tuple(str(place // 12) for place in range(300))
    table = LabelTable(noisy.videos.ids, noisy.names, noisy.targets, scenes)
    test = np.flatnonzero(fold_videos(table, 3, seed=0) == FOLD)
    # A scene has as many videos of each label, so that with other labels in it the folds are the same. The vectors of
    # every second video stay: its prediction must, too.
    poisoned = replace(poison(noisy, test[::2]), targets=poison(noisy, test).targets)
    found: list[dict[Trial, NDArray[np.bool_]]] = []

    for name, dataset in (("clean", noisy), ("poisoned", poisoned)):
        store, labels = write_set(dataset, name)
        compare_heads(store, tmp_path / name, labels=labels, config=config)
        found.append({own.trial: own.predicted for own in read_results(tmp_path / name / "runs.csv", 2)})

    clean, other = found
    assert len(clean) == len(other) == 3 * (len(POOLING) + 1)
    tested = [trial for trial in clean if trial.fold == FOLD]
    assert all(np.array_equal(clean[trial][1::2], other[trial][1::2]) for trial in tested)
    assert not all(np.array_equal(clean[trial], other[trial]) for trial in clean if trial.fold != FOLD)


def test_epoch_thresholds_class_weights_and_components_are_chosen_without_the_test_videos(
    several_labels: LabelledSet, train_twice: TrainTwice
) -> None:
    doubtful = several_labels.targets & (np.random.default_rng(0).random((240, 3)) < 0.6)
    doubtful[~doubtful.any(axis=1), 0] = True  # a video without any label is left out
    config = TrainConfig(
        epochs=20, learning_rate=0.05, patience=3, thresholds="micro-f1", class_weights="balanced", project=8
    )

    clean, poisoned = train_twice(replace(several_labels, targets=doubtful), config)

    assert clean.best_epoch < len(clean.history) < 20
    assert clean.classifier.thresholds not in (None, (0.5,) * 3)
    assert_only_the_test_differs(clean, poisoned)


def test_the_recipe_is_chosen_without_the_test_videos(noisy: LabelledSet) -> None:
    train, plain = np.arange(150), TrainConfig(mixup=0, epochs=3, learning_rate=0.01, device="cpu")

    clean, poisoned = (
        choose_recipe(
            dataset,
            LabelTable(dataset.videos.ids, dataset.names, dataset.targets),
            train,
            [plain, replace(plain, mixup=0.4)],
            budget_s=AMPLE_S,
        )
        for dataset in (noisy, poison(noisy, np.arange(150, 300)))
    )

    assert clean.config == poisoned.config
    assert [found.scores for found in clean.tried] == [found.scores for found in poisoned.tried]
    assert all(len(set(found.scores)) > 1 for found in clean.tried)


def test_a_head_that_is_chosen_is_chosen_and_trained_without_the_test_videos(
    noisy: LabelledSet, train_twice: TrainTwice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.heads.registry.HEADS", {arch: HEADS[arch] for arch in ("linear", "statistics")})
    monkeypatch.setattr("classify.comparison.candidates._STEPS", 26)
    monkeypatch.setattr("classify.comparison.candidates._EPOCHS", 2)

    clean, poisoned = train_twice(noisy, TrainConfig(arch="auto", device="cpu"), budget_s=AMPLE_S)

    assert clean.selection is not None
    assert poisoned.selection is not None
    tried = [[(found.settings, found.scores) for found in report.selection.tried] for report in (clean, poisoned)]
    assert len(tried[0]) == 9
    assert tried[0] == tried[1]
    assert_only_the_test_differs(clean, poisoned)

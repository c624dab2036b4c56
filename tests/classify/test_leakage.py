"""A test video changes nothing but the figures of the test, whatever its labels and its vectors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import LabelledSet, LabelTable, TrainConfig, TrainingReport, list_heads, train_head
from classify.heads import HEADS
from classify.selection import choose_recipe

AMPLE_S = 1e6

TrainTwice = Callable[..., tuple[TrainingReport, TrainingReport]]


def poison(dataset: LabelledSet, test: NDArray[np.int64]) -> LabelledSet:
    """Give the videos at `test` other labels, and vectors a hundred times as long."""
    targets, lengths = dataset.targets.copy(), np.ones(len(dataset.videos), dtype=np.float32)
    targets[test] = np.roll(targets[test], 1, axis=1)
    lengths[test] = 100
    vectors = dataset.videos.rows_of(np.arange(len(lengths))) * lengths.repeat(dataset.videos.row_counts)[:, None]
    return replace(dataset, targets=targets, videos=replace(dataset.videos, vectors=vectors))


@pytest.fixture
def train_twice(make_store: Callable[..., Path], tmp_path: Path) -> TrainTwice:
    """Train on a set whose last sixth tests and whose sixth before validates: as it is, and with its test poisoned."""

    def train(dataset: LabelledSet, name: str, config: TrainConfig, budget_s: float | None) -> TrainingReport:
        rows = np.split(dataset.videos.vectors, dataset.videos.row_counts.cumsum()[:-1])
        store = make_store(dict(zip(dataset.videos.ids, rows, strict=True)), name=f"{name}.h5")
        labels = tmp_path / f"{name}.csv"
        shown = ["|".join(np.array(dataset.names)[row]) for row in dataset.targets]
        pairs = zip(dataset.videos.ids, shown, strict=True)
        labels.write_text("id,labels\n" + "".join(f"{video_id},{own}\n" for video_id, own in pairs))
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
    assert clean.classifier.temperature == poisoned.classifier.temperature != 1
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
    monkeypatch.setattr("classify.heads.HEADS", {arch: HEADS[arch] for arch in ("linear", "statistics")})
    monkeypatch.setattr("classify.candidates._STEPS", 26)
    monkeypatch.setattr("classify.candidates._EPOCHS", 2)

    clean, poisoned = train_twice(noisy, TrainConfig(arch="auto", device="cpu"), budget_s=AMPLE_S)

    assert clean.selection is not None
    assert poisoned.selection is not None
    tried = [[(found.settings, found.scores) for found in report.selection.tried] for report in (clean, poisoned)]
    assert len(tried[0]) == 7
    assert tried[0] == tried[1]
    assert_only_the_test_differs(clean, poisoned)

"""Heads with positions other than their default, and heads that get timestamps."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from numpy.typing import NDArray

from classify import TrainConfig, VideoClassifier, predict_videos, split_videos, train_head
from classify.comparison.candidates import list_candidates
from classify.comparison.trials import Trial, TrialPlan, run_trials
from classify.data.labels import LabelTable
from classify.data.splits import SplitConfig, fold_table
from classify.errors import ClassifyError
from classify.heads.registry import build_head, list_heads
from classify.training.batches import LabelledSet, VideoSet, open_videos
from classify.training.logits import predict_probabilities
from classify.training.training import fit_head
from embed import EmbeddingStore, Provenance
from tests.classify.conftest import CLASSES, Moments

NOBODY = np.array([], dtype=np.int64)
TIMED = TrainConfig(arch="transformer", positions="timestamps")

with_other_positions = pytest.mark.parametrize(
    ("arch", "positions"),
    [
        ("transformer", "learned"),
        ("transformer", "timestamps"),
        ("clip4clip", "sinusoidal"),
        ("clip4clip", "timestamps"),
    ],
)


def share_right(dataset: LabelledSet, config: TrainConfig) -> float:
    """Train on the first two thirds of the videos, and return the share of the others whose label is found."""
    border = len(dataset.videos) * 2 // 3
    run = fit_head(dataset, np.arange(border), NOBODY, config)
    found = predict_probabilities(run.head, dataset.videos, run.thresholds)[border:]
    return float((found.argmax(axis=1) == dataset.targets[border:].argmax(axis=1)).mean())


@pytest.fixture
def spacing_only() -> LabelledSet:
    """180 videos of the same two scenes in the same order: one class lingers on the first, the other on the second."""
    rng, classes = np.random.default_rng(0), np.arange(180) % 2
    vectors = np.repeat(np.eye(2, 16) * 2, 3, axis=0) + 0.1 * rng.standard_normal((180, 6, 16))
    moments = np.where(classes[:, None], [0, 20, 37, 38, 39, 40], [0, 1, 2, 3, 20, 40]) + rng.uniform(0, 100, (180, 1))
    ids, rows = tuple(f"{index:03d}.mp4" for index in range(180)), vectors.astype(np.float32).reshape(-1, 16)
    videos = VideoSet(ids, rows, np.full(180, 6), read_timestamps=lambda: moments.astype(np.float32).ravel())
    return LabelledSet(videos, ("x", "y"), classes[:, None] == np.arange(2))


@with_other_positions
def test_separable_classes_are_learned(separable: LabelledSet, arch: str, positions: str) -> None:
    assert share_right(separable, TrainConfig(arch=arch, positions=positions, epochs=20)) == 1.0


@with_other_positions
def test_nothing_is_learned_from_shuffled_labels(separable: LabelledSet, arch: str, positions: str) -> None:
    shuffled = replace(separable, targets=np.random.default_rng(1).permutation(separable.targets))

    figure = share_right(shuffled, TrainConfig(arch=arch, positions=positions, epochs=3))

    assert figure < 0.55  # chance is 1/3 of 40 videos, 0.075 its standard error


@pytest.mark.parametrize("arch", ["transformer", "clip4clip"])
def test_classes_that_differ_only_in_spacing_are_learned_with_timestamps(spacing_only: LabelledSet, arch: str) -> None:
    assert share_right(spacing_only, TrainConfig(arch=arch, positions="timestamps", epochs=15)) > 0.95


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
@pytest.mark.parametrize("arch", ["transformer", "clip4clip"])
def test_classes_that_differ_only_in_spacing_are_chance_with_the_index(
    spacing_only: LabelledSet, arch: str, positions: str
) -> None:
    figure = share_right(spacing_only, TrainConfig(arch=arch, positions=positions, epochs=5))

    assert figure == pytest.approx(0.5, abs=0.2)  # of 60 videos, 0.065 its standard error


def test_training_from_disk_gives_the_same_bytes_as_from_memory(toy_store: Path) -> None:
    with EmbeddingStore(toy_store) as store:
        targets = np.array([[video_id.startswith(name) for name in CLASSES] for video_id in store.ids])
        weights = [
            safetensors.torch.save(
                fit_head(
                    LabelledSet(open_videos(store, store.ids, stream=stream), CLASSES, targets),
                    np.arange(10, 50),
                    np.arange(10),
                    replace(TIMED, epochs=2),
                ).head.state_dict()
            )
            for stream in (False, True)
        ]

    assert weights[0] == weights[1]


def test_no_timestamps_are_read_for_heads_that_are_not_timed(separable: LabelledSet) -> None:
    def refuse() -> NDArray[np.float32]:
        raise AssertionError("read for a head that is not timed")

    unreadable = replace(separable.videos, read_timestamps=refuse)  # type: ignore[type-var]

    share_right(replace(separable, videos=unreadable), TrainConfig(arch="transformer", epochs=1))


def test_timestamps_count_from_the_first_vector_and_are_thinned_like_the_vectors() -> None:
    vectors, clock = np.arange(100, dtype=np.float32)[:, None], 50 + np.arange(100, dtype=np.float32) / 4
    head = build_head("transformer", 8, 2, max_frames=4, options={"positions": "timestamps"})

    chosen, moments = head.choose(vectors, "a.mp4"), head.choose_moments(clock)

    assert chosen[:, 0].tolist() == [12, 37, 62, 87]
    assert moments.tolist() == [12 / 4, 37 / 4, 62 / 4, 87 / 4]


@pytest.fixture
def make_shifted(make_store: Callable[..., Path], toy_store: Path) -> Callable[[str, Moments], Path]:
    """Write the toy store's vectors again, with timestamps that a function makes of the number of vectors."""

    def make(name: str, shift: Moments) -> Path:
        with EmbeddingStore(toy_store) as store:
            videos: Mapping[str, NDArray[np.float32]] = {
                video_id: store.read(video_id).vectors.astype(np.float32) for video_id in store.ids
            }
        return make_store(videos, name=name, moments=shift)

    return make


@pytest.mark.parametrize(
    ("config", "is_changed"),
    [
        pytest.param(TIMED, True, id="transformer-timestamps"),
        pytest.param(replace(TIMED, arch="clip4clip"), True, id="clip4clip-timestamps"),
        pytest.param(replace(TIMED, positions="learned"), False, id="transformer-learned"),
        pytest.param(TrainConfig(arch="clip4clip"), False, id="clip4clip"),
        pytest.param(TrainConfig(), False, id="linear"),
    ],
)
def test_later_vectors_that_are_shifted_in_time_change_what_timed_heads_alone_predict(
    toy_store: Path, tmp_path: Path, make_shifted: Callable[..., Path], config: TrainConfig, is_changed: bool
) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=replace(config, epochs=1))
    shifted = make_shifted("shifted.h5", lambda count: np.arange(count) + 30.0 * (np.arange(count) > 0))

    before, after = (predict_videos(tmp_path / "head", [store]).videos for store in (toy_store, shifted))

    assert (before != after) == is_changed


def test_a_clock_that_starts_elsewhere_changes_nothing(
    toy_store: Path, tmp_path: Path, make_shifted: Callable[..., Path]
) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=replace(TIMED, epochs=1))
    later = make_shifted("later.h5", lambda count: np.arange(count) + 3600.0)

    before, after = (predict_videos(tmp_path / "head", [store]).videos for store in (toy_store, later))

    assert before == after


def test_a_saved_head_is_timed_when_it_is_loaded(
    separable: LabelledSet, provenance: Provenance, tmp_path: Path
) -> None:
    head = build_head("clip4clip", 16, 3, options={"positions": "timestamps"}).eval()
    saved = VideoClassifier(head, CLASSES, None, provenance, replace(TIMED, arch="clip4clip"))
    saved.save(tmp_path / "head")

    loaded = VideoClassifier.load(tmp_path / "head")

    assert loaded.head.is_timed
    np.testing.assert_array_equal(
        loaded.predict_probabilities(separable.videos), saved.predict_probabilities(separable.videos)
    )


@pytest.mark.parametrize("stream", [False, True], ids=["in memory", "on disk"])
def test_each_view_has_the_timestamps_of_its_video(
    make_store: Callable[..., Path], provenance: Provenance, stream: bool
) -> None:
    lengths = {"a.mp4": 6, "b.mp4": 4}
    made_by = replace(provenance, views=("left", "right"))
    path = make_store(
        {video_id: np.zeros((count, 16)) for video_id, count in lengths.items()},
        moments=lambda count: np.tile(np.arange(count // 2) * 0.5, 2),
        made_by=made_by,
    )

    with EmbeddingStore(path) as store:
        views = open_videos(store, ["b.mp4", "a.mp4"], stream=stream).each_view()
        assert views.timestamps_of(np.array([3, 0, 3])).tolist() == [0, 0.5, 1, 0, 0.5, 0, 0.5, 1]


def test_a_comparison_passes_the_timestamps_of_the_store_to_timed_heads(toy_store: Path) -> None:
    with EmbeddingStore(toy_store) as store:
        dataset = LabelledSet.read(
            store,
            table := LabelTable(
                tuple(store.ids),
                CLASSES,
                np.array([[video_id.startswith(name) for name in CLASSES] for video_id in store.ids]),
            ),
        )
        (split, *_) = splits = fold_table(table, 3, SplitConfig(validation_size=0))
        config = replace(TIMED, mixup=0.0, epochs=1)
        run = fit_head(dataset, split.indices("train"), NOBODY, config)
        found = predict_probabilities(run.head, dataset.videos, run.thresholds)[split.indices("test")]

    (result,) = run_trials(TrialPlan(toy_store, table, {0: splits}, config), [Trial("transformer", 0.0, 0, 0)], jobs=1)

    np.testing.assert_array_equal(result.predicted.argmax(axis=1), found.argmax(axis=1))


def test_with_auto_only_heads_that_take_positions_get_the_configured_ones(separable: LabelledSet) -> None:
    found = list_candidates(separable, np.arange(120), TrainConfig(positions="timestamps"))

    assert {recipe.arch for recipe in found} == set(list_heads())
    assert {recipe.arch for recipe in found if recipe.positions == "timestamps"} == {"transformer", "clip4clip"}
    assert {recipe.positions for recipe in found} == {"timestamps", None}


def test_videos_without_timestamps_are_refused_by_a_timed_head() -> None:
    videos = VideoSet(("a", "b"), np.eye(2, 16, dtype=np.float32), np.array([1, 1]))

    with pytest.raises(
        ClassifyError, match=r"came without timestamps.*Train on a store.*or choose sinusoidal or learned"
    ):
        fit_head(LabelledSet(videos, ("x", "y"), np.eye(2, dtype=np.bool_)), np.arange(2), NOBODY, TIMED)

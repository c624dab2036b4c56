"""What heads give training videos that they did not train on: by whole groups, and never a test video."""

from dataclasses import replace

import numpy as np
import pytest

from classify.data import Split
from classify.measures.calibration import calibrate, calibration_error, fit_temperature
from classify.training import LabelledSet, TrainConfig, VideoSet, fit_head
from classify.training.held_out import predict_held_out
from classify.training.logits import predict_probabilities


def parts_of(dataset: LabelledSet, train: int, validation: int = 0, groups: tuple[str, ...] | None = None) -> Split:
    rest = len(dataset.videos) - train - validation
    return Split(dataset.videos.ids, ("train",) * train + ("validation",) * validation + ("test",) * rest, groups)


def overlapping(count: int) -> LabelledSet:
    """Return videos of two classes whose posterior is known: with a point of a class, log odds are x1."""
    rng, classes = np.random.default_rng(0), np.arange(count) % 2
    rows = rng.standard_normal((count, 48))
    rows[:, 0] += classes - 0.5
    videos = VideoSet(tuple(map(str, range(count))), rows.astype(np.float32), np.ones(count, dtype=np.int64))
    return LabelledSet(videos, ("a", "b"), classes[:, None] == np.arange(2))


def test_heads_that_pool_predict_every_training_video_and_no_other(separable: LabelledSet) -> None:
    split = parts_of(separable, 80, 20)
    run = fit_head(separable, np.arange(80), np.arange(80, 100), TrainConfig(epochs=2))

    found = predict_held_out(separable, split, run)

    assert found is not None
    assert sorted(found.videos) == list(range(80))


def test_heads_that_read_every_vector_predict_a_third(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(90), np.arange(0), TrainConfig(arch="rnn", epochs=1))

    found = predict_held_out(separable, parts_of(separable, 90), run)

    assert found is not None
    assert len(found.videos) == 30


def test_what_a_video_is_given_does_not_depend_on_its_own_group(separable: LabelledSet) -> None:
    groups = tuple(str(place // 12) for place in range(120))
    split = parts_of(separable, 96, groups=groups)
    run = fit_head(separable, np.arange(96), np.arange(0), TrainConfig(epochs=2))
    vectors = separable.videos.vectors.copy()
    vectors[: separable.videos.row_counts[:6].sum()] += 5  # half of the first group
    changed = replace(separable, videos=replace(separable.videos, vectors=vectors))

    ours, theirs = (predict_held_out(dataset, split, run) for dataset in (separable, changed))

    assert ours is not None
    assert theirs is not None
    other_half = np.isin(ours.videos, np.arange(6, 12))
    np.testing.assert_array_equal(ours.probabilities[other_half], theirs.probabilities[other_half])


def test_many_validation_videos_need_no_folds() -> None:
    dataset = overlapping(700)
    run = fit_head(dataset, np.arange(100), np.arange(0), TrainConfig(epochs=1))

    assert predict_held_out(dataset, parts_of(dataset, 100, 500), run) is None


def test_one_group_cannot_be_held_out(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(90), np.arange(0), TrainConfig(epochs=1))

    assert predict_held_out(separable, parts_of(separable, 90, groups=("one",) * 90 + ("other",) * 30), run) is None


@pytest.mark.parametrize(("video_count", "most"), [(60, 0.15), (200, 0.06), (600, 0.04)])
def test_the_probabilities_of_a_made_set_come_near_their_truth(video_count: int, most: float) -> None:
    dataset = overlapping(video_count + 2000)
    run = fit_head(dataset, np.arange(video_count), np.arange(0), TrainConfig())
    unseen = predict_held_out(dataset, parts_of(dataset, video_count), run)
    assert unseen is not None
    temperature = fit_temperature(dataset.targets[unseen.videos], unseen.probabilities, is_single_label=True)
    targets, plain = dataset.targets[video_count:], predict_probabilities(run.head, dataset.videos, None)[video_count:]

    before = calibration_error(targets, plain, is_single_label=True)
    after = calibration_error(targets, calibrate(plain, temperature, is_single_label=True), is_single_label=True)

    assert after < most
    assert after <= before


def test_four_videos_move_the_temperature_little() -> None:
    wrong = np.array([[0.999, 0.001]] * 4)
    targets = np.eye(2, dtype=np.bool_)[[1, 1, 0, 0]]

    assert 0.4 < fit_temperature(targets, wrong[:, ::-1], is_single_label=True) < 8

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classify import LabelledSet, TrainError, VideoSet
from classify.comparison.baselines import list_baselines, mean_vectors, predict_baseline, predict_zero_shot
from tests.classify.conftest import labelled

TRAIN, TEST = np.arange(90), np.arange(90, 120)


def with_several_labels(found: LabelledSet) -> LabelledSet:
    """Give every second video a further label, and none a fourth."""
    targets = np.concatenate([found.targets, np.zeros((120, 1), dtype=bool)], axis=1)
    targets[::2, 0] = True
    return LabelledSet(found.videos, (*found.names, "never"), targets)


def test_means_are_those_of_each_video_alone(separable: LabelledSet) -> None:
    means = mean_vectors(separable.videos)

    alone = separable.videos.rows_of(np.array([77]))
    np.testing.assert_allclose(means[77], alone.mean(axis=0), rtol=1e-6)
    assert means.shape == (120, separable.videos.dimension)


@pytest.mark.parametrize("name", ["logistic-regression", "logistic-statistics", "nearest-neighbours"])
def test_what_can_be_learned_is_learned(separable: LabelledSet, name: str) -> None:
    found = predict_baseline(name, separable, TRAIN)

    assert (found[TEST].argmax(axis=1) == separable.targets[TEST].argmax(axis=1)).all()


@pytest.mark.parametrize("name", ["logistic-regression", "nearest-neighbours"])
def test_several_labels_of_a_video_are_learned(separable: LabelledSet, name: str) -> None:
    dataset = with_several_labels(separable)
    dataset.videos.vectors[:, 8] = np.repeat(4.0 * dataset.targets[:, 0], dataset.videos.row_counts)  # type: ignore[attr-defined]

    found = predict_baseline(name, dataset, TRAIN)

    assert ((found[TEST] >= 0.5) == dataset.targets[TEST]).all()


def test_the_majority_is_each_labels_share_in_training(separable: LabelledSet) -> None:
    found = predict_baseline("majority", separable, np.array([0, 3, 6, 1]))

    assert found.shape == (120, 3)
    assert found[50].tolist() == [0.75, 0.25, 0.0]


def test_logistic_regression_is_scikit_learns_on_the_standardised_mean(separable: LabelledSet) -> None:
    means, classes = mean_vectors(separable.videos), separable.targets.argmax(axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(means[TRAIN], classes[TRAIN])

    found = predict_baseline("logistic-regression", separable, TRAIN)

    np.testing.assert_allclose(found, model.predict_proba(means), atol=1e-6)


def test_logistic_statistics_is_scikit_learns_on_mean_deviation_and_change(separable: LabelledSet) -> None:
    pieces = np.split(separable.videos.rows_of(np.arange(120)), separable.videos.row_counts.cumsum()[:-1])
    rows = np.stack([np.concatenate([own.mean(0), own.std(0), np.abs(np.diff(own, axis=0)).mean(0)]) for own in pieces])
    classes = separable.targets.argmax(axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(rows[TRAIN], classes[TRAIN])

    found = predict_baseline("logistic-statistics", separable, TRAIN)

    np.testing.assert_allclose(found, model.predict_proba(rows), atol=1e-4)


def test_what_only_moves_is_learned_by_logistic_statistics_alone() -> None:
    """Of one class the vectors swing around 0, of the other they stay near it; the means are alike."""
    rng, classes = np.random.default_rng(0), np.arange(120) % 2
    swing = np.where(np.arange(6) % 2, 1.0, -1.0)[:, None] * np.eye(16)[0]
    moving = labelled(classes[:, None, None] * swing + 0.3 * rng.normal(size=(120, 6, 16)), classes)

    means, statistics = (
        (predict_baseline(name, moving, TRAIN)[TEST].argmax(axis=1) == classes[TEST]).mean()
        for name in ("logistic-regression", "logistic-statistics")
    )

    assert statistics == 1.0
    assert means < 0.75


def test_a_class_that_training_lacks_gets_no_probability(separable: LabelledSet) -> None:
    train = np.flatnonzero(separable.targets[:, 2] == 0)

    assert predict_baseline("logistic-regression", separable, train)[:, 2].max() == 0


def test_the_nearest_video_by_cosine_counts_most(separable: LabelledSet) -> None:
    means = mean_vectors(separable.videos)
    train = np.array([0, 1])
    nearest = cosine_similarity(means[TEST], means[train]).argmax(axis=1)

    found = predict_baseline("nearest-neighbours", separable, train)

    assert (found[TEST].argmax(axis=1) == separable.targets[train].argmax(axis=1)[nearest]).all()


@pytest.mark.parametrize("name", list_baselines())
def test_videos_outside_training_influence_nothing(separable: LabelledSet, name: str) -> None:
    poisoned = separable.targets.copy()
    poisoned[TEST] = np.roll(poisoned[TEST], 1, axis=1)
    before = predict_baseline(name, separable, TRAIN)

    after = predict_baseline(name, LabelledSet(separable.videos, separable.names, poisoned), TRAIN)

    np.testing.assert_array_equal(before, after)


def test_a_video_of_zeros_is_as_near_to_every_word() -> None:
    videos = VideoSet(("dark.mp4",), np.zeros((2, 3), dtype=np.float32), np.array([2]))

    assert predict_zero_shot(videos, np.eye(2, 3)).tolist() == [[0.5, 0.5]]


def test_an_unknown_baseline_lists_all(separable: LabelledSet) -> None:
    with pytest.raises(TrainError, match=r"no baseline 'svm'\. Choose one of: majority, logistic-regression, logistic"):
        predict_baseline("svm", separable, TRAIN)

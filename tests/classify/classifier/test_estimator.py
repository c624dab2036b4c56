import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify import ClassifyError, HeadError, TrainError, VideoHeadClassifier

QUICK = VideoHeadClassifier(epochs=10, learning_rate=0.05)


@pytest.fixture
def ragged() -> tuple[list[NDArray[np.float32]], NDArray[np.str_]]:
    """60 videos of 2 to 5 vectors around their class's own point, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.array(["hug", "kick", "wave"])[np.arange(60) % 3]
    videos = [
        (3 * np.eye(3, 8)[index % 3] + rng.normal(0, 0.3, (rng.integers(2, 6), 8))).astype(np.float32)
        for index in range(60)
    ]
    return videos, labels


@parametrize_with_checks([QUICK])  # type: ignore[untyped-decorator]
def test_scikit_learns_own_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("arch", ["linear", "random-frame", "attention", "transformer"])
def test_heads_of_every_kind_learn_from_a_list_of_videos(
    arch: str, ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]
) -> None:
    videos, labels = ragged
    head = VideoHeadClassifier(arch, epochs=30, learning_rate=0.02).fit(videos[:45], labels[:45])

    assert head.score(videos[45:], labels[45:]) > 0.8
    assert head.n_features_in_ == 8
    assert head.classes_.tolist() == ["hug", "kick", "wave"]


def test_probabilities_do_not_depend_on_what_else_is_predicted(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    videos, labels = ragged
    head = VideoHeadClassifier("random-frame").fit(videos, labels)

    np.testing.assert_array_equal(head.predict_proba(videos)[50:], head.predict_proba(videos[50:]))
    np.testing.assert_allclose(head.predict_proba(videos).sum(axis=1), 1)


def test_cross_validation_takes_lists_and_arrays(ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    videos, labels = ragged

    of_lists = cross_val_score(QUICK, videos, labels, cv=3)
    of_arrays = cross_val_score(QUICK, np.stack([video[:2] for video in videos]), labels, cv=3)

    assert of_lists.tolist() == of_arrays.tolist() == [1.0, 1.0, 1.0]


def test_a_grid_search_goes_through_a_pipeline(ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    videos, labels = ragged
    halves = FunctionTransformer(lambda clips: np.stack([clip[:2, :4] for clip in clips]))
    pipeline = make_pipeline(halves, VideoHeadClassifier(epochs=5))

    search = GridSearchCV(pipeline, {"videoheadclassifier__learning_rate": [1e-6, 0.05]}, cv=3).fit(videos, labels)

    assert search.best_params_ == {"videoheadclassifier__learning_rate": 0.05}
    assert search.best_score_ == 1.0


def test_an_indicator_matrix_trains_several_labels_a_video() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (80, 3))
    videos = (4 * labels[:, None, :] + rng.normal(0, 0.3, (80, 5, 3))).astype(np.float32)

    head = VideoHeadClassifier(mixup=0.0, epochs=40, learning_rate=0.05).fit(videos[:60], labels[:60])

    assert (head.predict(videos[60:]) == labels[60:]).all()
    assert head.predict_proba(videos[60:]).shape == (20, 3)


def test_an_indicator_matrix_stays_one_if_each_row_has_one_label() -> None:
    labels = np.eye(3, dtype=np.int64)[np.arange(30) % 3]

    head = VideoHeadClassifier(epochs=1).fit(labels.astype(np.float32), labels)

    assert head.run_.thresholds == (0.5, 0.5, 0.5)


def test_a_sparse_indicator_matrix_trains_what_a_dense_one_trains() -> None:
    rng = np.random.default_rng(0)
    labels, videos = rng.integers(0, 2, (80, 3)), rng.normal(size=(80, 5, 3))

    dense, sparse = (VideoHeadClassifier(epochs=2).fit(videos, y) for y in (labels, csr_matrix(labels)))

    np.testing.assert_array_equal(sparse.predict_proba(videos), dense.predict_proba(videos))


def test_a_clone_is_unfitted_and_a_pickle_predicts_the_same(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    videos, labels = ragged
    head = VideoHeadClassifier("attention", dropout=None, random_state=3).fit(videos, labels)

    loaded = pickle.loads(pickle.dumps(head))

    assert clone(head).get_params() == head.get_params()
    assert not hasattr(clone(head), "run_")
    np.testing.assert_array_equal(loaded.predict_proba(videos), head.predict_proba(videos))


def test_a_seed_is_drawn_from_a_random_state(ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    drawing = VideoHeadClassifier(epochs=1, random_state=np.random.RandomState(5))

    seeds = [clone(drawing).fit(*ragged).run_.config.seed, *(drawing.fit(*ragged).run_.config.seed for _ in range(2))]

    expected = np.random.RandomState(5).randint(2**31 - 1, size=2).tolist()
    assert seeds == [expected[0], *expected]


def test_without_a_random_state_each_training_draws_a_seed(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    head = VideoHeadClassifier(epochs=1, random_state=None)

    assert head.fit(*ragged).run_.config.seed != head.fit(*ragged).run_.config.seed


def test_a_whole_random_state_is_the_seed(ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    assert VideoHeadClassifier(epochs=1, random_state=np.int64(7)).fit(*ragged).run_.config.seed == 7


def test_a_random_state_of_another_kind_is_refused(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    with pytest.raises(ValueError, match="'seven' cannot be used to seed"):
        VideoHeadClassifier(random_state="seven").fit(*ragged)  # type: ignore[arg-type]


@pytest.mark.parametrize("videos", [np.zeros((0, 5, 8)), []], ids=["array", "list"])
def test_no_videos_are_refused(videos: Any, ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    with pytest.raises(ValueError, match=r"X has 0 videos\. Pass at least one"):
        clone(QUICK).fit(videos, [])
    with pytest.raises(ValueError, match=r"X has 0 videos\. Pass at least one"):
        clone(QUICK).fit(*ragged).predict(videos)


def test_a_fitted_head_predicts_on_the_device_that_its_parameter_names(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    head = VideoHeadClassifier(epochs=1).fit(*ragged).set_params(device="tpu")

    with pytest.raises(TrainError, match="no device 'tpu' here"):
        head.predict_proba(ragged[0])


def test_videos_of_other_dimensions_are_refused(ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    videos, labels = ragged

    with pytest.raises(ValueError, match="vectors of 8, 9 dimensions, but VideoHeadClassifier is expecting one number"):
        QUICK.fit([*videos[:-1], np.zeros((2, 9))], labels)
    with pytest.raises(ValueError, match="vectors of 5 dimensions, but VideoHeadClassifier is expecting 8"):
        clone(QUICK).fit(videos, labels).predict(np.zeros((2, 3, 5)))


def test_each_video_needs_its_label(ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]) -> None:
    videos, labels = ragged

    with pytest.raises(ValueError, match="X has 60 videos, but y has 59 rows"):
        clone(QUICK).fit(videos, labels[1:])


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_arrays_train_heads_that_see_the_index(
    positions: str, ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]]
) -> None:
    head = VideoHeadClassifier("transformer", positions=positions, epochs=1).fit(*ragged)

    assert head.run_.config.positions == positions


def test_positions_by_timestamps_are_refused_since_arrays_have_none(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    with pytest.raises(
        ClassifyError, match=r"came without timestamps.*Train on a store.*or choose sinusoidal or learned"
    ):
        VideoHeadClassifier("transformer", positions="timestamps").fit(*ragged)


def test_a_wrong_parameter_is_named_when_it_is_used(
    ragged: tuple[list[NDArray[np.float32]], NDArray[np.str_]],
) -> None:
    with pytest.raises(HeadError, match="no head called 'perceptron'"):
        VideoHeadClassifier("perceptron").fit(*ragged)

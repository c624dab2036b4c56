import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax

from classify.measures.calibration import (
    calibrate,
    calibration_error,
    choose_temperature,
    fit_temperature,
    move_thresholds,
)
from classify.measures.metrics import decide_labels

probability_tables = arrays(np.float32, (8, 3), elements=st.floats(0, 1, width=32))


def test_the_error_with_one_label_a_video_is_what_a_hand_finds() -> None:
    targets = np.array([[True, False], [True, False], [True, False], [False, True]])
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.62, 0.38], [0.38, 0.62]])

    found = calibration_error(targets, probabilities, is_single_label=True)

    # Bin of 0.9: sure by 0.9, right by 1/2. Bin of 0.62: sure by 0.62, right by 1. Two videos of four in each.
    assert found == pytest.approx(2 / 4 * (0.9 - 0.5) + 2 / 4 * (1 - 0.62))


def test_the_error_with_several_labels_looks_at_every_video_and_label() -> None:
    targets = np.array([[True, True], [False, False]])
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1]])

    assert calibration_error(targets, probabilities, is_single_label=False) == pytest.approx(0.4)


def test_certainty_falls_into_the_last_bin() -> None:
    assert calibration_error(np.array([[True]]), np.array([[1.0]]), is_single_label=False) == 0


@pytest.fixture
def logits() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(0, 2, (4000, 4))


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_temperature_of_one_label_a_video_undoes_what_made_a_head_too_sure(
    logits: NDArray[np.float64], factor: float
) -> None:
    rng = np.random.default_rng(1)
    classes = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    targets = classes[:, None] == np.arange(4)
    probabilities = softmax(factor * logits, axis=1).astype(np.float32)

    temperature = fit_temperature(targets, probabilities, is_single_label=True)

    assert temperature == pytest.approx(factor, rel=0.05)
    calibrated = calibrate(probabilities, temperature, is_single_label=True)
    assert calibration_error(targets, calibrated, is_single_label=True) < 0.02
    assert calibration_error(targets, probabilities, is_single_label=True) > 0.1


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_temperature_of_several_labels_undoes_what_made_a_head_too_sure(
    logits: NDArray[np.float64], factor: float
) -> None:
    targets = expit(logits) > np.random.default_rng(1).random(logits.shape)

    found = fit_temperature(targets, expit(factor * logits).astype(np.float32), is_single_label=False)

    assert found == pytest.approx(factor, rel=0.05)


@pytest.mark.parametrize("is_single_label", [True, False])
def test_a_head_that_is_right_on_ten_videos_is_not_made_certain(is_single_label: bool) -> None:
    targets = np.arange(10)[:, None] % 2 == np.arange(2)
    probabilities = np.where(targets, 0.9, 0.1)

    temperature = fit_temperature(targets, probabilities, is_single_label=is_single_label)

    assert calibrate(probabilities, temperature, is_single_label=is_single_label).max() < 0.96


@settings(deadline=None)
@given(probability_tables, st.floats(0.1, 10))
def test_no_temperature_changes_which_label_is_likeliest(table: NDArray[np.float32], temperature: float) -> None:
    likeliest = decide_labels(table, None)

    calibrated = calibrate(table, temperature, is_single_label=True)

    assert (calibrated[likeliest] >= calibrated.max(axis=1) - 1e-12).all()


def test_a_temperature_divides_the_logits_of_several_labels() -> None:
    probabilities = np.array([[0.001, 0.3, 0.5, 0.99]])

    found = calibrate(probabilities, 2.5, is_single_label=False)

    np.testing.assert_allclose(found, expit(logit(probabilities) / 2.5))


def test_certain_probabilities_stay_finite() -> None:
    found = calibrate(np.array([[0.0, 1.0]], dtype=np.float32), 0.5, is_single_label=False)

    assert np.isfinite(found).all()


def test_the_lowest_temperature_takes_the_lowest_probability_without_a_warning() -> None:
    found = calibrate(np.array([[1e-30, 0.5]]), 0.02, is_single_label=False)

    assert found.tolist() == [[0.0, 0.5]]


def test_thresholds_move_with_the_probabilities_so_that_labels_stay() -> None:
    probabilities = np.random.default_rng(0).random((500, 3))
    thresholds = (0.2, 0.5, 0.9)

    moved = move_thresholds(thresholds, 3.0)

    after = decide_labels(calibrate(probabilities, 3.0, is_single_label=False), moved)
    assert (after == decide_labels(probabilities, thresholds)).all()


def test_where_each_video_gets_its_likeliest_label_there_is_no_threshold_to_move() -> None:
    assert move_thresholds(None, 3.0) is None


@pytest.fixture
def certain() -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """200 videos of three labels, and probabilities of 0.98 that are right seven times in ten."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    said = np.where(rng.random(200) < 0.7, labels, (labels + 1) % 3)
    return np.eye(3, dtype=bool)[labels], np.where(np.eye(3, dtype=bool)[said], 0.98, 0.01)


def test_a_head_that_is_too_sure_gets_a_temperature_between_one_and_the_fitted(
    certain: tuple[NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    found, fitted = (choose(*certain, is_single_label=True) for choose in (choose_temperature, fit_temperature))

    assert 1.5 < found < fitted


def test_many_videos_get_the_fitted_temperature(logits: NDArray[np.float64]) -> None:
    targets = expit(logits) > np.random.default_rng(1).random(logits.shape)

    found = choose_temperature(targets, expit(3 * logits), is_single_label=False)

    assert found == pytest.approx(3, rel=0.1)


def test_what_may_be_noise_between_groups_changes_no_probability(
    certain: tuple[NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    few = [found[:2] for found in certain]

    assert choose_temperature(*few, is_single_label=True) == 1
    assert choose_temperature(*certain, is_single_label=True, groups=["one recording"] * 200) == 1


def test_the_doubt_about_a_temperature_is_that_of_drawing_groups_again() -> None:
    """100 groups of 8 equal videos tell as much as 100 videos: the standard error is that of 100 draws."""
    rng = np.random.default_rng(0)
    sure = softmax(rng.normal(0, 2, (100, 3)) * 2, axis=1)
    targets = (softmax(np.log(sure) / 2, axis=1).cumsum(axis=1) > rng.random((100, 1))).argmax(axis=1)[
        :, None
    ] == range(3)
    eight = [table.repeat(8, axis=0) for table in (targets, sure)]
    draws = [rng.integers(100, size=100) for _ in range(200)]
    fitted = [
        np.log(fit_temperature(*(table[rows].repeat(8, axis=0) for table in (targets, sure)), is_single_label=True))
        for rows in draws
    ]

    found = choose_temperature(*eight, is_single_label=True, groups=[str(place // 8) for place in range(800)])

    whole = np.log(fit_temperature(*eight, is_single_label=True))
    error = np.sqrt(1 - np.log(found) / whole) * whole / 1.984  # Student's t of 99 degrees of freedom
    assert error == pytest.approx(np.std(fitted), rel=0.25)


def test_several_labels_are_calibrated_beyond_noise_too() -> None:
    rng = np.random.default_rng(1)
    targets = rng.random((300, 4)) < 0.5
    said = np.where((rng.random((300, 4)) < 0.7) == targets, 0.97, 0.03)

    assert choose_temperature(targets, said, is_single_label=False) > 1.5

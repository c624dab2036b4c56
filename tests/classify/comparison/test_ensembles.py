import numpy as np
import pytest
from numpy.typing import NDArray

from classify.comparison.ensembles import Library, choose_best, gain_of_average, select_average

CLASSES = np.arange(200) % 2


def library_of(*truths: NDArray[np.float64]) -> Library:
    """Return candidates that give 200 videos of two classes these probabilities of their own class."""
    own = np.stack(truths).astype(np.float32)
    rows = np.where(CLASSES[None, :, None] == np.arange(2), own[..., None], 1 - own[..., None])
    return Library(rows, CLASSES[:, None] == np.arange(2), np.arange(200) // 40, is_multi_label=False)


def test_candidates_that_err_on_other_videos_are_averaged() -> None:
    rng = np.random.default_rng(0)
    errors = rng.random((3, 200)) < 0.25

    library = library_of(*np.where(errors, 0.4, 0.9))

    weights = select_average(library, 0)
    assert (weights > 0.2).all()
    assert weights.sum() == pytest.approx(1)
    assert gain_of_average(library, 0, choose_best) > 0.1


def test_a_candidate_that_is_always_right_stays_alone() -> None:
    rng = np.random.default_rng(0)

    library = library_of(np.full(200, 0.99), *np.where(rng.random((3, 200)) < 0.3, 0.2, 0.8))

    assert select_average(library, 0).argmax() == 0
    assert gain_of_average(library, 0, choose_best) <= 0


def test_an_average_of_noise_is_no_gain() -> None:
    rng = np.random.default_rng(1)

    gains = [gain_of_average(library_of(*rng.random((10, 200))), 0, choose_best) for _ in range(3)]

    assert abs(np.mean(gains)) < 0.06


def test_of_equals_the_first_is_the_best() -> None:
    assert choose_best(library_of(np.full(200, 0.8), np.full(200, 0.9))) == 0

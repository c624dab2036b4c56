import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from classify.heads.motion import describe_motion


def describe(rows: NDArray[np.float32], padding: int = 0) -> NDArray[np.float32]:
    """Return the (15, D) parts of one video, before the square root."""
    padded = np.concatenate([rows, np.full((padding, rows.shape[1]), np.nan, dtype=np.float32)])
    mask = torch.arange(len(padded))[None] < len(rows)
    found = describe_motion(torch.from_numpy(padded)[None], mask).reshape(15, -1).numpy()
    return np.asarray(np.sign(found) * found**2)


def rows_of(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)


def test_motion_is_that_of_numpy_on_the_real_vectors() -> None:
    rows = rows_of(17)  # 16 steps: as many in each quarter
    steps = np.abs(np.diff(rows, axis=0))

    found = describe(rows, padding=3)

    np.testing.assert_allclose(found[0], rows.mean(0), atol=1e-5)
    np.testing.assert_allclose(found[9], rows.std(0), atol=1e-5)
    np.testing.assert_allclose(found[10], steps.mean(0), atol=1e-5)
    np.testing.assert_allclose(found[11:], steps.reshape(4, 4, 4).mean(1), atol=1e-5)


def test_bins_are_means_of_their_time_from_the_whole_videos() -> None:
    rows = rows_of(24)

    expected = rows.reshape(8, 3, 4).mean(1) - rows.mean(0)

    np.testing.assert_allclose(describe(rows, padding=2)[1:9], expected, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 8, 13, 20])
def test_a_vector_counts_in_a_bin_by_how_long_it_lasts_there(count: int) -> None:
    rows = rows_of(count)

    fine = np.repeat(rows, 8, axis=0).reshape(8, count, 4).mean(1) - rows.mean(0)  # each vector cut into eight

    np.testing.assert_allclose(describe(rows, padding=1)[1:9], fine, atol=1e-5)


def test_what_runs_backwards_has_the_same_parts_in_another_order() -> None:
    rows = rows_of(17)

    forwards, backwards = describe(rows), describe(rows[::-1].copy())

    np.testing.assert_allclose(forwards[1:9], backwards[8:0:-1], atol=1e-5)
    np.testing.assert_allclose(forwards[9:11], backwards[9:11], atol=1e-5)
    np.testing.assert_allclose(forwards[11:], backwards[:10:-1], atol=1e-5)


def test_a_video_of_one_vector_does_not_move() -> None:
    assert not describe(rows_of(1), padding=2)[1:].any()


def test_a_shift_of_all_vectors_changes_the_mean_only() -> None:
    rows, shift = rows_of(13), rows_of(1) * 5

    found, before = describe(rows + shift), describe(rows)

    np.testing.assert_allclose(found[1:], before[1:], atol=1e-5)
    np.testing.assert_allclose(found[0], before[0] + shift[0], atol=1e-5)


def test_what_does_not_move_has_a_gradient_all_the_same() -> None:
    still = torch.ones(2, 5, 4, requires_grad=True)
    mask = torch.arange(5) < torch.tensor([5, 1])[:, None]

    describe_motion(still, mask).sum().backward()

    assert still.grad is not None
    assert still.grad.isfinite().all()

import numpy as np
import torch

from classify.heads.statistics import describe


def test_statistics_are_those_of_numpy_on_the_real_vectors() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    padded = np.concatenate([rows, np.full((3, 4), np.nan, dtype=np.float32)])

    found = describe(torch.from_numpy(padded)[None], torch.arange(8)[None] < 5)

    expected = np.concatenate([rows.mean(0), rows.std(0), np.abs(np.diff(rows, axis=0)).mean(0)])
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


def test_a_video_of_one_vector_has_no_change_and_a_finite_slope() -> None:
    vectors = torch.ones(1, 1, 4, requires_grad=True)

    found = describe(vectors, torch.ones(1, 1, dtype=torch.bool))
    found.sum().backward()

    assert found[0, 4:].abs().max() < 1e-3
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()

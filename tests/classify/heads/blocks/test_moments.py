import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from classify.heads.blocks.moments import Moments


@pytest.fixture
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) + 50).astype(np.float32)


@pytest.mark.parametrize("with_covariance", [False, True])
def test_moments_of_blocks_are_those_of_all_rows(rows: np.ndarray, with_covariance: bool) -> None:
    moments = Moments(with_covariance=with_covariance)
    for block in np.split(rows, [1, 70, 250]):
        moments.add(torch.from_numpy(block))

    np.testing.assert_allclose(moments.mean, rows.mean(axis=0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(moments.variance, rows.var(axis=0, dtype=np.float64), rtol=1e-4)


def test_principal_components_are_scikit_learns_up_to_their_sign(rows: np.ndarray) -> None:
    moments = Moments(with_covariance=True)
    for block in np.split(rows, 3):
        moments.add(torch.from_numpy(block))

    variances, directions = moments.principal(3)

    theirs = PCA(3).fit(rows.astype(np.float64))
    np.testing.assert_allclose(variances, theirs.explained_variance_ * 299 / 300, rtol=1e-4)
    np.testing.assert_allclose(np.abs(directions.T.numpy()), np.abs(theirs.components_), atol=1e-3)
    assert directions.gather(0, directions.abs().argmax(dim=0, keepdim=True)).min() > 0

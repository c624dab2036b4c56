"""Vectors of activations are shortened for the map and the label check."""

import numpy as np
from scipy.spatial.distance import pdist

from classify.report.findings import shorten_vectors


def test_long_vectors_keep_their_distances_in_fewer_dimensions() -> None:
    vectors = np.random.default_rng(0).standard_normal((12, 20_000)).astype(np.float32)
    vectors[6:] += 0.5

    short = shorten_vectors(vectors)

    assert short.shape == (12, 1024)
    np.testing.assert_allclose(pdist(short), pdist(vectors), rtol=0.15)
    assert np.array_equal(short, shorten_vectors(vectors))


def test_vectors_of_encoders_stay_as_they_are() -> None:
    vectors = np.ones((3, 1280), dtype=np.float32)

    assert shorten_vectors(vectors) is vectors

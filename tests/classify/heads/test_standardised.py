import numpy as np
import torch

from classify.heads import StandardisedHead, build_head
from classify.heads.linear import LinearHead
from classify.heads.pooling import pool_mean

D, C = 6, 3


def test_selected_vectors_have_mean_0_and_deviation_1_over_the_training_rows() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (200, D)).astype(np.float32)
    head = StandardisedHead(LinearHead(D, C), D)
    head.learn_scale(rows)

    selected = head.select(rows, "a.mp4")

    np.testing.assert_allclose(selected.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(selected.std(axis=0), 1, atol=1e-5)


def test_a_dimension_that_never_changes_becomes_zero_and_not_nan() -> None:
    head = StandardisedHead(LinearHead(D, C), D)
    head.learn_scale(np.full((4, D), 7, dtype=np.float16))

    assert head.select(np.full((4, D), 7, dtype=np.float16), "a.mp4").tolist() == np.zeros((4, D)).tolist()


def test_a_dimension_that_hardly_changes_is_not_blown_up() -> None:
    rows = np.random.default_rng(0).normal(0, [1, 1, 1, 1, 1, 1e-5], (200, D))
    head = StandardisedHead(LinearHead(D, C), D)
    head.learn_scale(rows)

    assert np.abs(head.select(np.full((1, D), 0.5), "a.mp4")).max() < 10


def test_a_fresh_head_changes_nothing() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(2, D)

    assert build_head("linear", D, C).select(vectors, "a.mp4").tolist() == vectors.tolist()


def test_the_scale_is_saved_with_the_weights() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (20, D)).astype(np.float32)
    one, other = build_head("linear", D, C), build_head("linear", D, C)
    one.learn_scale(rows)
    other.load_state_dict(one.state_dict())
    vectors, mask = torch.from_numpy(other.select(rows, "a.mp4")).unsqueeze(0), torch.ones(1, 20, dtype=torch.bool)

    assert pool_mean(vectors, mask).abs().max() < 1e-5
    assert torch.equal(one(vectors, mask), other(vectors, mask))

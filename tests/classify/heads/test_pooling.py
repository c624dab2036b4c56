import torch

from classify.heads.pooling import pool_mean


def test_the_mean_is_over_real_vectors_only() -> None:
    vectors = torch.tensor([[[2.0], [4.0], [100.0]], [[5.0], [7.0], [9.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])

    assert pool_mean(vectors, mask).tolist() == [[3.0], [7.0]]


def test_real_vectors_need_not_come_first() -> None:
    vectors = torch.tensor([[[100.0], [2.0], [4.0]]])

    assert pool_mean(vectors, torch.tensor([[False, True, True]])).tolist() == [[3.0]]

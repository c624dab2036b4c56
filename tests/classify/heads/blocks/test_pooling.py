import torch

from classify.heads.blocks.pooling import pool_max, take_last

VECTORS = torch.tensor([[[1.0], [-3.0], [9.0]], [[-5.0], [-2.0], [-7.0]]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


def test_the_largest_is_the_largest_real_one() -> None:
    assert pool_max(VECTORS, MASK).tolist() == [[1.0], [-2.0]]


def test_the_last_is_the_last_real_one() -> None:
    assert take_last(VECTORS, MASK).tolist() == [[-3.0], [-7.0]]

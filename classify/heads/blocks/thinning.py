"""Fewer vectors of a video."""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_Number = TypeVar("_Number", bound=np.floating)


def thin(vectors: NDArray[_Number], count: int) -> NDArray[_Number]:
    """Keep at most `count` of T vectors (T, D), or of their moments (T,): those at the centres of equal parts.

    >>> thin(np.arange(10).reshape(10, 1), 3).ravel()
    array([1, 5, 8])
    """
    if len(vectors) <= count:
        return vectors
    return vectors[(2 * np.arange(count) + 1) * len(vectors) // (2 * count)]


def thin_batch(vectors: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Thin each video of a batch as `thin` does, whatever its length.

    Args:
        vectors: (B, T, D).
        mask: (B, T) bool, True where a vector is real; each video's real vectors come first.
        count: vectors that are kept at most.

    Returns:
        (B, count, D), and the mask (B, count) of it.

    >>> vectors, mask = torch.arange(10.0).reshape(1, 10, 1), torch.ones(1, 10, dtype=torch.bool)
    >>> thin_batch(vectors, mask, 3)[0].flatten()
    tensor([1., 5., 8.])
    """
    lengths = mask.sum(dim=1, keepdim=True)
    places = torch.arange(count, device=mask.device)
    rows = torch.where(lengths > count, (2 * places + 1) * lengths // (2 * count), places)
    is_real = places < lengths
    taken = rows.masked_fill(~is_real, 0).unsqueeze(-1).expand(-1, -1, vectors.shape[2])
    return vectors.gather(1, taken), is_real

"""Thinning: some of a video's vectors, evenly spaced."""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_Number = TypeVar("_Number", bound=np.floating)


def thin(vectors: NDArray[_Number], count: int) -> NDArray[_Number]:
    """Return at most `count` of T vectors (T, D), or of their timestamps (T,): those at the centres of equal parts.

    >>> thin(np.arange(10).reshape(10, 1), 3).ravel()
    array([1, 5, 8])
    """
    if len(vectors) <= count:
        return vectors
    return vectors[(2 * np.arange(count) + 1) * len(vectors) // (2 * count)]


def thin_batch(vectors: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the vectors that `thin` keeps of each video of a batch.

    Args:
        vectors: (B, T, D).
        mask: (B, T) bool, True where a vector is real; each video's real vectors come first.
        count: largest number of vectors that are kept.

    Returns:
        Vectors (B, count, D), and their mask (B, count).

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

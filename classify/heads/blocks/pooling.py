"""Pooling: one vector for each video, made of its vectors in time.

Shapes: vectors (B, T, D) float, mask (B, T) bool, True where a vector is real. Every video has at least one real
vector, and its real vectors come first. Rows where the mask is False may hold anything, including NaN.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Pooled(NamedTuple):
    """One row for each video, which is computed once and kept.

    Args:
        rows: (B, D).
        weights: (B,) weight of a row in a mix of two videos, multiplied by its share of the mix.
    """

    rows: Tensor
    weights: Tensor


def clear_padding(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the vectors with zeros where `mask` is False: (B, T, D)."""
    # masked_fill, because a product keeps NaN: 0 x inf and 0 x NaN are NaN.
    return vectors.masked_fill(~mask.unsqueeze(-1), 0)


def pool_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the real vectors of each video: (B, D), not renormalised.

    >>> from torch import tensor
    >>> vectors = tensor([[[1.0], [3.0], [float("nan")]]])
    >>> pool_mean(vectors, tensor([[True, True, False]]))
    tensor([[2.]])

    Source: mean pooling of CLIP4Clip (Luo et al. 2021), https://arxiv.org/abs/2104.08860, section 3.3.
    """
    total = clear_padding(vectors, mask).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).to(total.dtype)


def pool_max(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the maximum of each dimension over the real vectors of each video: (B, D)."""
    return vectors.masked_fill(~mask.unsqueeze(-1), float("-inf")).amax(dim=1)


def take_last(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the last real vector of each video: (B, D)."""
    last = mask.sum(dim=1) - 1
    return vectors.gather(1, last[:, None, None].expand(-1, 1, vectors.shape[2])).squeeze(1)


def pool_mean_once(vectors: Tensor, mask: Tensor) -> Pooled:
    """Return the mean of the real vectors of each video, with their number as its weight.

    The mean of two mixed videos divides by the length of the longer one. So it equals the mix of their means, each
    multiplied by its own length over the longer length.
    """
    return Pooled(pool_mean(vectors, mask), mask.sum(dim=1).to(vectors.dtype))


def pool_mix(first: Pooled, second: Pooled, share: Tensor) -> Tensor:
    """Return mixes of the rows of two batches, video by video: (B, D).

    Args:
        first: B videos.
        second: B videos.
        share: (B,) of the first, in [0, 1]; the second has the rest. 1 returns the first, and 0 the second.
    """
    longer = torch.maximum(first.weights * (share > 0), second.weights * (share < 1))
    factors = share * first.weights / longer, (1 - share) * second.weights / longer
    return factors[0].unsqueeze(1) * first.rows + factors[1].unsqueeze(1) * second.rows

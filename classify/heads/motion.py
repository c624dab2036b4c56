"""How a video's vectors move, and their mean, then one linear layer: for actions.

Clips of the same place have nearly the same mean vector, whatever happens in them, so a head that sees little else
learns the place. Here the mean is one part of fifteen. The other parts stay the same if all vectors of a video are
shifted by the same amount, as another place or light does. For each dimension the parts are:

- the mean;
- for each of 8 bins of time, the difference between the bin's mean and the video's mean: what comes first and last;
- the standard deviation over time;
- the mean absolute difference between neighbouring vectors, of the video and of each quarter: how fast, and when.

The signed square root is taken of each part, so that a few dimensions with large changes do not hide many with small
ones. `StandardisedHead` then standardises each over the training videos.

Source of the square root: power normalisation, Perronnin, Sanchez, Mensink 2010, Improving the Fisher Kernel for
Large-Scale Image Classification, ECCV, section 3.2.
"""

import torch
from torch import Tensor, nn

from classify.heads.blocks import Pooled, clear_padding, pool_mean

_BINS = 8
_QUARTERS = 4
_PARTS = 1 + _BINS + 2 + _QUARTERS
_SMALLEST = 1e-8  # the slope of the square root is infinite at 0, the value of videos of one vector


class MotionHead(nn.Module):
    """Classify a video by how its vectors change over time.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
        dropout: share of the numbers that describe a video which is dropped in training.
    """

    def __init__(self, dimension: int, class_count: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.is_linear = dropout == 0
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(_PARTS * dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's motion. Two videos are mixed by mixing these rows, not by mixing their vectors."""
        described = describe_motion(vectors, mask)
        return Pooled(described, torch.ones_like(described[:, 0]))

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, 15 D)."""
        logits: Tensor = self.linear(self.dropout(rows))
        return logits


def describe_motion(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return mean, bins, deviation and differences, concatenated: (B, 15 D). One vector has 0 beside its mean.

    >>> rising = torch.arange(16.0).reshape(1, 16, 1)
    >>> described = describe_motion(rising, torch.ones(1, 16, dtype=torch.bool))
    >>> described.square().mul(described.sign()).round(decimals=2)
    tensor([[ 7.5000, -7.0000, -5.0000, -3.0000, -1.0000,  1.0000,  3.0000,  5.0000,
              7.0000,  4.6100,  1.0000,  1.0000,  1.0000,  1.0000,  1.0000]])
    """
    real, count, mean = clear_padding(vectors, mask), mask.sum(dim=1), pool_mean(vectors, mask)
    centred = clear_padding(real - mean.unsqueeze(1), mask)
    steps = clear_padding((real[:, 1:] - real[:, :-1]).abs(), mask[:, 1:])
    parts = [
        mean,
        _mean_in_bins(centred, count, _BINS).flatten(1),
        _root(pool_mean(centred.square(), mask)),
        steps.sum(dim=1) / (count - 1).clamp_min(1).unsqueeze(1),
        _mean_in_bins(steps, count - 1, _QUARTERS).flatten(1),
    ]
    return _root(torch.cat(parts, dim=1))


def _root(numbers: Tensor) -> Tensor:
    """Return the signed square root. At 0, both the value and the slope are 0."""
    return numbers.sign() * numbers.abs().clamp_min(_SMALLEST).sqrt()


def _mean_in_bins(rows: Tensor, count: Tensor, bins: int) -> Tensor:
    """Return the mean of the first `count` rows of each video in equal bins of time: (B, T, D) -> (B, bins, D).

    All rows last equally long. A row counts in each bin with the share of it that lies there.
    """
    width = (count.to(rows.dtype) / bins)[:, None, None]
    first = torch.arange(bins, device=rows.device, dtype=rows.dtype)[:, None] * width
    row = torch.arange(rows.shape[1], device=rows.device, dtype=rows.dtype)
    overlap = (torch.minimum(first + width, row + 1) - torch.maximum(first, row)).clamp_min(0)
    return (overlap / width.clamp_min(torch.finfo(rows.dtype).tiny)) @ rows

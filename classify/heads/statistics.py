"""Mean, deviation and mean change of a video's vectors, then one linear layer: motion at the cost of a mean.

The mean says what is in the video, the deviation how much it varies, and the mean absolute difference between
neighbouring vectors how fast it varies. Only the last depends on the order of vectors.
"""

import torch
from torch import Tensor, nn

from classify.heads.blocks import Pooled, clear_padding, pool_mean

_SMALLEST_VARIANCE = 1e-8  # the slope of the square root is infinite at 0, the value of videos of one vector


class StatisticsHead(nn.Module):
    """Classify a video by the mean, spread and change of its vectors.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    is_linear = True

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's statistics. Two videos are mixed by mixing these rows, not by mixing their vectors."""
        described = describe(vectors, mask)
        return Pooled(described, torch.ones_like(described[:, 0]))

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D)."""
        logits: Tensor = self.linear(rows)
        return logits


def describe(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return mean, standard deviation and mean absolute difference in time, concatenated: (B, 3 D).

    >>> describe(torch.tensor([[[1.0], [3.0], [1.0], [3.0]]]), torch.ones(1, 4, dtype=torch.bool))
    tensor([[2., 1., 2.]])
    """
    real = clear_padding(vectors, mask)
    mean = pool_mean(real, mask)
    variance = pool_mean((real - mean.unsqueeze(1)).square(), mask)
    is_step = mask[:, 1:]
    steps = clear_padding((real[:, 1:] - real[:, :-1]).abs(), is_step).sum(dim=1)
    change = steps / is_step.sum(dim=1, keepdim=True).clamp_min(1)
    return torch.cat([mean, variance.clamp_min(_SMALLEST_VARIANCE).sqrt(), change], dim=1)

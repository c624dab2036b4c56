"""Batch norm that knows which vectors are real."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedBatchNorm(nn.Module):
    """Batch norm over the real vectors of a batch, as if there were no padding.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dimension)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return (B, T, D); rows where `mask` (B, T) is False mean nothing."""
        # One row alone has no variance to learn from.
        if self.training and int(mask.sum()) > 1:
            normed = torch.zeros_like(vectors)
            normed[mask] = self.norm(vectors[mask])
            return normed
        norm = self.norm
        rows = vectors.flatten(0, 1)
        return F.batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps).view_as(
            vectors
        )

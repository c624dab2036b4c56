"""Batch norm over real vectors only."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedBatchNorm(nn.Module):
    """Batch norm over the real vectors of a batch. Padding does not count.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dimension)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return (B, T, D). Rows where `mask` (B, T) is False have no meaning."""
        # A single row has no variance.
        if self.training and int(mask.sum()) > 1:
            normed = torch.zeros_like(vectors)
            normed[mask] = self.norm(vectors[mask])
            return normed
        norm = self.norm
        rows = vectors.flatten(0, 1)
        return F.batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps).view_as(
            vectors
        )

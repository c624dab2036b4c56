"""The mean of a video's vectors, then one linear layer."""

from torch import Tensor, nn

from classify.heads.blocks import Pooled, pool_mean_once


class LinearHead(nn.Module):
    """Classify a video by the mean of its vectors.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    pools_mean = True
    is_linear = True

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's mean."""
        return pool_mean_once(vectors, mask)

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D)."""
        logits: Tensor = self.linear(rows)
        return logits

"""The mean of a video's vectors, then one linear layer."""

from torch import Tensor, nn

from classify.heads.pooling import pool_mean


class LinearHead(nn.Module):
    """Classify a video by the mean of its vectors.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        logits: Tensor = self.linear(pool_mean(vectors, mask))
        return logits

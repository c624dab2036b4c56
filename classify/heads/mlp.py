"""The mean of a video's vectors, one hidden layer, then one linear layer."""

from torch import Tensor, nn

from classify.heads.pooling import pool_mean

HIDDEN = 1024
DROPOUT = 0.5


class MlpHead(nn.Module):
    """Classify a video by the mean of its vectors, not linearly.

    Args:
        dimension: D, the length of one vector.
        class_count: C.

    Source: the one-hidden-layer baseline of YouTube-8M's 2017 challenge on video-level means.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dimension, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, class_count)
        )

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        logits: Tensor = self.layers(pool_mean(vectors, mask))
        return logits

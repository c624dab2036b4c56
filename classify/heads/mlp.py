"""The mean of a video's vectors, one hidden layer, then one linear layer."""

from torch import Tensor, nn

from classify.heads.blocks import Pooled, pool_mean_once

HIDDEN = 1024
DROPOUT = 0.5


class MlpHead(nn.Module):
    """Classify a video by the mean of its vectors, with one hidden layer.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
        dropout: share of the hidden units that are dropped in training.

    Source: the one-hidden-layer baseline of YouTube-8M's 2017 challenge on video-level means.
    """

    pools_mean = True

    def __init__(self, dimension: int, class_count: int, *, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dimension, HIDDEN), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HIDDEN, class_count)
        )

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's mean."""
        return pool_mean_once(vectors, mask)

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D)."""
        logits: Tensor = self.layers(rows)
        return logits

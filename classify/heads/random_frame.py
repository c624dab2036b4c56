"""One frame of a video, chosen by the video's id, then one linear layer: a baseline that sees no time at all."""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.heads.blocks import Pooled, pool_mean_once


class RandomFrameHead(nn.Module):
    """Classify a video by one of its vectors: the same one in every epoch and every run.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    pools_mean = True
    is_linear = True

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:
        """Return one vector, (1, D): the row that `choose_row` returns."""
        row = choose_row(video_id, len(vectors))
        return vectors[row : row + 1]

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of selected vectors (B, T, D). `mask` (B, T) is True at one place of each video."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's mean."""
        return pool_mean_once(vectors, mask)

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D)."""
        logits: Tensor = self.linear(rows)
        return logits


def choose_row(video_id: str, row_count: int) -> int:
    """Return the row of a video, chosen by its id only: sha256 of the id, as an exact integer, mod the row count.

    >>> choose_row("food/0001.mp4", 100)
    84
    """
    # Python's hash() of a string differs between processes, and a float of the digest would lose its last digits.
    return int(sha256(video_id.encode(errors="surrogateescape")).hexdigest(), 16) % row_count

"""Deep bag of frames: each of 30 vectors is laid on 8,192 clusters, and the strongest answer of each cluster counts."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from classify.heads.blocks import MaskedBatchNorm, clear_padding, pool_max, thin, thin_batch
from classify.heads.moe import MixtureOfExperts

FRAMES = 30
CLUSTERS = 8192
HIDDEN = 1024


class DbofHead(nn.Module):
    """Classify a video by which clusters its vectors fall into, whatever their order.

    Args:
        dimension: D, the length of one vector.
        class_count: C.

    Source: DbofModel of https://github.com/google/youtube-8m, frame_level_models.py, with its default sizes;
    Abu-El-Haija et al. 2016, https://arxiv.org/abs/1609.08675, section 5.1.2. The 30 frames are evenly spaced, not
    drawn anew each time, so that a video has one prediction. Of its three batch norms, that of the clusters is here,
    over real vectors alone; that of the input is left to `StandardisedHead`, and that of the hidden layer is a layer
    norm, since a batch has one row a video there: few to take a deviation from, and none where one video is left.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.clusters = nn.Linear(dimension, CLUSTERS, bias=False)
        self.cluster_norm = MaskedBatchNorm(CLUSTERS)
        self.hidden = nn.Linear(CLUSTERS, HIDDEN, bias=False)
        self.hidden_norm = nn.LayerNorm(HIDDEN)
        self.mixture = MixtureOfExperts(HIDDEN, class_count)

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:  # noqa: ARG002
        """Keep at most 30 vectors, those at the centres of equal parts."""
        return thin(vectors, FRAMES)

    def select_batch(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Make the same choice in vectors (B, T, D) where `mask` (B, T) is True; return both of what is kept."""
        return thin_batch(vectors, mask, FRAMES)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        answers = F.relu6(self.cluster_norm(self.clusters(clear_padding(vectors, mask)), mask))
        hidden = F.relu6(self.hidden_norm(self.hidden(pool_max(answers, mask))))
        logits: Tensor = self.mixture(hidden)
        return logits

"""Deep bag of frames: 30 vectors are projected on 8,192 clusters, and the maximum of each cluster is kept."""

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
    """Classify a video by the clusters that its vectors fall into, in any order.

    Args:
        dimension: D, the length of one vector.
        class_count: C.

    Source: DbofModel of https://github.com/google/youtube-8m, frame_level_models.py, with its default sizes;
    Abu-El-Haija et al. 2016, https://arxiv.org/abs/1609.08675, section 5.1.2. Here the 30 frames are evenly spaced and
    not drawn at random, so that a video has one prediction. Of the original's three batch norms, the one after the
    clusters is kept and sees real vectors only. `StandardisedHead` replaces the one of the input. The one of the hidden
    layer is a layer norm, because a batch has only one row for each video there: too few for a deviation, and a batch
    of one video has none.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.clusters = nn.Linear(dimension, CLUSTERS, bias=False)
        self.cluster_norm = MaskedBatchNorm(CLUSTERS)
        self.hidden = nn.Linear(CLUSTERS, HIDDEN, bias=False)
        self.hidden_norm = nn.LayerNorm(HIDDEN)
        self.mixture = MixtureOfExperts(HIDDEN, class_count)

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:  # noqa: ARG002
        """Return at most 30 vectors: those at the centres of equal parts."""
        return thin(vectors, FRAMES)

    def select_batch(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same choice of vectors (B, T, D) where `mask` (B, T) is True, and its mask."""
        return thin_batch(vectors, mask, FRAMES)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        answers = F.relu6(self.cluster_norm(self.clusters(clear_padding(vectors, mask)), mask))
        hidden = F.relu6(self.hidden_norm(self.hidden(pool_max(answers, mask))))
        logits: Tensor = self.mixture(hidden)
        return logits

"""Mixture of experts on the mean of a video's vectors, YouTube-8M's strongest video-level baseline."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classify.heads.blocks import Pooled, pool_mean_once

EXPERTS = 2


class MoeHead(nn.Module):
    """Classify a video by the mean of its vectors, with a mixture of experts for each class.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    pools_mean = True

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.mixture = MixtureOfExperts(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's mean."""
        return pool_mean_once(vectors, mask)

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D)."""
        logits: Tensor = self.mixture(rows)
        return logits


class MixtureOfExperts(nn.Module):
    """Two logistic experts for each class, and a dummy that always says no, weighted by a softmax gate.

    Args:
        dimension: length of the input.
        class_count: C.

    Source: MoeModel of https://github.com/google/youtube-8m, video_level_models.py; Abu-El-Haija et al. 2016,
    https://arxiv.org/abs/1609.08675, section 5.2.3.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.gates = nn.Linear(dimension, class_count * (EXPERTS + 1))
        self.experts = nn.Linear(dimension, class_count * EXPERTS)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (..., C) of features (..., dimension). Their sigmoid is the probability of the mixture."""
        gates = self.gates(features).unflatten(-1, (-1, EXPERTS + 1)).log_softmax(dim=-1)
        experts = self.experts(features).unflatten(-1, (-1, EXPERTS))
        # In logarithms, so that a probability near 0 or 1 keeps its digits: log p of yes, and log p of no.
        yes = torch.logsumexp(gates[..., :EXPERTS] + F.logsigmoid(experts), dim=-1)
        no_by_experts = gates[..., :EXPERTS] + F.logsigmoid(-experts)
        no = torch.logsumexp(torch.cat([no_by_experts, gates[..., EXPERTS:]], dim=-1), dim=-1)
        return yes - no

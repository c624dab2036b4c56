"""NeXtVLAD: vectors are split into groups, and their residuals to learned centres are summed.

Source: Lin, Xiao, Fan 2018, NeXtVLAD, https://arxiv.org/abs/1811.05014, sections 3.2 and 3.3; third place in
YouTube-8M's 2018 challenge. The authors' code (https://github.com/linrongc/solution_youtube8m_v3, nextvlad.py) has
batch norms after assignments, descriptors, hidden layer and gate. This head only has a layer norm and a ReLU after the
hidden layer, so that a video's logits depend on no other video and on no padding, in training too.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classify.heads.blocks import clear_padding

CLUSTERS = 64
EXPANSION = 2
GROUPS = 8
HIDDEN = 1024
DROPOUT = 0.5
_GATE_REDUCTION = 8


class NextvladHead(nn.Module):
    """Classify a video by the residuals of its vectors to 64 centres, in 8 groups, and a gated layer.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
        dropout: share of the descriptor that is dropped in training.
    """

    def __init__(self, dimension: int, class_count: int, *, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        # Rounded up, so that any dimension divides into whole groups.
        self.group_size = -(-EXPANSION * dimension // GROUPS)
        expanded = GROUPS * self.group_size
        self.expand = nn.Linear(dimension, expanded)
        self.group_attention = nn.Linear(expanded, GROUPS)
        self.assignment = nn.Linear(expanded, GROUPS * CLUSTERS)
        self.centres = nn.Parameter(torch.randn(CLUSTERS, self.group_size) / self.group_size**0.5)
        self.hidden = nn.Linear(CLUSTERS * self.group_size, HIDDEN)
        self.hidden_norm = nn.LayerNorm(HIDDEN)
        self.gate = nn.Sequential(
            nn.Linear(HIDDEN, HIDDEN // _GATE_REDUCTION),
            nn.ReLU(),
            nn.Linear(HIDDEN // _GATE_REDUCTION, HIDDEN),
            nn.Sigmoid(),
        )
        self.linear = nn.Linear(HIDDEN, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        described = self.dropout(self._aggregate(clear_padding(vectors, mask), mask))
        hidden = F.relu(self.hidden_norm(self.hidden(described)))
        logits: Tensor = self.linear(hidden * self.gate(hidden))
        return logits

    def _aggregate(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return the VLAD descriptors (B, clusters x group size), normalised within each cluster."""
        expanded = self.expand(vectors)
        attention = self.group_attention(expanded).sigmoid() * mask.unsqueeze(-1)
        weights = self.assignment(expanded).unflatten(2, (GROUPS, CLUSTERS)).softmax(dim=3) * attention.unsqueeze(-1)
        grouped = expanded.unflatten(2, (GROUPS, self.group_size))
        # sum over time and groups of weight x (vector - centre), with the centres taken out of the sum
        sums = torch.einsum("btgk,btgd->bkd", weights, grouped)
        residuals = sums - weights.sum(dim=(1, 2)).unsqueeze(-1) * self.centres
        return F.normalize(residuals, dim=2).flatten(1)

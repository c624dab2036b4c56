"""The attentive probe: one learned query attends to a video's vectors.

Multi-head cross-attention with a single query needs no keys and values of every vector. The query of each attention
head, multiplied by the key projection, is one weight vector, and the value projection of a weighted mean is the
weighted mean of the value projections. The result is the same, with D / 8 times less arithmetic. The norm's own scale
and shift are also applied to queries and means, so that no gradient passes through anything as large as the vectors.

Source: the attentive probe of V-JEPA (Bardes et al. 2024), https://arxiv.org/abs/2404.08471, section 4: its attention,
without the network that follows it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from classify.heads.blocks import clear_padding
from classify.heads.transformer import ATTENTION_HEADS, refuse_indivisible


class AttentionHead(nn.Module):
    """Classify a video by the vectors that a learned query attends to.

    Args:
        dimension: D, the length of one vector; a multiple of the 8 attention heads.
        class_count: C.

    Raises:
        HeadError: D is not a multiple of the attention heads.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        refuse_indivisible(dimension)
        size = dimension // ATTENTION_HEADS
        self.norm = nn.LayerNorm(dimension)
        self.query = nn.Parameter(torch.randn(ATTENTION_HEADS, dimension) / math.sqrt(dimension))
        self.values = nn.Parameter(torch.randn(ATTENTION_HEADS, dimension, size) / math.sqrt(dimension))
        self.out = nn.Linear(dimension, dimension)
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        normed, weights = self._attend(vectors, mask)
        seen = weights.transpose(1, 2) @ normed * self.norm.weight + self.norm.bias
        values = (seen.transpose(0, 1) @ self.values).transpose(0, 1)  # (B, 8, D / 8): each head's own projection
        logits: Tensor = self.linear(self.out(values.flatten(1)))
        return logits

    def weigh(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return the share of the attention that each vector has, (B, T): the mean over the 8 attention heads."""
        return self._attend(vectors, mask)[1].mean(dim=2)

    def _attend(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normed vectors (B, T, D) without the norm's scale and shift, and their weights (B, T, 8)."""
        normed = functional.layer_norm(clear_padding(vectors, mask), vectors.shape[-1:], eps=self.norm.eps)
        # The shift adds the same number to all scores of a query, which changes no weight.
        scores = (normed @ (self.query * self.norm.weight).T).masked_fill(~mask.unsqueeze(-1), float("-inf"))
        return normed, scores.softmax(dim=1)

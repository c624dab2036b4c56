"""One learned query looks at a video's vectors: the attentive probe.

Multi-head cross-attention with a single query can be computed without keys and values of every vector: each head's
query, taken through the key projection, is one weight vector, and the value projection of a weighted mean is the
weighted mean of the value projections. That is D / 8 times less arithmetic, and the same result. The norm's own scale
and shift, too, are applied to queries and means, so that no gradient passes through anything as large as the vectors.

Source: the attentive probe of V-JEPA (Bardes et al. 2024), https://arxiv.org/abs/2404.08471, section 4, one layer.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from classify.heads.pooling import clear_padding

ATTENTION_HEADS = 8


class AttentionHead(nn.Module):
    """Classify a video by those of its vectors that a learned query attends to.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.query = nn.Parameter(torch.randn(ATTENTION_HEADS, dimension) / math.sqrt(dimension))
        self.values = nn.Linear(ATTENTION_HEADS * dimension, dimension)
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        normed = functional.layer_norm(clear_padding(vectors, mask), vectors.shape[-1:], eps=self.norm.eps)
        # The shift changes all scores of a query alike, which changes no weight.
        scores = (normed @ (self.query * self.norm.weight).T).masked_fill(~mask.unsqueeze(-1), float("-inf"))
        seen = scores.softmax(dim=1).transpose(1, 2) @ normed * self.norm.weight + self.norm.bias
        logits: Tensor = self.linear(self.values(seen.flatten(1)))
        return logits

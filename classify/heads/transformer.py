"""One transformer encoder layer over a video's vectors, their mean, then one linear layer.

The layer is that of Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762): post-norm, ReLU. It returns the same as
torch.nn.TransformerEncoderLayer with the same weights. It is written out here because it trains faster, and because its
attention takes `mask` as it is: True where a vector is real. Positions are sinusoidal by default (other kinds:
`classify.heads.blocks.positions`).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classify.errors import HeadError
from classify.heads.blocks import TIMED, build_positions, clear_padding, drop, pool_mean, relu_and_drop

ATTENTION_HEADS = 8
FEED_FORWARD = 2048
DROPOUT = 0.1


class TransformerHead(nn.Module):
    """Classify a video by its vectors and their order.

    Args:
        dimension: D, the length of one vector; a multiple of the 8 attention heads.
        class_count: C.
        dropout: share that is dropped in training: of the input, of the attention, and of the output of each part.
        positions: one of `classify.heads.blocks.positions.POSITIONS`.

    Raises:
        HeadError: D is not a multiple of the attention heads, or the kind of positions is unknown.
    """

    def __init__(
        self, dimension: int, class_count: int, *, dropout: float = DROPOUT, positions: str = "sinusoidal"
    ) -> None:
        super().__init__()
        refuse_indivisible(dimension)
        self.dropout = dropout
        self.is_timed = positions == TIMED
        self.positions = build_positions(positions, dimension)
        self.layer = EncoderLayer(dimension, dropout=dropout)
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True. A timed head needs `timestamps_s`."""
        # Padding has weight 0 in attention, but 0 x NaN is NaN.
        real = clear_padding(vectors, mask)
        placed = drop(real + self.positions(real, mask, timestamps_s), self.dropout, training=self.training)
        logits: Tensor = self.linear(pool_mean(self.layer(placed, mask), mask))
        return logits


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network, each added to its input and normalised.

    Args:
        dimension: D.
        dropout: share that is dropped in training.
    """

    def __init__(self, dimension: int, *, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.dropout = dropout
        self.attention_in = nn.Linear(dimension, 3 * dimension)
        self.attention_out = nn.Linear(dimension, dimension)
        self.attention_norm = nn.LayerNorm(dimension)
        self.feed_forward_in = nn.Linear(dimension, FEED_FORWARD)
        self.feed_forward_out = nn.Linear(FEED_FORWARD, dimension)
        self.feed_forward_norm = nn.LayerNorm(dimension)
        # The initialisation of torch.nn.MultiheadAttention.
        nn.init.xavier_uniform_(self.attention_in.weight)
        nn.init.zeros_(self.attention_in.bias)
        nn.init.zeros_(self.attention_out.bias)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return (B, T, D). Rows where `mask` (B, T) is False have no meaning."""
        attended = self.attention_norm(vectors + self._drop(self._attend(vectors, mask))).flatten(0, 1)
        # For rows (B T, D) the result of a linear layer is not a view. Autograd would copy a view that is overwritten.
        inner = relu_and_drop(self.feed_forward_in(attended), self.dropout, training=self.training)
        normed: Tensor = self.feed_forward_norm(attended + self._drop(self.feed_forward_out(inner)))
        return normed.view_as(vectors)

    def _attend(self, vectors: Tensor, mask: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        out: Tensor = self.attention_out(attend(self.attention_in(vectors), mask, dropout=dropout))
        return out

    def _drop(self, values: Tensor) -> Tensor:
        return drop(values, self.dropout, training=self.training)


def attend(projected: Tensor, mask: Tensor, *, dropout: float = 0.0) -> Tensor:
    """Return what each vector of a video attends to among its real vectors, with 8 attention heads.

    Args:
        projected: (B, T, 3 D), queries, keys and values, concatenated.
        mask: (B, T) bool, True where a vector is real.
        dropout: share of the attention that is dropped.

    Returns:
        (B, T, D).
    """
    batch, time, tripled = projected.shape
    size = tripled // 3 // ATTENTION_HEADS
    queries, keys, values = projected.view(batch, time, 3, ATTENTION_HEADS, size).permute(2, 0, 3, 1, 4)
    # Added to each score: 0, or -inf, which leaves a vector out.
    attn_mask = torch.zeros_like(mask, dtype=projected.dtype).masked_fill_(~mask, float("-inf"))[:, None, None, :]
    if not dropout or projected.device.type != "cpu":
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=attn_mask, dropout_p=dropout)
    else:  # torch computes this step by step too, with slower random numbers
        scores = (queries / math.sqrt(size)) @ keys.transpose(2, 3)
        weights = scores.add_(attn_mask).softmax(dim=3)
        attended = drop(weights, dropout, training=True) @ values
    return attended.transpose(1, 2).reshape(batch, time, tripled // 3)


def refuse_indivisible(dimension: int) -> None:
    """Raise HeadError if `dimension` is not a multiple of the 8 attention heads."""
    if dimension % ATTENTION_HEADS:
        raise HeadError(
            f"{ATTENTION_HEADS} attention heads cannot share {dimension} dimensions evenly. Set --project to a "
            f"multiple of {ATTENTION_HEADS}, or choose another --arch."
        )

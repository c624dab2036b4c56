"""CLIP4Clip's three ways from frames to a video, each before one linear layer.

meanP is the mean of the frames, each scaled to length 1; seqLSTM adds an LSTM's states to the frames before the mean;
seqTransf adds the output of four pre-norm transformer layers, whose positions are learned by default (other kinds:
`classify.heads.blocks.positions`).

Source: CLIP4Clip (Luo et al. 2021), https://arxiv.org/abs/2104.08860, section 3.3; its code's transformer is CLIP's:
pre-norm, QuickGELU (x * sigmoid(1.702 x)), a feed-forward of 4 D, 8 heads.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from classify.heads.blocks import TIMED, Pooled, build_positions, clear_padding, pool_mean
from classify.heads.transformer import attend, refuse_indivisible

LAYERS = 4


class Clip4ClipMeanHead(nn.Module):
    """Classify a video by the mean of its vectors' directions (meanP).

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    is_linear = True

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        return self.classify(self.pool(vectors, mask).rows)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return each video's mean direction, of length 1. Two videos are mixed by mixing these rows."""
        directions = normalize(clear_padding(vectors, mask), dim=-1)
        mean = normalize(pool_mean(directions, mask), dim=-1)
        return Pooled(mean, torch.ones_like(mean[:, 0]))

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D)."""
        logits: Tensor = self.linear(rows)
        return logits


class Clip4ClipLstmHead(nn.Module):
    """Classify a video by its vectors and their order: one LSTM layer of D units, added to its input (seqLSTM).

    Args:
        dimension: D, the length of one vector.
        class_count: C.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, dimension, batch_first=True)
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        real = clear_padding(vectors, mask)
        states, _ = self.lstm(real)  # forwards only: padding comes last, and changes no state before it
        logits: Tensor = self.linear(pool_mean(states + real, mask))
        return logits


class Clip4ClipHead(nn.Module):
    """Classify a video by its vectors and their order (seqTransf). Fresh weights start near the mean of the vectors.

    Args:
        dimension: D, the length of one vector; a multiple of the 8 attention heads.
        class_count: C.
        positions: one of `classify.heads.blocks.positions.POSITIONS`.

    Raises:
        HeadError: D is not a multiple of the attention heads, or the kind of positions is unknown.
    """

    def __init__(self, dimension: int, class_count: int, *, positions: str = "learned") -> None:
        super().__init__()
        refuse_indivisible(dimension)
        self.is_timed = positions == TIMED
        self.positions = build_positions(positions, dimension)
        self.layers = nn.ModuleList(PreNormLayer(dimension) for _ in range(LAYERS))
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True. A timed head needs `timestamps_s`."""
        real = clear_padding(vectors, mask)
        states = real + self.positions(real, mask, timestamps_s)
        for layer in self.layers:
            states = layer(states, mask)
        logits: Tensor = self.linear(pool_mean(states + real, mask))
        return logits


class PreNormLayer(nn.Module):
    """CLIP's residual attention block.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dimension)
        self.attention_in = nn.Linear(dimension, 3 * dimension)
        self.attention_out = nn.Linear(dimension, dimension)
        self.feed_forward_norm = nn.LayerNorm(dimension)
        self.feed_forward_in = nn.Linear(dimension, 4 * dimension)
        self.feed_forward_out = nn.Linear(4 * dimension, dimension)
        nn.init.normal_(self.attention_in.weight, std=dimension**-0.5)
        # CLIP's own initialisation: small outputs, so that a fresh layer hardly changes its input.
        for out in (self.attention_out, self.feed_forward_out):
            nn.init.normal_(out.weight, std=dimension**-0.5 * (2 * LAYERS) ** -0.5)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return (B, T, D). Rows where `mask` (B, T) is False have no meaning."""
        states = states + self.attention_out(attend(self.attention_in(self.attention_norm(states)), mask))
        inner = self.feed_forward_in(self.feed_forward_norm(states))
        widened: Tensor = states + self.feed_forward_out(inner * torch.sigmoid(1.702 * inner))
        return widened

"""Heads that read a video's vectors one after another: rnn, lstm and cnn-lstm.

All run forwards only, so the padding behind a video's last real vector cannot change its state.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classify.heads.blocks import MaskedBatchNorm, clear_padding, pool_mean, take_last

UNITS = 1024
FALLING_UNITS = (512, 256, 128)


class RnnHead(nn.Module):
    """Two simple recurrent layers of 64 units, the last state, then one linear layer.

    Args:
        dimension: D, the length of one vector.
        class_count: C.

    The size is that of a classifier of personal videos on YouTube-8M's features, which was compared with `cnn-lstm`.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(dimension, 64, num_layers=2, batch_first=True)
        self.linear = nn.Linear(64, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        states, _ = self.rnn(clear_padding(vectors, mask))
        logits: Tensor = self.linear(take_last(states, mask))
        return logits


class LstmHead(nn.Module):
    """Two LSTM layers of 1,024 units, the last state, then one linear layer.

    Args:
        dimension: D, the length of one vector.
        class_count: C.

    Source: YouTube-8M's LSTM baseline (Abu-El-Haija et al. 2016), https://arxiv.org/abs/1609.08675, section 5.1.3.
    """

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, UNITS, num_layers=2, batch_first=True)
        self.linear = nn.Linear(UNITS, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        states, _ = self.lstm(clear_padding(vectors, mask))
        logits: Tensor = self.linear(take_last(states, mask))
        return logits


class CnnLstmHead(nn.Module):
    """Three convolutions in time, beside three LSTM layers (512, 256, 128), joined by two layers of 128 and 64.

    Args:
        dimension: D, the length of one vector.
        class_count: C.
        dropout: share of both joining layers that is dropped in training.

    The sizes are those of a classifier of personal videos on YouTube-8M's features: 3 x [Conv1d of 10 channels and
    kernel 5, batch norm, LeakyReLU 0.1] and a global average; dropout 0.5 twice.
    """

    def __init__(self, dimension: int, class_count: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        channels = (dimension, 10, 10, 10)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=5, padding=2) for before, after in pairwise(channels)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(10) for _ in self.convolutions)
        sizes = (dimension, *FALLING_UNITS)
        self.lstms = nn.ModuleList(nn.LSTM(before, after, batch_first=True) for before, after in pairwise(sizes))
        self.joined = nn.Sequential(
            nn.Linear(10 + sizes[-1], 128),
            *(nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(dropout)),
        )
        self.linear = nn.Linear(64, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of vectors (B, T, D) where `mask` (B, T) is True."""
        real = clear_padding(vectors, mask)
        local = states = real
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # Clear padding each time: a kernel of 5 would bring the bias back from the padding.
            filtered = convolution(clear_padding(local, mask).transpose(1, 2)).transpose(1, 2)
            local = F.leaky_relu(norm(filtered, mask), 0.1)
        for lstm in self.lstms:
            states, _ = lstm(states)
        both = torch.cat([pool_mean(local, mask), take_last(states, mask)], dim=1)
        logits: Tensor = self.linear(self.joined(both))
        return logits

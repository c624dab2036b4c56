"""Position encodings: numbers that are added to a video's vectors, by which a head sees when each vector occurs.

There are three kinds. They differ in videos that are longer than those of training:

- `sinusoidal`: sines and cosines of a vector's index in its video. The same formula continues without end, but the head
  has not learned from such indices.
- `learned`: one of 128 learned encodings, by the index. Those of places that no training video reached stay random. A
  video of more than 128 vectors spreads all 128 over its length, so that each of its vectors has one.
- `timestamps`: the same sines and cosines, of a vector's time in seconds since the video's first vector, because the
  clock of a file may start anywhere. So the head sees real time in videos of other lengths and frame rates, and in
  vectors that are not evenly spaced. Later times than those of training continue as with `sinusoidal`.

Each kind is a module that is called with vectors (B, T, D), mask (B, T) and timestamps_s (B, T). Only `timestamps` uses
the last.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from classify.errors import HeadError

PLACES = 128
PLACE_S = 0.1
"""Seconds that count as one index. The periods of the waves are then 0.63 s to 1.7 hours. So frames a thirtieth of a
second apart still differ, and no two times of an hour look the same."""

_BASE = 10_000.0  # Vaswani et al. 2017, section 3.5
_LEARNED_DEVIATION = 0.1  # for standardised vectors; with CLIP's 0.01, clip4clip did not learn the order in 40 epochs


class SinusoidalPositions(nn.Module):
    """Sines and cosines of the index."""

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return encodings (T, D), the same for all videos."""
        return sinusoidal_positions(vectors)


class LearnedPositions(nn.Module):
    """A learned encoding for each of 128 places.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.marks = nn.Parameter(torch.randn(PLACES, dimension) * _LEARNED_DEVIATION)

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return encodings (B, T, D)."""
        return self.marks[spread_places(mask)]


class TimestampPositions(nn.Module):
    """Sines and cosines of the time in seconds."""

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return encodings (B, T, D). Where `mask` (B, T) is False, `timestamps_s` (B, T) may hold anything."""
        assert timestamps_s is not None, "a timed head is called with timestamps_s"
        # Padding has weight 0 in attention, but 0 x NaN is NaN.
        return _waves(timestamps_s.masked_fill(~mask, 0) / PLACE_S, vectors.shape[2])


POSITIONS: dict[str, Callable[[int], nn.Module]] = {
    "sinusoidal": lambda _: SinusoidalPositions(),
    "learned": LearnedPositions,
    "timestamps": lambda _: TimestampPositions(),
}
"""Kind -> the builder of its module, for D."""

TIMED = "timestamps"
"""The kind that needs timestamps."""


def build_positions(kind: str, dimension: int) -> nn.Module:
    """Return a position encoding for vectors of `dimension`.

    Raises:
        HeadError: the kind is unknown.
    """
    if kind not in POSITIONS:
        raise HeadError(f"There are no positions called {kind!r}. Choose one of: {', '.join(POSITIONS)}.")
    return POSITIONS[kind](dimension)


def sinusoidal_positions(vectors: Tensor) -> Tensor:
    """Return encodings (T, D) of the indices of vectors (B, T, D): sines and cosines in turn.

    >>> sinusoidal_positions(torch.zeros(1, 2, 4))
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    _, time, dimension = vectors.shape
    return _waves(torch.arange(time, device=vectors.device, dtype=torch.float32), dimension)


def spread_places(mask: Tensor) -> Tensor:
    """Return the place of each vector among 128, (B, T): its own index, or its share of a longer video.

    >>> spread_places(torch.ones(1, 256, dtype=torch.bool))[0, [0, 1, 2, 3, 255]].tolist()
    [0, 0, 1, 1, 127]
    """
    index = torch.arange(mask.shape[1], device=mask.device)
    length = mask.sum(dim=1, keepdim=True).clamp_min(PLACES)
    return (index * PLACES // length).clamp_max(PLACES - 1)


def _waves(places: Tensor, dimension: int) -> Tensor:
    """Return sines and cosines, in turn, of places (...): (..., D)."""
    evens = torch.arange(0, dimension, 2, device=places.device, dtype=torch.float32)
    angles = places.unsqueeze(-1) * torch.exp(evens * (-math.log(_BASE) / dimension))
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)

"""What tells a head when each vector stands: marks that are added to a video's vectors.

Three kinds, and what each does with videos that go on beyond those that the head has learned from:

- `sinusoidal`: sines and cosines of a vector's index in its video. They go on without end, by the same formula, though
  the head has not learned from such places.
- `learned`: one of 128 learned marks, by the index. Those of places that no training video reached stay as they were
  drawn. A video of more than 128 vectors spreads all 128 over its length, so that none of it is left without.
- `timestamps`: the same sines and cosines of a vector's moment in seconds, counted from the video's first vector, since
  a file's clock starts anywhere. Videos of other lengths and frame rates, and vectors that are not evenly spaced, are
  seen in their real time. Later moments than any that the head has learned from go on as with `sinusoidal`.

Each is a module called with vectors (B, T, D), mask (B, T) and timestamps_s (B, T), which only `timestamps` looks at.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from classify.errors import HeadError

PLACES = 128
PLACE_S = 0.1
"""Seconds that count as one index: the waves then last 0.63 s to 1.7 hours. So frames of a thirtieth of a second still
differ, and an hour has no two moments that look alike."""

_BASE = 10_000.0  # Vaswani et al. 2017, section 3.5
_LEARNED_DEVIATION = 0.1  # beside standardised vectors; at CLIP's 0.01 clip4clip did not learn the order in 40 epochs


class SinusoidalPositions(nn.Module):
    """Mark vectors by their index."""

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return (T, D), the same for all videos."""
        return sinusoidal_positions(vectors)


class LearnedPositions(nn.Module):
    """Mark vectors by what is learned for each of 128 places.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.marks = nn.Parameter(torch.randn(PLACES, dimension) * _LEARNED_DEVIATION)

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return (B, T, D)."""
        return self.marks[spread_places(mask)]


class TimestampPositions(nn.Module):
    """Mark vectors by their moment."""

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return (B, T, D); where `mask` (B, T) is False `timestamps_s` (B, T) may hold anything."""
        assert timestamps_s is not None, "a timed head is called with timestamps_s"
        # Padding takes part in nothing, but a nan in it would spread through the attention's products with 0.
        return _waves(timestamps_s.masked_fill(~mask, 0) / PLACE_S, vectors.shape[2])


POSITIONS: dict[str, Callable[[int], nn.Module]] = {
    "sinusoidal": lambda _: SinusoidalPositions(),
    "learned": LearnedPositions,
    "timestamps": lambda _: TimestampPositions(),
}
"""Kind -> what builds its module for D."""

TIMED = "timestamps"
"""The kind that needs each vector's moment."""


def build_positions(kind: str, dimension: int) -> nn.Module:
    """Build what marks vectors of `dimension`.

    Raises:
        HeadError: there is no such kind.
    """
    if kind not in POSITIONS:
        raise HeadError(f"There are no positions called {kind!r}. Choose one of: {', '.join(POSITIONS)}.")
    return POSITIONS[kind](dimension)


def sinusoidal_positions(vectors: Tensor) -> Tensor:
    """Return what marks the places of vectors (B, T, D) in time: (T, D), sines and cosines in turn.

    >>> sinusoidal_positions(torch.zeros(1, 2, 4))
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    _, time, dimension = vectors.shape
    return _waves(torch.arange(time, device=vectors.device, dtype=torch.float32), dimension)


def spread_places(mask: Tensor) -> Tensor:
    """Return which of 128 places each vector takes, (B, T): its own index, or its share of a longer video.

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

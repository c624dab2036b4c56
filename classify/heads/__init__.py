"""Heads: from the vectors of a video to one logit a class, one file an architecture.

A head of another package registers under the entry point group `classify.heads`: its name is the architecture's, its
value a callable (dimension, class_count) -> `Head`. It passes tests/classify/heads/test_heads.py when it is installed.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.errors import HeadError
from classify.heads.linear import LinearHead
from classify.heads.random_frame import RandomFrameHead
from classify.heads.standardised import StandardisedHead
from classify.heads.transformer import TransformerHead

__all__ = [
    "HEADS",
    "Head",
    "LinearHead",
    "RandomFrameHead",
    "StandardisedHead",
    "TransformerHead",
    "build_head",
    "list_heads",
]


class Head(Protocol):
    """What every head is: a torch.nn.Module with two methods of its own, `select` and the call."""

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:
        """Choose, once for each video, which of its vectors (T, D) the head will ever see, one or more."""

    def __call__(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C).

        Args:
            vectors: (B, T, D) float32. Rows where `mask` is False may hold anything and change nothing.
            mask: (B, T) bool, True where the vector is real. Every video has one at least.
        """

    def parameters(self) -> Iterator[torch.nn.Parameter]: ...  # noqa: D102 - this and below: torch.nn.Module's
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Any, *, assign: bool = False) -> Any: ...  # noqa: D102
    def to(self, device: torch.device) -> Self: ...  # noqa: D102
    def train(self, mode: bool = True) -> Self: ...  # noqa: D102
    def eval(self) -> Self: ...  # noqa: D102


HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": LinearHead,
    "transformer": TransformerHead,
    "random-frame": RandomFrameHead,
}
"""Architecture -> what builds its head for (dimension, class_count)."""


def list_heads() -> list[str]:
    """Return the names of all heads: this package's, then those of installed packages."""
    return [*HEADS, *sorted(point.name for point in entry_points(group="classify.heads"))]


def build_head(arch: str, dimension: int, class_count: int) -> StandardisedHead:
    """Build a head with fresh weights, drawn from torch's random generator.

    Args:
        arch: one of `list_heads`.
        dimension: D, the length of one vector.
        class_count: C.

    Raises:
        HeadError: no head has that name, or it cannot take such vectors.
    """
    if arch in HEADS:
        return StandardisedHead(HEADS[arch](dimension, class_count), dimension)
    for point in entry_points(group="classify.heads", name=arch):
        return StandardisedHead(point.load()(dimension, class_count), dimension)
    raise HeadError(f"There is no head called {arch!r}. Choose one of: {', '.join(list_heads())}.")

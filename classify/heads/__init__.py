"""Heads: from the vectors of a video to one logit a class, one file an architecture.

A head is a torch.nn.Module called with vectors (B, T, D) float32 and mask (B, T) bool, True where a vector is real. It
returns logits (B, C). Every video has a real vector, its real vectors come first, and rows where the mask is False may
hold anything and change nothing. A head that looks at some of a video's vectors only has a method
`select(vectors, video_id)` besides, which is called once for each video.

A head of another package registers under the entry point group `classify.heads`: its name is the architecture's, its
value a callable (dimension, class_count) -> head. It passes tests/classify/heads/test_heads.py when it is installed.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from torch import nn

from classify.errors import HeadError
from classify.heads.attention import AttentionHead
from classify.heads.clip4clip import Clip4ClipHead
from classify.heads.dbof import DbofHead
from classify.heads.linear import LinearHead
from classify.heads.mlp import MlpHead
from classify.heads.moe import MoeHead
from classify.heads.nextvlad import NextvladHead
from classify.heads.random_frame import RandomFrameHead
from classify.heads.recurrent import CnnLstmHead, LstmHead, RnnHead
from classify.heads.standardised import StandardisedHead
from classify.heads.statistics import StatisticsHead
from classify.heads.transformer import TransformerHead

__all__ = ["HEADS", "StandardisedHead", "build_head", "list_heads"]

HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": LinearHead,
    "mlp": MlpHead,
    "random-frame": RandomFrameHead,
    "transformer": TransformerHead,
    "clip4clip": Clip4ClipHead,
    "attention": AttentionHead,
    "statistics": StatisticsHead,
    "rnn": RnnHead,
    "cnn-lstm": CnnLstmHead,
    "lstm": LstmHead,
    "moe": MoeHead,
    "dbof": DbofHead,
    "nextvlad": NextvladHead,
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

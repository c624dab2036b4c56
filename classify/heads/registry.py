"""Heads: from the vectors of a video to one logit a class, one file an architecture.

A head is a torch.nn.Module called with vectors (B, T, D) float32 and mask (B, T) bool, True where a vector is real. It
returns logits (B, C). Every video has a real vector, its real vectors come first, and rows where the mask is False may
hold anything and change nothing. A head that looks at some of a video's vectors only has a method
`select(vectors, video_id)` besides, which is called once for each video. Where the choice does not depend on the id,
`select_batch(vectors, mask)` makes it for a batch and returns both of what is kept, so that an exported model can.

A head that sees time in seconds has `is_timed = True`, and is called with a third tensor, timestamps_s (B, T) float32:
each vector's moment, counted from the video's first vector. It looks at all vectors, and does not pool. For the others
no moments are read.

A head that first makes one row of each video without any weight, such as the mean, has two methods besides:
`pool(vectors, mask)` gives these rows (pooling.Pooled), and `classify(rows)` their logits (..., B, C), with any
dimensions before those of the rows (..., B, D). They are then made once, and several heads may train at once; its
dropout, if any, is by torch.nn.Dropout. A method `learn_rows(rows)`, where it has one, is given the training videos'
rows before the first step, for buffers (D,) of its own. Where the rows are `pool_mean_once` of what the head selects,
`pools_mean = True` says so: standardising then waits for the mean. Where the logits are those of one torch.nn.Linear
called `linear`, with a bias and no parameters beside it, `is_linear = True` says so: its steps then need no autograd.

A head of another package registers under the entry point group `classify.heads`: its name is the architecture's, its
value a callable (dimension, class_count, **options) -> head. It passes tests/classify/heads/test_heads.py when it is
installed. A head that drops out in training may take the option `dropout`, a share, and one that sees order
`positions`, one of `classify.heads.blocks.positions.POSITIONS`.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from torch import nn

from classify.errors import HeadError
from classify.heads.attention import AttentionHead
from classify.heads.clip4clip import Clip4ClipHead
from classify.heads.dbof import DbofHead
from classify.heads.linear import LinearHead
from classify.heads.mlp import MlpHead
from classify.heads.moe import MoeHead
from classify.heads.motion import MotionHead
from classify.heads.nextvlad import NextvladHead
from classify.heads.random_frame import RandomFrameHead
from classify.heads.recurrent import CnnLstmHead, LstmHead, RnnHead
from classify.heads.standardised import StandardisedHead
from classify.heads.statistics import StatisticsHead
from classify.heads.transformer import TransformerHead

__all__ = ["HEADS", "StandardisedHead", "build_head", "list_heads", "list_options"]

HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear": LinearHead,
    "mlp": MlpHead,
    "random-frame": RandomFrameHead,
    "transformer": TransformerHead,
    "clip4clip": Clip4ClipHead,
    "attention": AttentionHead,
    "statistics": StatisticsHead,
    "motion": MotionHead,
    "rnn": RnnHead,
    "cnn-lstm": CnnLstmHead,
    "lstm": LstmHead,
    "moe": MoeHead,
    "dbof": DbofHead,
    "nextvlad": NextvladHead,
}
"""Architecture -> what builds its head for (dimension, class_count) and options by name."""


def list_heads() -> list[str]:
    """Return the names of all heads: this package's, then those of installed packages."""
    return [*HEADS, *sorted(point.name for point in entry_points(group="classify.heads"))]


def build_head(
    arch: str,
    dimension: int,
    class_count: int,
    *,
    project: int | None = None,
    max_frames: int | None = None,
    options: Mapping[str, Any] = {},
) -> StandardisedHead:
    """Build a head with fresh weights, drawn from torch's random generator.

    Args:
        arch: one of `list_heads`.
        dimension: D, the length of one vector.
        class_count: C.
        project: as in `StandardisedHead`.
        max_frames: as in `StandardisedHead`.
        options: what the head itself takes besides, such as its dropout.

    Raises:
        HeadError: no head has that name, it lacks an option, or it cannot take such vectors.
    """
    lacking = sorted(set(options) - list_options(arch))
    if lacking:
        raise HeadError(f"The {arch} head has no {lacking[0]}. Leave it out, or choose another head.")
    head = _builder(arch)(project or dimension, class_count, **options)
    return StandardisedHead(head, dimension, project=project, max_frames=max_frames)


def list_options(arch: str) -> set[str]:
    """Return what a head's builder takes: its sizes, and options such as dropout.

    Raises:
        HeadError: no head has that name.
    """
    return set(inspect.signature(_builder(arch)).parameters)


def _builder(arch: str) -> Callable[..., nn.Module]:
    if arch in HEADS:
        return HEADS[arch]
    for point in entry_points(group="classify.heads", name=arch):
        builder: Callable[..., nn.Module] = point.load()
        return builder
    raise HeadError(f"There is no head called {arch!r}. Choose one of: {', '.join(list_heads())}.")

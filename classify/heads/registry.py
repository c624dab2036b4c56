"""The heads by name: those of this package, then those of installed packages. contract.py says what a head is."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from classify.errors import HeadError
from classify.heads.attention import AttentionHead
from classify.heads.clip4clip import Clip4ClipHead, Clip4ClipLstmHead, Clip4ClipMeanHead
from classify.heads.contract import (
    AttendingHead,
    BatchSelectingHead,
    FramewiseHead,
    HeadBuilder,
    LinearPoolingHead,
    MeanPoolingHead,
    PoolingHead,
    SelectingHead,
    TimedHead,
)
from classify.heads.dbof import DbofHead
from classify.heads.last_block import LAST_BLOCK, LastBlockHead
from classify.heads.linear import LinearHead
from classify.heads.mlp import MlpHead
from classify.heads.moe import MoeHead
from classify.heads.motion import MotionHead
from classify.heads.nextvlad import NextvladHead
from classify.heads.plugins import list_plugins, load_plugin
from classify.heads.random_frame import RandomFrameHead
from classify.heads.recurrent import CnnLstmHead, LstmHead, RnnHead
from classify.heads.standardised import StandardisedHead
from classify.heads.statistics import StatisticsHead
from classify.heads.transformer import TransformerHead

__all__ = ["HEADS", "StandardisedHead", "build_head", "list_heads", "list_options"]

HEADS: dict[str, HeadBuilder] = {
    "linear": LinearHead,
    "mlp": MlpHead,
    "random-frame": RandomFrameHead,
    "transformer": TransformerHead,
    "clip4clip": Clip4ClipHead,
    "clip4clip-mean": Clip4ClipMeanHead,
    "clip4clip-lstm": Clip4ClipLstmHead,
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
"""Architecture -> the builder of its head, for (dimension, class_count) and options by name."""

_OF_ACTIVATIONS: dict[str, HeadBuilder] = {LAST_BLOCK: LastBlockHead}
"""Heads that are part of the store's encoder, and take only what it stored."""

# What these heads offer beyond `forward`. The type checker names the method that one of them lacks.
_MEAN_POOLING: tuple[type[MeanPoolingHead], ...] = (LinearHead, MlpHead, MoeHead, RandomFrameHead)
_LINEAR_POOLING: tuple[type[LinearPoolingHead], ...] = (
    LinearHead,
    RandomFrameHead,
    StatisticsHead,
    MotionHead,
    Clip4ClipMeanHead,
)
_POOLING: tuple[type[PoolingHead], ...] = (*_MEAN_POOLING, *_LINEAR_POOLING)
_SELECTING: tuple[type[SelectingHead], ...] = (RandomFrameHead, DbofHead)
_BATCH_SELECTING: tuple[type[BatchSelectingHead], ...] = (DbofHead,)
_FRAMEWISE: tuple[type[FramewiseHead], ...] = (LastBlockHead,)
_ATTENDING: tuple[type[AttendingHead], ...] = (AttentionHead,)
_TIMED: tuple[type[TimedHead], ...] = (TransformerHead, Clip4ClipHead)


def list_heads() -> list[str]:
    """Return the names of all heads: those of this package, then those of installed packages."""
    return [*HEADS, *list_plugins()]


def build_head(
    arch: str,
    dimension: int,
    class_count: int,
    *,
    project: int | None = None,
    max_frames: int | None = None,
    options: Mapping[str, Any] = {},
) -> StandardisedHead:
    """Return a head with fresh weights, which are drawn from torch's random generator.

    Args:
        arch: one of `list_heads`.
        dimension: D, the length of one vector.
        class_count: C.
        project: as in `StandardisedHead`.
        max_frames: as in `StandardisedHead`.
        options: options of the head itself, such as its dropout.

    Raises:
        HeadError: no head has that name, it has no such option, it cannot take such vectors, or it is another package's
            and breaks the contract.
    """
    lacking = sorted(set(options) - list_options(arch))
    if lacking:
        raise HeadError(f"The {arch} head has no `{lacking[0]}`. Leave it out, or choose another head.")
    if arch in _OF_ACTIVATIONS and (project is not None or "tail" not in options):
        raise HeadError(
            f"The {arch} head goes on from activations as they are stored, with the encoder that made them: train it "
            "with train-head, and without --project."
        )
    head = _builder(arch)(project or dimension, class_count, **options)
    assert isinstance(head, nn.Module), "a builder returns a torch.nn.Module"
    return StandardisedHead(head, dimension, project=project, max_frames=max_frames)


def list_options(arch: str) -> set[str]:
    """Return the parameters of a head's builder: its sizes, and options such as dropout.

    Raises:
        HeadError: no head has that name, or it is another package's and breaks the contract.
    """
    return set(inspect.signature(_builder(arch)).parameters)


def _builder(arch: str) -> HeadBuilder:
    builder = HEADS.get(arch) or _OF_ACTIVATIONS.get(arch) or load_plugin(arch)
    if builder is None:
        known = ", ".join([*list_heads(), *_OF_ACTIVATIONS])
        raise HeadError(f"There is no head called {arch!r}. Choose one of: {known}.")
    return builder

"""What a head is: the protocols that training, prediction and export rely on.

A head is a `torch.nn.Module` that turns the vectors of B videos into logits (B, C), one for each class. It needs the
method `forward` of `Head`, or of `TimedHead`. All else here is optional: a head that also has the members of
`PoolingHead`, for example, trains faster. `Abilities.of` (abilities.py) finds out which protocols a head satisfies.

Shapes: B videos, T vectors in time, D dimensions, C classes, D' numbers in a pooled row. `vectors` is (B, T, D) float32
and `mask` is (B, T) bool, True where a vector is real. Each video has at least one real vector, and its real vectors
come first. Rows where `mask` is False may hold anything, including NaN and infinity, and must change no logit.

All methods are called with positional arguments, so a head may choose its own parameter names. A member of a protocol
must be a method or a plain bool. It must not be a submodule: Python 3.12 does not see submodules as attributes here.

A head of another package is registered in the entry point group `classify.heads`: the name of the entry point is the
architecture's name, and its value is a `HeadBuilder`. `build_head` checks it when it is first loaded. The package's own
tests can run all checks with `classify.heads.testing`. Two options are known to the command line: a head with dropout
takes `dropout` (a share), and a head that sees order may take `positions` (a key of
`classify.heads.blocks.positions.POSITIONS`).
"""

from collections.abc import Callable
from typing import Concatenate, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from classify.heads.blocks import Pooled


@runtime_checkable
class Head(Protocol):
    """A module that classifies videos by their vectors."""

    def forward(self, vectors: Tensor, mask: Tensor, /) -> Tensor:
        """Return the logits of each video.

        Args:
            vectors: (B, T, D) float32; where the head selects, only the vectors that it selected.
            mask: (B, T) bool, True where a vector is real.

        Returns:
            (B, C) float32.
        """


@runtime_checkable
class TimedHead(Protocol):
    """A head that sees when each vector occurs, in seconds.

    It looks at all vectors of a video: it neither selects nor pools. Timestamps are read for timed heads only.
    """

    @property
    def is_timed(self) -> bool:
        """True if this head is called with timestamps; a class may build heads with and without."""

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor, /) -> Tensor:
        """Return the logits of each video.

        Args:
            vectors: (B, T, D) float32.
            mask: (B, T) bool, True where a vector is real.
            timestamps_s: (B, T) float32, seconds since the video's first vector. Where `mask` is False they may hold
                anything.

        Returns:
            (B, C) float32.
        """


@runtime_checkable
class SelectingHead(Head, Protocol):
    """A head that looks at some of a video's vectors only."""

    def select(self, vectors: NDArray[np.floating], video_id: str, /) -> NDArray[np.floating]:
        """Return the vectors that the head looks at. Called once for each video, before training.

        Args:
            vectors: (T, D) of one video, all real.
            video_id: the video's id, for choices that depend on it.

        Returns:
            (S, D), 1 <= S <= T: rows of `vectors`, unchanged and in their order.
        """


@runtime_checkable
class BatchSelectingHead(SelectingHead, Protocol):
    """A selecting head whose choice does not depend on the video's id, so that an exported model can make it."""

    def select_batch(self, vectors: Tensor, mask: Tensor, /) -> tuple[Tensor, Tensor]:
        """Make the choice of `select` in torch, for a batch.

        Args:
            vectors: (B, T, D) float32.
            mask: (B, T) bool, True where a vector is real.

        Returns:
            Vectors (B, S, D) and their mask (B, S).
        """


@runtime_checkable
class PoolingHead(Head, Protocol):
    """A head that first turns each video into one row, without any weight.

    The rows are computed once, standardised over the training videos, and kept. Several such heads can train at once
    where all their weights are in `torch.nn.Linear` layers. `forward` returns `classify(pool(vectors, mask).rows)`.
    """

    def pool(self, vectors: Tensor, mask: Tensor, /) -> Pooled:
        """Return one row for each video. Also called on the device "meta", which has shapes only, to learn D'.

        Args:
            vectors: (B, T, D) float32.
            mask: (B, T) bool, True where a vector is real.

        Returns:
            Rows (B, D') and their weights (B,), by which mixup mixes two rows.
        """

    def classify(self, rows: Tensor, /) -> Tensor:
        """Return the logits of pooled rows.

        Where several heads train at once, their rows have a first dimension of heads, and each `torch.nn.Linear` is
        exchanged for one that has it too. So call these layers as modules, and do not use their weights directly.
        Dropout must be a `torch.nn.Dropout`, so that it is found.

        Args:
            rows: (..., B, D') float32, standardised, with any dimensions before B.

        Returns:
            (..., B, C) float32.
        """


@runtime_checkable
class MeanPoolingHead(PoolingHead, Protocol):
    """A pooling head whose rows are the mean of the vectors. Only the means are then standardised, not all vectors."""

    @property
    def pools_mean(self) -> bool:
        """True if `pool` returns `classify.heads.blocks.pooling.pool_mean_once(vectors, mask)`."""


@runtime_checkable
class LinearPoolingHead(PoolingHead, Protocol):
    """A pooling head that is linear in its rows. Its gradients are written down, so its steps need no autograd."""

    @property
    def is_linear(self) -> bool:
        """True if `classify` is one `torch.nn.Linear` with a bias, and the head has no other parameters."""


@runtime_checkable
class FramewiseHead(Head, Protocol):
    """A head that adds up its vectors. So it is known exactly what each moment of a video adds (`classify.moments`).

    A `LinearPoolingHead` that is also a `MeanPoolingHead` is one without saying so.
    """

    @property
    def is_framewise(self) -> bool:
        """True if the logits of a video are the mean of the logits that each of its vectors has alone."""


@runtime_checkable
class AttendingHead(Head, Protocol):
    """A head that pools by attention, and says how much it looks at each vector (`classify.moments`)."""

    def weigh(self, vectors: Tensor, mask: Tensor, /) -> Tensor:
        """Return how much of the attention each vector has.

        Args:
            vectors: (B, T, D) float32.
            mask: (B, T) bool, True where a vector is real.

        Returns:
            (B, T) float32, 0 or more, with a sum of 1 over each video; 0 where `mask` is False.
        """


@runtime_checkable
class PretrainedHead(Head, Protocol):
    """A head whose first weights come from elsewhere. It takes vectors as a store has them, not standardised."""

    def load_pretrained(self) -> None:
        """Put in the weights that training begins with. Not called where a saved head is read."""


HeadBuilder: TypeAlias = Callable[Concatenate[int, int, ...], Head | TimedHead]
"""Builds a head with fresh weights for (dimension, class_count), and options by name; usually the head's class. The
head is a `torch.nn.Module`. Raises HeadError where the head cannot take such vectors or options."""

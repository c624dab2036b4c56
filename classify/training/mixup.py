"""Mixup on embeddings: training on weighted sums of two videos and of their labels.

An epoch is planned before it runs (`plan_epoch`), so that its batches can be prepared in advance.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from classify.training.batches import VideoBatch


@dataclass(frozen=True)
class Step:
    """The videos of one training step.

    Args:
        first: (B,) indices.
        second: (B,) indices of the videos that are mixed with the first; None does not mix.
        weight: weight of the first videos, in [0, 1]; the second have the rest.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64] | None = None
    weight: float = 1.0


def plan_epoch(videos: NDArray[np.int64], batch_size: int, alpha: float, rng: np.random.Generator) -> list[Step]:
    """Return steps with each video once, in random order, mixed with a second random order if alpha is above 0."""
    firsts = _shuffle(videos, batch_size, rng)
    if not alpha:
        return [Step(first) for first in firsts]
    seconds = _shuffle(videos, batch_size, rng)
    return [Step(first, second, draw_weight(alpha, rng)) for first, second in zip(firsts, seconds, strict=True)]


def draw_views(step: Step, view_count: int, rng: np.random.Generator) -> Step:
    """Return the step with a random view of each video. Its indices are those of `Videos.each_view`."""
    if view_count == 1:
        return step

    def draw(videos: NDArray[np.int64]) -> NDArray[np.int64]:
        return videos * view_count + rng.integers(0, view_count, len(videos))

    return Step(draw(step.first), None if step.second is None else draw(step.second), step.weight)


def views_of(indices: NDArray[np.int64], view_count: int) -> NDArray[np.int64]:
    """Return the indices of all views of the videos at the indices."""
    return np.asarray((indices[:, None] * view_count + np.arange(view_count)).ravel())


def _shuffle(videos: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    order = rng.permutation(videos)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def draw_weight(alpha: float, rng: np.random.Generator) -> float:
    """Return the weight of the first videos, drawn from Beta(alpha, alpha).

    Source: Zhang et al. 2018, mixup, https://arxiv.org/abs/1710.09412, section 2.
    """
    return float(rng.beta(alpha, alpha))


def mix_batches(first: VideoBatch, second: VideoBatch, weight: float) -> VideoBatch:
    """Return the mix of two batches of B videos, video by video.

    The shorter batch is padded with zeros to the length of the longer. A place is real if either video has a vector
    there: after the end of one video, the other continues alone, multiplied by its weight. Where both videos have a
    vector, their timestamps are mixed like the vectors; elsewhere the longer video keeps its own. A batch of weight 0
    takes no part: weight 1 returns the first batch, and weight 0 the second.

    Args:
        first: B videos.
        second: B videos.
        weight: weight of the first batch, in [0, 1]; the second has the rest.
    """
    if weight in (0, 1):
        return first if weight == 1 else second
    assert first.mask is not None, "pooled rows are mixed by pool_mix"
    assert second.mask is not None, "pooled rows are mixed by pool_mix"
    time = max(first.mask.shape[1], second.mask.shape[1])
    mask_1, mask_2 = _pad(first.mask, time), _pad(second.mask, time)
    vectors_1, vectors_2 = (_pad_rows(batch.vectors, time) for batch in (first, second))
    return VideoBatch(
        vectors=weight * vectors_1 + (1 - weight) * vectors_2,
        mask=torch.logical_or(mask_1, mask_2),
        targets=weight * first.targets + (1 - weight) * second.targets,
        timestamps_s=_mix_moments(first, second, weight, are_both_real=mask_1 & mask_2),
    )


def _mix_moments(first: VideoBatch, second: VideoBatch, weight: float, *, are_both_real: Tensor) -> Tensor | None:
    """Return the mixed timestamps (B, T) of two batches, or None if the head is not timed."""
    if first.timestamps_s is None or second.timestamps_s is None:
        return None
    own, other = (_pad(moments, are_both_real.shape[1]) for moments in (first.timestamps_s, second.timestamps_s))
    # The timestamps of padding are 0, so the sum is that of the longer video.
    return torch.where(are_both_real, weight * own + (1 - weight) * other, own + other)


def _pad(places: Tensor, time: int) -> Tensor:
    """Return a mask or timestamps (B, T), padded to `time`."""
    return F.pad(places, (0, time - places.shape[1]))


def _pad_rows(vectors: Tensor, time: int) -> Tensor:
    return F.pad(vectors, (0, 0, 0, time - vectors.shape[1]))

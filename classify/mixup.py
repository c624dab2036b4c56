"""Mixup on embeddings: train on weighted sums of two videos and of their labels."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from classify.batches import VideoBatch


def draw_weight(alpha: float, rng: np.random.Generator) -> float:
    """Draw the first batch's weight from Beta(alpha, alpha).

    Source: Zhang et al. 2018, mixup, https://arxiv.org/abs/1710.09412, section 2.
    """
    return float(rng.beta(alpha, alpha))


def mix_batches(first: VideoBatch, second: VideoBatch, weight: float) -> VideoBatch:
    """Mix two batches of equally many videos, video by video.

    The shorter batch is padded with zeros to the longer. A place is real where either video has a vector, so where a
    video has ended the other goes on alone, at its weight. A batch of weight 0 takes no part: weight 1 gives back the
    first batch, and weight 0 the second.

    Args:
        first: B videos.
        second: B videos.
        weight: of the first batch, in [0, 1]; the second has the rest.
    """
    if weight in (0, 1):
        return first if weight == 1 else second
    time = max(first.mask.shape[1], second.mask.shape[1])
    mask_1, mask_2 = _pad(first.mask, time), _pad(second.mask, time)
    vectors_1, vectors_2 = (_pad_rows(batch.vectors, time) for batch in (first, second))
    return VideoBatch(
        vectors=weight * vectors_1 + (1 - weight) * vectors_2,
        mask=torch.logical_or(mask_1, mask_2),
        targets=weight * first.targets + (1 - weight) * second.targets,
    )


def _pad(mask: Tensor, time: int) -> Tensor:
    return F.pad(mask, (0, time - mask.shape[1]))


def _pad_rows(vectors: Tensor, time: int) -> Tensor:
    return F.pad(vectors, (0, 0, 0, time - vectors.shape[1]))

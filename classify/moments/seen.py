"""What a head sees of one video, and its logits for parts of that.

Shapes: T vectors of D numbers as stored, of which the head chooses S and scales them to D' numbers; P parts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.heads import StandardisedHead

_NUMBERS_AT_ONCE = 2**22  # of a batch: 16 MB


@dataclass(frozen=True)
class Chosen:
    """What a head sees of one video.

    Args:
        vectors: (S, D') float32, scaled.
        elapsed_s: (S,) float32, their moments.
        places: (S,) their places among the video's vectors, rising.
    """

    vectors: Tensor
    elapsed_s: Tensor
    places: NDArray[np.int64]


def choose(
    head: StandardisedHead, vectors: NDArray[np.floating], moments: NDArray[np.float32], video_id: str
) -> Chosen:
    """Return what a head sees of vectors (T, D) with moments (T,)."""
    chosen = head.choose(vectors, video_id)
    places = _places_of(chosen, vectors)
    return Chosen(torch.from_numpy(head.scale(chosen)), torch.from_numpy(moments[places]), places)


def logits_alone(head: StandardisedHead, vectors: Tensor) -> Tensor:
    """Return the logits (S, C) that each of S scaled vectors (S, D') has as a video of its own."""
    at_once = max(1, _NUMBERS_AT_ONCE // vectors.shape[1])
    found = []
    for some in torch.split(vectors, at_once):
        one = torch.ones(len(some), 1, dtype=torch.bool)
        found.append(head(some.unsqueeze(1), one, torch.zeros(len(some), 1) if head.is_timed else None))
    return torch.cat(found)


def logits_of_parts(head: StandardisedHead, video: Chosen, is_in: Tensor) -> Tensor:
    """Return the logits (P, C) of parts of a video.

    Args:
        head: in evaluation mode.
        video: S vectors.
        is_in: (P, S) bool, True where a part has the vector; each has one or more.
    """
    longest = int(is_in.sum(dim=1).max())
    order = (~is_in).int().argsort(dim=1, stable=True)[:, :longest]  # real vectors come first
    mask = is_in.gather(1, order)
    at_once = max(1, _NUMBERS_AT_ONCE // (longest * video.vectors.shape[1]))
    found = [
        _logits(head, video, order[first : first + at_once], mask[first : first + at_once])
        for first in range(0, len(order), at_once)
    ]
    return torch.cat(found)


def _logits(head: StandardisedHead, video: Chosen, order: Tensor, mask: Tensor) -> Tensor:
    moments = video.elapsed_s[order] - video.elapsed_s[order[:, :1]]  # a part begins at its first vector
    logits: Tensor = head(video.vectors[order], mask, moments if head.is_timed else None)
    return logits


def _places_of(chosen: NDArray[np.floating], vectors: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return where the chosen rows (S, D), which are in order, lie among vectors (T, D)."""
    if len(chosen) == len(vectors):
        return np.arange(len(vectors))
    places, at = [], 0
    for row in chosen:
        while vectors[at].tobytes() != row.tobytes():  # the bytes, because NaN differs from itself
            at += 1
        places.append(at)
        at += 1
    return np.array(places)

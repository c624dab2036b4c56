"""Evidence by occlusion: what changes if a part of the video is taken out, or left alone.

A window of neighbouring vectors, centred on each one, is taken out of the video, and then left alone. If the head were
a mean of its vectors, both would tell the logit of the window: it is the logit of the window alone, and it is

    l + (S - k) / k x (l - l_without)

for a window of k of S vectors, the logit l of the video and l_without of the rest. Other heads give two answers. Taken
out, what is also elsewhere does not count: a head that keeps maxima does not miss one of two equal scenes. Left alone,
what needs the rest of the video does not count. So the evidence is the mean of the two probabilities.

Source: occlusion: Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, section 4.2. The first and the last effect of
a part, as the ends of its Shapley value: Shapley 1953, A Value for n-Person Games.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from classify.heads import StandardisedHead
from classify.moments.seen import Chosen, logits_of_parts
from classify.training import Objective

_WINDOWS = 12  # in a video, one beside the other; an odd number of vectors each, so that each has a middle
_MOST_VECTORS = 2**14  # that are computed for one video: each of 128 vectors has a window of its own, of more some have
_FEWEST_CENTRES = 64


def occlude(head: StandardisedHead, video: Chosen, objective: Objective) -> NDArray[np.floating]:
    """Return the probability of each label at each vector that a head sees, (S, C).

    Args:
        head: in evaluation mode.
        video: S vectors.
        objective: turns logits into probabilities.
    """
    count = len(video.vectors)
    every = torch.ones(1, count, dtype=torch.bool)
    whole = logits_of_parts(head, video, every)
    if count == 1:
        return objective.probabilities(whole)
    centres = _choose_centres(count)
    is_in = (torch.arange(count) - centres[:, None]).abs() <= count // _WINDOWS // 2
    inside = is_in.sum(dim=1, keepdim=True)
    implied = whole + (count - inside) / inside * (whole - logits_of_parts(head, video, ~is_in))
    alone = logits_of_parts(head, video, is_in)
    scores = (objective.probabilities(implied) + objective.probabilities(alone)) / 2
    nearest = torch.searchsorted((centres[1:] + centres[:-1]) / 2, torch.arange(count).float(), right=True)
    return np.asarray(scores[nearest.numpy()])


def _choose_centres(count: int) -> torch.Tensor:
    """Return the centres of windows, evenly spaced: all of `count` vectors if they are few."""
    centres = min(count, max(_FEWEST_CENTRES, _MOST_VECTORS // count))
    return (2 * torch.arange(centres) + 1) * count // (2 * centres)

"""The loss that training minimises: cross-entropy between logits and shares of labels.

With one label for each video it is a softmax over the classes. With several labels, or none, it is a sigmoid for each
class. Shapes: logits and targets (..., n, C), with any dimensions before n, the number of videos; losses (..., n).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Objective:
    """The loss of a video.

    Args:
        is_multi_label: a sigmoid for each class, instead of one softmax.
        label_smoothing: share of each label that is spread evenly: over all classes, or over yes and no.
        class_weights: (..., 1, C) weight of each label. A video counts by the weight of its own label; with sigmoids,
            the loss of a label is multiplied in the videos that have it. None weights all labels equally. The loss of a
            mixed video is the mix of the losses that its labels have alone.

    Source of the smoothing: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7. torch's `cross_entropy`
    smooths first and weights then, so that with few videos of a label nearly the whole loss asks for that label.
    """

    is_multi_label: bool
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each video."""
        if not self.is_multi_label:
            return -(self._shares(targets) * logits.log_softmax(dim=-1)).sum(dim=-1)
        wanted, weight = self._answers(targets)
        return F.binary_cross_entropy_with_logits(logits, wanted, weight, reduction="none").mean(dim=-1)

    def slopes(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the derivative of the loss of each video by each of its logits: (..., n, C)."""
        if not self.is_multi_label:
            shares = self._shares(targets)
            return logits.softmax(dim=-1) * shares.sum(dim=-1, keepdim=True) - shares
        wanted, weight = self._answers(targets)
        slopes = (logits.sigmoid() - wanted) / logits.shape[-1]
        return slopes if weight is None else slopes * weight

    def _shares(self, targets: Tensor) -> Tensor:
        """Return the share of each label, multiplied by the weight of the video's own label, and then smoothed.

        A video spreads a share of its own weight, so a common label does not give a rare one that label's large weight.
        """
        shares = targets if self.class_weights is None else targets * self.class_weights
        if not self.label_smoothing:
            return shares
        return shares.lerp(shares.mean(dim=-1, keepdim=True), self.label_smoothing)

    def _answers(self, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the share of yes for each label after smoothing, and the weight of each label's loss; None is 1."""
        wanted, weight = targets, None
        if self.class_weights is not None:
            yes = targets * self.class_weights
            weight = yes + 1 - targets
            wanted = yes / weight
        if self.label_smoothing:
            wanted = wanted * (1 - self.label_smoothing) + self.label_smoothing / 2
        return wanted, weight

    def probabilities(self, logits: Tensor) -> NDArray[np.float32]:
        """Return the probability of each label, as float32 on the CPU."""
        found = logits.sigmoid() if self.is_multi_label else logits.softmax(dim=-1)
        return np.asarray(found.cpu().numpy(), dtype=np.float32)

    def average(self, logits: Tensor, count: int) -> Tensor:
        """Return the logits (n, C) of mean probabilities, over groups of `count` neighbours of logits (n x count, C).

        >>> Objective(is_multi_label=True).average(torch.tensor([[100.0], [-100.0]]), 2)
        tensor([[0.]])
        """
        if count == 1:
            return logits
        several = logits.view(-1, count, logits.shape[-1])
        if self.is_multi_label:  # log p - log(1 - p), both as sums
            yes, no = F.logsigmoid(several), F.logsigmoid(-several)
            return yes.logsumexp(dim=1) - no.logsumexp(dim=1)
        return several.log_softmax(dim=-1).logsumexp(dim=1) - math.log(count)


def balance_classes(targets: NDArray[np.bool_], *, is_multi_label: bool) -> Tensor:
    """Return (1, C) weights with which rare labels count as much as common ones. Labels without a video get 1.

    Args:
        targets: (n, C) labels of the training videos.
        is_multi_label: the weight is the number of videos without the label over that with it. Otherwise it is the
            number of all videos over C times that with the label, as scikit-learn's `class_weight="balanced"`.

    >>> balance_classes(np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=bool), is_multi_label=False)
    tensor([[0.6667, 2.0000]])
    """
    videos, positives = len(targets), targets.sum(axis=0)
    present = positives > 0
    shares = (videos - positives) if is_multi_label else np.full(len(positives), videos / max(present.sum(), 1))
    weights = np.where(present & (shares > 0), shares / np.maximum(positives, 1), 1.0)
    return torch.from_numpy(weights.astype(np.float32)).unsqueeze(0)

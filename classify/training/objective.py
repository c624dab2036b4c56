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
        class_weights: (..., 1, C) weight of each label. With a softmax it multiplies the label's own term; with
            sigmoids it multiplies the videos that have the label. None weights all labels equally.

    Source of the smoothing: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7.
    """

    is_multi_label: bool
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each video."""
        wanted = self._wanted(targets)
        if self.is_multi_label:
            terms = F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=self.class_weights, reduction="none")
            return terms.mean(dim=-1)
        return -(wanted * logits.log_softmax(dim=-1)).sum(dim=-1)

    def slopes(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the derivative of the loss of each video by each of its logits: (..., n, C)."""
        wanted = self._wanted(targets)
        if not self.is_multi_label:
            return logits.softmax(dim=-1) * wanted.sum(dim=-1, keepdim=True) - wanted
        yes = wanted if self.class_weights is None else wanted * self.class_weights
        return (logits.sigmoid() * (yes + 1 - wanted) - yes) / logits.shape[-1]

    def _wanted(self, targets: Tensor) -> Tensor:
        """Return the targets after smoothing and, with a softmax, class weights."""
        wanted = targets
        if self.label_smoothing:
            count = 2 if self.is_multi_label else targets.shape[-1]
            wanted = targets * (1 - self.label_smoothing) + self.label_smoothing / count
        if self.class_weights is not None and not self.is_multi_label:
            wanted = wanted * self.class_weights
        return wanted

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

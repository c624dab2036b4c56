"""A head that consists of heads: the weighted mean of their probabilities.

Its members share the input, the vectors as a store holds them, and each has its own projection and scale. The head
around it (`StandardisedHead`) leaves vectors as they are. It is not trained as one: its members are trained alone.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classify.errors import HeadError
from classify.heads.standardised import StandardisedHead
from classify.heads.stored import stored_logits, takes_all


class AverageHead(nn.Module):
    """Average the probabilities of heads.

    Args:
        members: one head or more, of the same dimension and classes.
        weights: the share of each member in the mean, above 0, with a sum of 1.
        is_multi_label: a sigmoid for each class gives probabilities, instead of one softmax.

    Raises:
        HeadError: a member chooses vectors by the video's id, which it does not see here; or a weight is not above 0,
            or the weights do not add up to 1.
    """

    def __init__(self, members: Sequence[StandardisedHead], weights: Sequence[float], *, is_multi_label: bool) -> None:
        super().__init__()
        if len(weights) != len(members) or not all(weight > 0 for weight in weights) or abs(sum(weights) - 1) > 1e-6:
            raise HeadError(
                f"The weights {', '.join(f'{weight:g}' for weight in weights)} are not shares of {len(members)} heads. "
                "Give each head a weight above 0, and let them add up to 1."
            )
        if not all(map(takes_all, members)):
            raise HeadError("A head that chooses vectors by the video's id cannot be averaged. Leave it out.")
        self.members = nn.ModuleList(members)
        self._shares = tuple(math.log(weight) for weight in weights)  # no tensor: it is no part of the weights' file
        self._is_multi_label = is_multi_label

    @property
    def is_timed(self) -> bool:
        """True if a member is called with timestamps."""
        return any(member.is_timed for member in self._members)

    @property
    def shares(self) -> list[tuple[StandardisedHead, float]]:
        """The members, each with its share in the mean."""
        return [(member, math.exp(share)) for member, share in zip(self._members, self._shares, strict=True)]

    @property
    def _members(self) -> list[StandardisedHead]:
        return [member for member in self.members if isinstance(member, StandardisedHead)]

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return logits (B, C) whose probabilities are the mean of the members'."""
        found = [
            stored_logits(member, vectors, mask, timestamps_s if member.is_timed else None) for member in self._members
        ]
        if self._is_multi_label:  # log p - log(1 - p), both as sums
            return self._mean([F.logsigmoid(own) for own in found]) - self._mean([F.logsigmoid(-own) for own in found])
        return self._mean([own.log_softmax(dim=-1) for own in found])

    def _mean(self, logs: Sequence[Tensor]) -> Tensor:
        """Return the logarithm of the weighted mean of numbers whose logarithms are given."""
        weighted = [own + share for own, share in zip(logs, self._shares, strict=True)]
        return torch.stack(weighted).logsumexp(dim=0)

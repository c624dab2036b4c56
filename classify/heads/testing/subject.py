"""A head that is checked, the batches that it sees, and how a check refuses it."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor, nn

from classify.errors import HeadError
from classify.heads.abilities import Abilities
from classify.heads.blocks import clear_padding
from classify.heads.contract import HeadBuilder

CLASS_COUNT = 3
LENGTHS = (7, 5, 2, 1)
"""Vectors of each video of a batch."""

_SHARE = 0.3  # of the first video in a mix


@final
@dataclass(frozen=True)
class Subject:
    """A head under check.

    Args:
        build: builds it.
        dimension: D.
    """

    build: HeadBuilder
    dimension: int

    @cached_property
    def head(self) -> nn.Module:
        """One head in evaluation mode, which rules leave as it is."""
        return self.build_fresh().eval()

    @cached_property
    def abilities(self) -> Abilities:
        """What the head offers beyond `forward`."""
        return Abilities.of(self.head)

    def build_fresh(self, **options: object) -> nn.Module:
        """Build another head with fresh weights.

        Raises:
            HeadError: it is no module.
        """
        head = self.build(self.dimension, CLASS_COUNT, **options)
        if not isinstance(head, nn.Module):
            raise HeadError(f"The builder returns {type(head).__name__}. Return a torch.nn.Module.")
        return head

    def build_without_dropout(self) -> nn.Module:
        """Build a head in training mode whose dropout is off."""
        takes_dropout = "dropout" in inspect.signature(self.build).parameters
        head = self.build_fresh(**({"dropout": 0.0} if takes_dropout else {})).train()
        for module in head.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return head

    def logits(self, vectors: Tensor, mask: Tensor, *, filler: float = 0.0, head: nn.Module | None = None) -> Tensor:
        """Call the head, or another one of its kind. A timed head gets uneven timestamps.

        Args:
            vectors: (B, T, D).
            mask: (B, T).
            filler: timestamp of the padding.
            head: the one that is called instead.
        """
        moments = (torch.arange(mask.shape[1]) ** 1.5).masked_fill(~mask, filler)
        given = (vectors, mask, moments) if self.abilities.is_timed else (vectors, mask)
        logits: Tensor = (head or self.head)(*given)
        return logits

    def batch(self, lengths: Sequence[int] = LENGTHS, *, filler: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return random vectors (B, T, D) and a mask (B, T) of videos of these lengths. The padding is the filler."""
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        vectors = torch.randn(*mask.shape, self.dimension, generator=torch.Generator().manual_seed(0))
        return fill_padding(vectors, mask, filler), mask

    def mixed_batch(self) -> tuple[Tensor, Tensor]:
        """Return the batch that mixup makes of `batch` and the same videos in reverse order."""
        vectors, mask = self.batch()
        return _SHARE * vectors + (1 - _SHARE) * vectors.flip(0), mask | mask.flip(0)


def fill_padding(vectors: Tensor, mask: Tensor, filler: float) -> Tensor:
    """Return vectors (B, T, D) that are the filler where `mask` (B, T) is False."""
    return clear_padding(vectors, mask) if filler == 0 else vectors.masked_fill(~mask.unsqueeze(-1), filler)


def require(is_kept: bool, finding: str) -> None:
    """Raise HeadError if a rule is broken."""
    if not is_kept:
        raise HeadError(finding)


def require_close(found: object, expected: object, finding: str, *, tolerance: float | None = 1e-5) -> None:
    """Raise HeadError if numbers differ.

    Args:
        found: a tensor, or a sequence or mapping of tensors.
        expected: the same.
        finding: the error's text.
        tolerance: largest absolute difference; None takes torch's own, which is relative too.
    """
    try:
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=None if tolerance is None else 0.0)
    except AssertionError as error:
        raise HeadError(finding) from error

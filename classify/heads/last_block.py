"""The last block of an encoder, with a new classifier: fine-tuning without decoding again.

The store holds what enters the block (`embed-videos --stop-before`). The head is the rest of the encoder from there on,
then the mean over a video's clips, dropout, and one linear layer. The block and the linear layer learn. What follows
the block, such as a last norm, stays as it is.

A mean of clips' vectors and then one linear layer is the mean of the clips' logits. With one clip a video, the head is
the reference's network, whose first layers are frozen and in evaluation mode.
"""

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from classify.errors import HeadError
from classify.heads.blocks import clear_padding, pool_mean
from embed.store import EncoderIdentity

if TYPE_CHECKING:
    from embed import Tail

LAST_BLOCK = "last-block"
DROPOUT = 0.5


class LastBlockHead(nn.Module):
    """Classify a video by what the rest of its encoder makes of stored activations.

    Args:
        dimension: D, the length of one clip's activation.
        class_count: C.
        tail: what `describe_tail` returned.
        dropout: share of the vector's numbers that are dropped in training.

    Raises:
        HeadError: the rest takes activations of another length.
    """

    is_framewise = True

    def __init__(self, dimension: int, class_count: int, *, tail: str, dropout: float = DROPOUT) -> None:
        super().__init__()
        self._described = tail
        self.tail = _outline(tail)
        cut = self.tail.cut
        if cut.dimension != dimension:
            raise HeadError(f"The block takes {cut.dimension:,} numbers a clip, but the store has {dimension:,}.")
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(cut.output_dimension, class_count)

    def load_pretrained(self) -> None:
        """Begin with the encoder's weights. A saved head brings its own."""
        self.tail.load_state_dict(_load(self._described).state_dict())

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) of activations (B, T, D) where `mask` (B, T) is True."""
        logits: Tensor = self.linear(self.dropout(pool_mean(self._encoded(vectors, mask), mask)))
        return logits

    def _encoded(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return the vector of each clip: (B, T, D')."""
        if torch.compiler.is_exporting():  # a model of any B and T cannot choose rows
            found: Tensor = self.tail(clear_padding(vectors, mask).flatten(0, 1))
            return found.view(*mask.shape, -1)
        real: Tensor = self.tail(vectors[mask])  # batch norms must not see padding
        return real.new_zeros(*mask.shape, real.shape[1]).index_put((mask,), real)


def describe_tail(identity: EncoderIdentity, pretrained: str | None = None) -> str:
    """Return the rest of a store's encoder as a text: what it is, and where its weights are on this machine.

    Args:
        identity: the encoder's identity.
        pretrained: path of its weights, if they are a file that has moved.

    Raises:
        EmbedError: the encoder or its weights are not available, or are others than those that made the store.
    """
    return _described(identity, pretrained, architecture=_tail_of(identity, pretrained).architecture)


def refuse_misplaced(arch: str, identity: EncoderIdentity, where: str) -> None:
    """Raise HeadError if a head for activations gets vectors, or another head gets activations.

    Args:
        arch: the head.
        identity: the encoder that made the store.
        where: the store's name.
    """
    if arch == LAST_BLOCK and not identity.stop_before:
        raise HeadError(
            f"{where} has vectors of the whole {identity.model}, so there is no block to train. Embed the videos with "
            "--stop-before, which stores what enters a block, or choose another --arch."
        )
    if arch != LAST_BLOCK and identity.stop_before:
        raise HeadError(
            f"{where} has what enters {identity.stop_before} of {identity.model}, {identity.dimension:,} numbers a "
            f"clip, and no vectors for the {arch} head. Use --arch {LAST_BLOCK}, or embed the videos without "
            "--stop-before."
        )


def _described(identity: EncoderIdentity, pretrained: str | None, *, architecture: Any) -> str:
    return json.dumps({"encoder": identity.to_json(), "architecture": architecture, "pretrained": pretrained})


@lru_cache(maxsize=1)
def _tail_of(identity: EncoderIdentity, pretrained: str | None) -> "Tail":
    """Load the rest of an encoder with its weights; it is copied from, and never trained."""
    from embed import load_tail

    with torch.device("cpu"):
        return load_tail(identity, pretrained=pretrained)


def _load(described: str) -> "Tail":
    read = json.loads(described)
    return _tail_of(EncoderIdentity.from_json(read["encoder"]), read["pretrained"])


def _outline(described: str) -> "Tail":
    """Return the rest of an encoder without a checkpoint. Its weights are to be replaced."""
    from embed import outline_tail

    read = json.loads(described)
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):  # also while a head is built without memory
        return outline_tail(EncoderIdentity.from_json(read["encoder"]), read["architecture"])

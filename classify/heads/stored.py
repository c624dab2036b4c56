"""A head on vectors as a store holds them, wholly in torch: for exported models, and for heads that consist of heads.

`StandardisedHead` makes its input of one video at a time, before training. Here the same is done for a batch: vectors
are thinned to `max_frames`, the head selects some of them, and they are projected and standardised.
"""

from torch import Tensor

from classify.heads.blocks import clear_padding, thin_batch
from classify.heads.standardised import StandardisedHead


def takes_all(head: StandardisedHead) -> bool:
    """Return False if the head chooses vectors by the video's id, which torch does not know."""
    return head.abilities.selecting is None or head.abilities.batch_selecting is not None


def stored_logits(
    head: StandardisedHead,
    vectors: Tensor,
    mask: Tensor,
    timestamps_s: Tensor | None = None,
    *,
    is_selected: bool = False,
) -> Tensor:
    """Return logits (B, C) of stored vectors.

    Args:
        head: a head that `takes_all` vectors, unless they are selected already.
        vectors: (B, T, D) float32; rows where the mask is False may hold anything.
        mask: (B, T) bool, True where a vector is real; each video's real vectors come first.
        timestamps_s: (B, T) each vector's moment on its video's own clock, for a timed head.
        is_selected: the vectors are those that `StandardisedHead.choose` returns.
    """
    moments = None if timestamps_s is None else _choose_moments(head, timestamps_s, mask)
    rows = clear_padding(vectors, mask)
    if not is_selected:
        if head.max_frames is not None:
            rows, mask = thin_batch(rows, mask, head.max_frames)
        if head.abilities.batch_selecting is not None:
            rows, mask = head.abilities.batch_selecting.select_batch(rows, mask)
    if head.components is not None:
        rows = rows @ head.components
    logits: Tensor = head((rows - head.mean) / head.deviation, mask, moments)
    return logits


def _choose_moments(head: StandardisedHead, timestamps_s: Tensor, mask: Tensor) -> Tensor:
    """Return moments (B, T) as `StandardisedHead.choose_moments` makes them."""
    elapsed_s = timestamps_s - timestamps_s[:, :1]
    if head.max_frames is None:
        return elapsed_s
    return thin_batch(elapsed_s.unsqueeze(2), mask, head.max_frames)[0].squeeze(2)

"""What a head offers beyond `forward`. This is the only place that asks a head what it is."""

from dataclasses import dataclass

from torch import nn

from classify.heads.contract import (
    BatchSelectingHead,
    LinearPoolingHead,
    MeanPoolingHead,
    PoolingHead,
    PretrainedHead,
    SelectingHead,
    TimedHead,
)


@dataclass(frozen=True)
class Abilities:
    """A head by what it offers. Each of the first three fields is the head itself, or None if it lacks the methods.

    Args:
        selecting: looks at some of a video's vectors.
        batch_selecting: makes the same choice for a batch.
        pooling: turns each video into one row.
        is_timed: is called with timestamps.
        pools_mean: its rows are means.
        is_linear: is one linear layer on its rows.
        pretrained: brings the weights that training begins with.
    """

    selecting: SelectingHead | None
    batch_selecting: BatchSelectingHead | None
    pooling: PoolingHead | None
    is_timed: bool
    pools_mean: bool
    is_linear: bool
    pretrained: PretrainedHead | None = None

    @classmethod
    def of(cls, head: nn.Module) -> "Abilities":
        """Find what a head offers. Ask once for each head: `isinstance` with a protocol takes microseconds."""
        return cls(
            selecting=head if isinstance(head, SelectingHead) else None,
            batch_selecting=head if isinstance(head, BatchSelectingHead) else None,
            pooling=head if isinstance(head, PoolingHead) else None,
            is_timed=isinstance(head, TimedHead) and head.is_timed,
            pools_mean=isinstance(head, MeanPoolingHead) and head.pools_mean,
            is_linear=isinstance(head, LinearPoolingHead) and head.is_linear,
            pretrained=head if isinstance(head, PretrainedHead) else None,
        )

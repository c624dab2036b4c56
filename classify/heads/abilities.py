"""What a head offers beyond `forward`. This is the only place that asks a head what it is."""

from dataclasses import dataclass

from torch import nn

from classify.heads.contract import (
    AttendingHead,
    BatchSelectingHead,
    FramewiseHead,
    LinearPoolingHead,
    MeanPoolingHead,
    PoolingHead,
    PretrainedHead,
    SelectingHead,
    TimedHead,
)


@dataclass(frozen=True)
class Abilities:
    """A head by what it offers. A field without a bool is the head itself, or None if it lacks the methods.

    Args:
        selecting: looks at some of a video's vectors.
        batch_selecting: makes the same choice for a batch.
        pooling: turns each video into one row.
        is_timed: is called with timestamps.
        pools_mean: its rows are means.
        is_linear: is one linear layer on its rows.
        pretrained: brings the weights that training begins with.
        attending: says how much it looks at each vector; None if it does not.
        is_framewise: its logits are the mean of the logits of each vector alone.
    """

    selecting: SelectingHead | None
    batch_selecting: BatchSelectingHead | None
    pooling: PoolingHead | None
    is_timed: bool
    pools_mean: bool
    is_linear: bool
    pretrained: PretrainedHead | None = None
    attending: AttendingHead | None = None
    is_framewise: bool = False

    @classmethod
    def of(cls, head: nn.Module) -> "Abilities":
        """Find what a head offers. Ask once for each head: `isinstance` with a protocol takes microseconds."""
        pools_mean = isinstance(head, MeanPoolingHead) and head.pools_mean
        is_linear = isinstance(head, LinearPoolingHead) and head.is_linear
        return cls(
            selecting=head if isinstance(head, SelectingHead) else None,
            batch_selecting=head if isinstance(head, BatchSelectingHead) else None,
            pooling=head if isinstance(head, PoolingHead) else None,
            is_timed=isinstance(head, TimedHead) and head.is_timed,
            pools_mean=pools_mean,
            is_linear=is_linear,
            pretrained=head if isinstance(head, PretrainedHead) else None,
            attending=head if isinstance(head, AttendingHead) else None,
            is_framewise=(pools_mean and is_linear) or (isinstance(head, FramewiseHead) and head.is_framewise),
        )

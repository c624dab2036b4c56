from .abilities import Abilities as Abilities
from .average import AverageHead as AverageHead
from .blocks import (
    Pooled as Pooled,
    clear_padding as clear_padding,
    pool_mix as pool_mix,
    sinusoidal_positions as sinusoidal_positions,
    thin_batch as thin_batch,
)
from .contract import (
    AttendingHead as AttendingHead,
    BatchSelectingHead as BatchSelectingHead,
    FramewiseHead as FramewiseHead,
    Head as Head,
    HeadBuilder as HeadBuilder,
    LinearPoolingHead as LinearPoolingHead,
    MeanPoolingHead as MeanPoolingHead,
    PoolingHead as PoolingHead,
    SelectingHead as SelectingHead,
    TimedHead as TimedHead,
)
from .last_block import LAST_BLOCK as LAST_BLOCK, describe_tail as describe_tail, refuse_misplaced as refuse_misplaced
from .registry import HEADS as HEADS, build_head as build_head, list_heads as list_heads, list_options as list_options
from .standardised import StandardisedHead as StandardisedHead
from .stored import stored_logits as stored_logits, takes_all as takes_all
from .transformer import FEED_FORWARD as FEED_FORWARD

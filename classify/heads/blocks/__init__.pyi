from .dropout import drop as drop, relu_and_drop as relu_and_drop
from .masked_norm import MaskedBatchNorm as MaskedBatchNorm
from .moments import Moments as Moments, bounded_deviation as bounded_deviation
from .pooling import (
    Pooled as Pooled,
    clear_padding as clear_padding,
    pool_max as pool_max,
    pool_mean as pool_mean,
    pool_mean_once as pool_mean_once,
    pool_mix as pool_mix,
    take_last as take_last,
)
from .positions import TIMED as TIMED, build_positions as build_positions, sinusoidal_positions as sinusoidal_positions
from .thinning import thin as thin, thin_batch as thin_batch

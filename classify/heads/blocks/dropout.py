"""Dropout with random numbers that are fast on a CPU.

There, torch draws one Bernoulli number after another, which took 15% of a transformer's training time. Here one draw of
64 bits decides about four values, with 16 bits each: a share of 0.1 becomes 6,554 / 65,536. NumPy draws the bits twice
as fast as torch does, from a seed that torch's global generator draws. On a GPU, dropout is torch's own.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_LEVELS = 1 << 16


def drop(values: Tensor, share: float, *, training: bool) -> Tensor:
    """Return the values with a random share set to 0 and the others scaled up, in training only.

    Source: Srivastava et al. 2014, Dropout, Journal of Machine Learning Research 15.
    """
    if not training or share == 0:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, share, training=True)
    dropped: Tensor = _Drop.apply(values, share)  # type: ignore[no-untyped-call]
    return dropped


def relu_and_drop(values: Tensor, share: float, *, training: bool) -> Tensor:
    """Return `drop(relu(values))`. In training on a CPU this overwrites `values`, so nothing else may use them."""
    if not training or share == 0 or values.device.type != "cpu":
        return drop(F.relu(values), share, training=training)
    dropped: Tensor = _ReluDrop.apply(values, share)  # type: ignore[no-untyped-call]
    return dropped


def _draw_factors(values: Tensor, share: float) -> tuple[Tensor, float]:
    """Return the factor of each value, float32, which is 0 or scales up for the dropped ones, and the latter factor."""
    dropped_levels = round(share * _LEVELS)
    factor = _LEVELS / (_LEVELS - dropped_levels)
    bits = np.random.SFC64(int(torch.randint(2**62, ()))).random_raw(-(-values.numel() // 4))
    levels = torch.from_numpy(bits.view(np.int16))[: values.numel()].view(values.shape)
    # As float32 at once: a product of floats and bools first converts the bools to floats, at four times the cost.
    is_kept = torch.ge(levels, dropped_levels - _LEVELS // 2, out=torch.empty(values.shape))
    return is_kept.mul_(factor), factor


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, share: float) -> Tensor:
        factors, _ = _draw_factors(values, share)
        ctx.save_for_backward(factors)
        return values * factors

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (factors,) = ctx.saved_tensors
        return slopes[0] * factors, None


class _ReluDrop(torch.autograd.Function):
    """ReLU and dropout. A result above 0 was kept and was above 0, so the result is the mask of the backward pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, share: float) -> Tensor:
        factors, ctx.factor = _draw_factors(values, share)
        ctx.mark_dirty(values)
        values.relu_().mul_(factors)
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (result,) = ctx.saved_tensors
        passed: Tensor = torch.ops.aten.threshold_backward(slopes[0], result, 0)
        return passed.mul_(ctx.factor), None

"""From a loss to the next weights: optimizer, learning rate schedule, and gradient clipping."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from classify.training.recipe import TrainConfig

# Functions, because torch's optimizer classes take three times as long for a small head.
_OPTIMIZERS = {"adam": adam, "adamw": adamw}
_DECAYS = 0.9, 0.999  # of Adam's two moments, torch's defaults
_EPSILON = 1e-8


@final
class Descent:
    """Gradient descent, step by step.

    Args:
        parameters: of one head, or of several that train at once; then each tensor has a first dimension of heads.
        config: how to train, with no setting left open.
        step_count: number of steps of the whole training run.
        are_stacked: the parameters are those of several heads, and each head's gradient is clipped by itself.

    Source: Adam, Kingma and Ba 2015, https://arxiv.org/abs/1412.6980; AdamW, Loshchilov and Hutter 2019,
    https://arxiv.org/abs/1711.05101.
    """

    def __init__(
        self, parameters: Sequence[Tensor], config: TrainConfig, step_count: int, *, are_stacked: bool = False
    ) -> None:
        self._parameters = list(parameters)
        self._config = config
        self._step_count = step_count
        self._are_stacked = are_stacked
        self._steps_done = 0
        self._averages = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._counts = [torch.zeros((), device=parameter.device) for parameter in self._parameters]

    def step(self, loss: Tensor) -> None:
        """Take a step along the gradient of a loss."""
        loss.backward()  # type: ignore[no-untyped-call]
        self._update()

    def step_linear(self, rows: Tensor, slopes: Tensor) -> None:
        """Take a step of the weight (..., C, D) and bias (..., C) of a linear layer.

        The gradients are computed here by their formula, without autograd.

        Args:
            rows: (..., B, D) input of the layer.
            slopes: (..., B, C) derivative of the loss by each logit.
        """
        weight, bias = self._parameters
        weight.grad, bias.grad = slopes.mT @ rows, slopes.sum(dim=-2)
        self._update()

    @torch.no_grad()
    def _update(self) -> None:
        if self._config.clip_norm is not None:
            shorten_gradients(self._parameters, self._config.clip_norm, are_stacked=self._are_stacked)
        slopes = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        _OPTIMIZERS[self._config.optimizer](
            self._with_gradient(self._parameters),
            slopes,
            self._with_gradient(self._averages),
            self._with_gradient(self._squares),
            [],
            self._with_gradient(self._counts),
            fused=True,
            amsgrad=False,
            beta1=_DECAYS[0],
            beta2=_DECAYS[1],
            lr=learning_rate_at(self._steps_done, self._step_count, self._config),
            weight_decay=self._config.weight_decay or 0.0,
            eps=_EPSILON,
            maximize=False,
        )
        for parameter in self._parameters:
            parameter.grad = None
        self._steps_done += 1

    def _with_gradient(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the tensors, one for each parameter, whose parameter has a gradient."""
        return [own for own, parameter in zip(tensors, self._parameters, strict=True) if parameter.grad is not None]


def learning_rate_at(step: int, step_count: int, config: TrainConfig) -> float:
    """Return the learning rate of a step, counted from 0. It rises during warm-up, then stays or falls.

    >>> config = TrainConfig(learning_rate=1.0, warm_up=0.4, schedule="cosine")
    >>> [round(learning_rate_at(step, 10, config), 2) for step in range(10)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07]

    Source: cosine annealing without restarts, Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    highest, warm_up = config.learning_rate, round(config.warm_up * step_count)
    assert highest is not None, "settle fills it in"
    if step < warm_up:
        return highest * (step + 1) / warm_up
    if config.schedule == "constant":
        return highest
    return highest * (1 + math.cos(math.pi * (step - warm_up) / (step_count - warm_up))) / 2


def shorten_gradients(parameters: Sequence[Tensor], longest: float, *, are_stacked: bool = False) -> None:
    """Scale the gradients down in place if their joint norm is larger than `longest`.

    Args:
        parameters: parameters; those without a gradient take no part.
        longest: largest Euclidean norm.
        are_stacked: the first dimension of each tensor is one of heads, and each head has its own norm.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    start = 1 if are_stacked else 0
    squares = [gradient.square().flatten(start).sum(dim=-1) for gradient in gradients]
    length = torch.stack(squares).sum(dim=0).sqrt()
    factor = (longest / length.clamp_min(torch.finfo(length.dtype).tiny)).clamp_max(1)
    for gradient in gradients:
        gradient.mul_(factor.view(factor.shape + (1,) * (gradient.ndim - factor.ndim)))

"""Recurrences as operators of ONNX, for videos of any length."""

from typing import final

import torch
from torch import Tensor, nn

OPSET = 20  # from 2023: ONNX Runtime 1.17 and newer run it


@final
class OnnxRecurrence(nn.Module):
    """An RNN or LSTM as ONNX's operator of that name. torch's own export unrolls it, for one length only.

    Args:
        recurrence: one for which `_has_operator` is True.

    Source: https://onnx.ai/onnx/operators/onnx__LSTM.html and onnx__RNN.html, for the order of the gates.
    """

    def __init__(self, recurrence: nn.RNN | nn.LSTM) -> None:
        super().__init__()
        self.operator = recurrence.mode.removesuffix("_TANH")
        self.hidden_size = recurrence.hidden_size
        self.layers = nn.ModuleList(
            nn.ParameterList(self._layer(recurrence, number)) for number in range(recurrence.num_layers)
        )

    def forward(self, vectors: Tensor) -> tuple[Tensor, None]:
        """Return the last layer's states (B, T, hidden size) of vectors (B, T, D), and None as the final states."""
        batch, time, _ = vectors.shape
        states = vectors.transpose(0, 1)
        for weights in self.layers:
            states = torch.onnx.ops.symbolic(
                self.operator,
                (states, *weights),  # type: ignore[misc]
                {"hidden_size": self.hidden_size},
                dtype=vectors.dtype,
                shape=(time, 1, batch, self.hidden_size),
                version=OPSET,
            ).squeeze(1)
        return states.transpose(0, 1), None

    def _layer(self, recurrence: nn.RNN | nn.LSTM, number: int) -> list[Tensor]:
        """Return one layer's weights of the input, those of the state, and both biases in a row, as ONNX takes them."""
        names = (f"{kind}_l{number}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        inward, onward, *biases = (self._order_gates(getattr(recurrence, name).detach()) for name in names)
        return [inward.unsqueeze(0), onward.unsqueeze(0), torch.cat(biases).unsqueeze(0)]

    def _order_gates(self, weights: Tensor) -> Tensor:
        """Reorder torch's gates (input, forget, cell, output) as ONNX has them (input, output, forget, cell)."""
        if self.operator == "RNN":
            return weights
        gates = weights.chunk(4)
        return torch.cat([gates[0], gates[3], gates[1], gates[2]])


def replace_recurrences(module: nn.Module) -> None:
    """Replace the recurrences of a head by operators that take any length."""
    for name, child in module.named_children():
        if isinstance(child, nn.RNN | nn.LSTM) and _has_operator(child):
            setattr(module, name, OnnxRecurrence(child))
        else:
            replace_recurrences(child)


def _has_operator(recurrence: nn.RNN | nn.LSTM) -> bool:
    """Return True if it is plain: one direction, batch first, with biases, no projections, and tanh in an RNN."""
    is_plain = recurrence.batch_first and recurrence.bias and not recurrence.bidirectional and not recurrence.proj_size
    return is_plain and recurrence.mode in ("RNN_TANH", "LSTM")

"""A torch image model as an `Encoder`: bytes to the device, scaled there, through the model, back as NumPy."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from embed.allocation import keep_freed_memory
from embed.provenance import EncoderIdentity, hash_weights


@final
class TorchImageEncoder:
    """Encode single frames with a torch model.

    Args:
        identity: what the model is.
        model: moved to `device` and kept there, frozen, in eval mode.
        forward: (B, 3, side_px, side_px) float -> (B, D), using the model.
        device: a torch device.
    """

    def __init__(
        self, identity: EncoderIdentity, model: nn.Module, forward: Callable[[Tensor], Tensor], *, device: str
    ) -> None:
        self.identity = identity
        self._device = torch.device(device)
        if self._device.type == "cpu":
            keep_freed_memory()
        self._forward = forward
        model.requires_grad_(False).eval().to(self._device)
        # Per channel: pixel / 255 - mean, over std, folded into one product and one sum.
        mean, std = (torch.tensor(v) for v in (identity.preprocessing.mean, identity.preprocessing.std))
        self._scale = (1 / (255 * std)).to(self._device)[:, None, None]
        self._shift = (-mean / std).to(self._device)[:, None, None]

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, 1, side_px, side_px, 3) uint8 frames to (B, D) float32 vectors."""
        with torch.inference_mode():
            pixels = torch.from_numpy(rgb[:, 0]).to(self._device).permute(0, 3, 1, 2)
            vectors = self._forward(pixels * self._scale + self._shift)
            result: NDArray[np.float32] = vectors.float().cpu().numpy()
        return result


def hash_module(model: nn.Module) -> str:
    """Return `hash_weights` of a torch model's parameters and buffers."""
    return hash_weights((name, _bytes_of(tensor)) for name, tensor in model.state_dict().items())


def _bytes_of(tensor: Tensor) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    # NumPy has no bfloat16: hash the same bits under an integer's name.
    array: NDArray[Any] = (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array

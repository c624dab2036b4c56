"""A torch model of images or clips as an `Encoder`: bytes are scaled and encoded on the device, and return as NumPy.

On an NVIDIA GPU, copies and computation overlap. Frames are copied as uint8, from page-locked memory, on a stream of
their own, while the previous batch is computed. Vectors are copied back in the same way.

On a CPU, two batches are computed in parallel, each on half of the cores. One batch on all cores keeps fewer of them
busy: at the end of every layer all wait for the last core, which is late whenever a decoder uses it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.cuda import Event, Stream

from embed.encoders.contract import PendingVectors, ReadyVectors
from embed.encoders.int8 import quantise_transformer
from embed.errors import EncoderError
from embed.machine import DaemonThreads, counted
from embed.store import EncoderIdentity, Precision, hash_weights

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the number of axes
# Frames of a batch. A clip of 16 x 224 x 224 takes 110 to 400 MB of activations in torchvision's models, and on a CPU
# is encoded no faster in larger batches: MViT v2 S takes 2.2 s of a core alone and 2.6 s among four.
_FRAMES_AT_ONCE, _GPU_FRAMES_AT_ONCE = 32, 128
_MOST_AT_ONCE = 2  # batches on a CPU; each needs the memory of a batch's activations


@final
class TorchEncoder:
    """Encode frames, or clips of W frames, with a torch model.

    Args:
        identity: the identity of the model. Its window W says what one vector stands for.
        model: a model that `apply_precision` has converted. It is moved to `device`, frozen and set to eval mode.
        forward: (B, 3, side_px, side_px) float, or (B, 3, W, side_px, side_px) where W > 1, -> (B, D).
        device: a torch device.
    """

    def __init__(
        self, identity: EncoderIdentity, model: nn.Module, forward: Callable[[Tensor], Tensor], *, device: str
    ) -> None:
        self.identity = identity
        self._device = torch.device(device)
        self._threads = _threads_that_share_the_cores() if self._device.type == "cpu" else None
        self._forward = forward
        self._copying = Stream(self._device) if self._device.type == "cuda" else None  # type: ignore[no-untyped-call]
        model.requires_grad_(False).eval().to(self._device)
        _put_channels_last(model)
        # (pixel / 255 - mean) / std of each channel, as one product and one sum.
        mean, std = (torch.tensor(v) for v in (identity.preprocessing.mean, identity.preprocessing.std))
        self._scale = (1 / (255 * std)).to(self._device)[:, None, None, None]
        self._shift = (-mean / std).to(self._device)[:, None, None, None]

    @property
    def batch_size(self) -> int:
        """B of a batch where the user names none: 32 frames, or clips of so many; of 4 times as many on a GPU."""
        frames = _FRAMES_AT_ONCE if self._threads or self.identity.window == 1 else _GPU_FRAMES_AT_ONCE
        return max(1, frames // self.identity.window)

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, W, side_px, side_px, 3) uint8 frames to (B, D) float32 vectors.

        Raises:
            EncoderError: the memory of the device is too small for such a batch. `begin` and its result raise it too.
        """
        return self.begin(rgb).result()

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to `encode`, in the background on a CPU or an NVIDIA GPU; elsewhere encode the whole batch."""
        if self._threads:
            return self._threads.submit(self._compute, rgb.copy())
        if self._copying is None:
            return ReadyVectors(self._compute(rgb))
        with torch.inference_mode():
            return _fetch(self._encoded(rgb))

    def _compute(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._encoded(rgb).cpu().numpy()
        return vectors

    def _encoded(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Return (B, D) vectors that the device may still be computing."""
        try:
            return self._vectors(self._on_device(rgb))
        except torch.OutOfMemoryError as error:
            batch = counted(len(rgb), "frame" if self.identity.window == 1 else "clip")
            raise EncoderError(
                f"The memory of {self._device} is too small for {self.identity.model} and a batch of {batch}. Use a "
                "smaller --batch-size, or end other programs that use it. Embedded videos are kept: run the same "
                "command again to continue."
            ) from error

    def _on_device(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Return the pixels on the device, ready for the work that is queued next."""
        pixels = torch.from_numpy(rgb)
        if self._copying is None:
            return pixels.to(self._device)
        with torch.cuda.stream(self._copying):
            copied = pixels.pin_memory().to(self._device, non_blocking=True)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._copying)
        copied.record_stream(computing)  # otherwise its memory could be reused for the next copy before it is read
        return copied

    def _vectors(self, pixels: Tensor) -> Tensor:
        """(B, W, side_px, side_px, 3) uint8 -> (B, D) float32, on the device."""
        is_bfloat16 = self.identity.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=is_bfloat16):
            return self._forward(self._scaled(pixels)).float()

    def _scaled(self, pixels: Tensor) -> Tensor:
        """Return the model's input, (B, 3, W, side_px, side_px), or (B, 3, side_px, side_px) where W is 1."""
        if self.identity.window == 1:
            return pixels[:, 0].permute(0, 3, 1, 2) * self._scale[..., 0] + self._shift[..., 0]
        return pixels.permute(0, 4, 1, 2, 3) * self._scale + self._shift


def _put_channels_last(model: nn.Module) -> None:
    """Put weights in the order of the pixels, so that no convolution reorders either of them first."""
    for parameter in model.parameters():
        if parameter.ndim in _CHANNELS_LAST:
            parameter.data = parameter.contiguous(memory_format=_CHANNELS_LAST[parameter.ndim])


def _threads_that_share_the_cores() -> DaemonThreads:
    core_count = torch.get_num_threads()
    at_once = min(_MOST_AT_ONCE, core_count)
    threads = DaemonThreads(at_once, partial(_use_cores, core_count // at_once))
    torch.set_num_threads(core_count)  # new threads start with the number that any thread has set last
    return threads


def _use_cores(count: int) -> None:
    """Set the number of cores that torch's operators use in this thread."""
    torch.get_num_threads()  # initialises this thread, which would reset a number that was set before
    torch.set_num_threads(count)


@final
@dataclass(frozen=True)
class _FetchedVectors:
    """Vectors that are being copied from a GPU into (B, D) page-locked memory."""

    vectors: Tensor
    arrived: Event

    def done(self) -> bool:
        return bool(self.arrived.query())  # type: ignore[no-untyped-call]

    def result(self) -> NDArray[np.float32]:
        self.arrived.synchronize()
        found: NDArray[np.float32] = self.vectors.numpy()
        return found


def _fetch(vectors: Tensor) -> _FetchedVectors:
    """Queue the copy to the CPU behind the computation of the vectors."""
    here = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
    here.copy_(vectors, non_blocking=True)
    # Blocking: the waiting thread sleeps, so that its core can decode.
    arrived = Event(blocking=True)  # type: ignore[no-untyped-call]
    arrived.record(torch.cuda.current_stream(vectors.device))
    return _FetchedVectors(here, arrived)


@final
@dataclass(frozen=True)
class TorchModel:
    """A torch model with its weights, before it is an encoder: float32, on the CPU, in eval mode.

    Each family of torch models has a function `build(model, *, pretrained) -> TorchModel`. One that can be fine-tuned
    also has `outline(identity, architecture) -> TorchModel`, the same model with any weights and without a checkpoint.

    Args:
        identity: the identity of the encoder that it becomes; its precision is float32.
        network: the model.
        forward: (B, 3, side_px, side_px) float, or (B, 3, W, side_px, side_px) where W > 1, -> (B, D), using `network`.
            A method of the network or a `functools.partial` with it, so that both can be copied together.
        architecture: JSON-ready, what the family's `outline` needs beside the identity to build the same network.
    """

    identity: EncoderIdentity
    network: nn.Module
    forward: Callable[[Tensor], Tensor]
    architecture: Mapping[str, Any] = field(default_factory=dict)

    def on(self, device: str, precision: Precision) -> TorchEncoder:
        """Return the model as an encoder on a torch device. The network is converted in place."""
        identity = replace(self.identity, precision=precision)
        apply_precision(identity, self.network)
        return TorchEncoder(identity, self.network, self.forward, device=device)


def apply_precision(identity: EncoderIdentity, model: nn.Module) -> None:
    """Convert the weights of a model, in place, to the precision of its identity.

    Raises:
        EncoderError: the model has no form of this precision, or torch has none on this machine.
    """
    if identity.precision == "int8":
        quantise_transformer(model, identity.model)
    elif identity.precision == "bfloat16":
        # Weights that autocast would convert to bfloat16 again for every batch. Normalisation stays float32.
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)):
                module.to(torch.bfloat16)


def refuse_int8(model: str, precision: Precision | None) -> None:
    """Raise EncoderError for int8, of a model that has no such form."""
    if precision == "int8":
        raise EncoderError(
            f"{model} has no int8 form: only the vision transformers of open_clip (ViT-...) have one. "
            "Use --precision float32 or bfloat16."
        )


def default_precision(device: str) -> Precision:
    """Return bfloat16 for a GPU that computes in it, else float32."""
    is_quick = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if is_quick else "float32"


def hash_module(model: nn.Module) -> str:
    """Return `hash_weights` of a torch model's parameters and buffers."""
    return hash_weights((name, _bytes_of(tensor)) for name, tensor in model.state_dict().items())


def _bytes_of(tensor: Tensor) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    # NumPy has no bfloat16: hash the same bits as integers.
    array: NDArray[Any] = (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array

"""The messages of a torch model that cannot compute."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from embed.encoders import suited_batch_size
from embed.encoders.torch_encoder import TorchEncoder
from embed.errors import EncoderError
from tests.media import BarReader


@pytest.mark.parametrize(("window", "batch_size"), [(1, 32), (5, 6), (16, 2), (64, 1)])
def test_a_batch_has_32_frames_alone_or_in_clips(window: int, batch_size: int) -> None:
    identity = replace(BarReader().identity, window=window)
    encoder = TorchEncoder(identity, nn.Linear(2, 2), nn.Identity(), device="cpu")
    assert suited_batch_size(encoder) == batch_size


def test_an_encoder_that_names_no_batch_gets_32_frames() -> None:
    assert suited_batch_size(BarReader()) == 32


def test_too_many_clips_for_the_memory_are_called_clips() -> None:
    def forward(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    identity = replace(BarReader().identity, window=2)
    encoder = TorchEncoder(identity, nn.Linear(2, 2), forward, device="cpu")
    with pytest.raises(EncoderError, match=r"a batch of 7 clips\. Use a smaller --batch-size"):
        encoder.encode(np.zeros((7, 2, 8, 8, 3), np.uint8))


def test_too_little_memory_for_a_batch_names_the_option_to_lower() -> None:
    def forward(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    encoder = TorchEncoder(BarReader().identity, nn.Linear(2, 2), forward, device="cpu")
    with pytest.raises(
        EncoderError, match=r"is too small for bar-reader and a batch of 7 frames\. Use a smaller --batch-siz"
    ):
        encoder.encode(np.zeros((7, 1, 8, 8, 3), np.uint8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_batch_too_large_for_a_gpu_names_the_option_to_lower() -> None:
    def forward(pixels: Tensor) -> Tensor:
        return pixels.new_empty(1 << 50)

    encoder = TorchEncoder(BarReader().identity, nn.Linear(2, 2), forward, device="cuda")
    with pytest.raises(EncoderError, match="The memory of cuda is too small for bar-reader"):
        encoder.begin(np.zeros((7, 1, 8, 8, 3), np.uint8))

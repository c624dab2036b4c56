"""The messages of a torch model that cannot compute."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from embed.encoders.torch_encoder import TorchEncoder
from embed.errors import EncoderError
from tests.media import BarReader


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

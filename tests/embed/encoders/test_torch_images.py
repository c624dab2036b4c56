"""What a torch model says when it cannot compute."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from embed.encoders.torch_images import TorchImageEncoder
from embed.errors import EncoderError
from tests.media import BarReader


def test_memory_that_holds_no_batch_names_the_size_to_lower() -> None:
    def forward(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    encoder = TorchImageEncoder(BarReader().identity, nn.Linear(2, 2), forward, device="cpu")
    with pytest.raises(
        EncoderError, match=r"does not hold bar-reader and a batch of 7 frames\. Use a smaller --batch-siz"
    ):
        encoder.encode(np.zeros((7, 1, 8, 8, 3), np.uint8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_batch_that_a_gpu_cannot_hold_names_the_size_to_lower() -> None:
    def forward(pixels: Tensor) -> Tensor:
        return pixels.new_empty(1 << 50)

    encoder = TorchImageEncoder(BarReader().identity, nn.Linear(2, 2), forward, device="cuda")
    with pytest.raises(EncoderError, match="The memory of cuda does not hold bar-reader"):
        encoder.begin(np.zeros((7, 1, 8, 8, 3), np.uint8))

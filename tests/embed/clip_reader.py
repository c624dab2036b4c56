"""An encoder of clips for tests."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.media import BIT_COUNT, BarReader, spelled_numbers


class ClipReader:
    """The vectors that a BarReader has of a clip's W frames, one after another: (B, 10 W)."""

    def __init__(self, window: int) -> None:
        self._frames = BarReader(dimension=BIT_COUNT)
        self.identity = replace(self._frames.identity, model="clip-reader", window=window, dimension=window * BIT_COUNT)

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, W, side, side, 3) frames."""
        singles = rgb.reshape(-1, 1, *rgb.shape[2:])
        return self._frames.encode(singles).reshape(len(rgb), -1)


def spelled_clips(vectors: NDArray[np.floating], window: int) -> list[list[int]]:
    """Return the numbers of the frames of each clip, read from a ClipReader's vectors."""
    numbers = spelled_numbers(vectors.reshape(-1, BIT_COUNT))
    return np.reshape(numbers, (-1, window)).tolist()

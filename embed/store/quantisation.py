"""Vectors as one byte a coefficient, and back, by the formulas of YouTube-8M.

    quantise      clip to +-2, then round((x + 2) * 255/4)
    dequantise    q * 4/255 + 4/512 - 2

The way back adds half a step of 4/256, as if codes had been rounded down; the way there rounds to the nearest. So a
value within +-2 comes back higher by 0.0078 on average, and by between 0 and 0.0157.

Source: https://github.com/google/youtube-8m, `utils.Dequantize` and `feature_extractor/feature_extractor.py`.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = -2.0, 2.0
"""Values beyond these are cut off."""

_RANGE = MOST - LEAST
SCALE, OFFSET = _RANGE / 255, _RANGE / 512 + LEAST
"""The value of a code is code * SCALE + OFFSET."""
DECODED: NDArray[np.float64] = np.arange(256, dtype=np.float64) * SCALE + OFFSET
"""(256,) the value of each code."""
_DECODED_HALF = DECODED.astype(np.float16)
_AT_ONCE = 1 << 18  # codes: NumPy makes 8 bytes of each to look it up


def quantise(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the code of each value, in the same shape. No value may be NaN.

    >>> quantise(np.array([-3.0, 0.0, 0.01, 2.0]))
    array([  0, 128, 128, 255], dtype=uint8)
    """
    cut = np.clip(np.asarray(values, dtype=np.float64), LEAST, MOST)
    return np.round((cut - LEAST) * (255 / _RANGE)).astype(np.uint8)


def count_clipped(values: NDArray[np.floating]) -> int:
    """Return how many values `quantise` cuts off.

    >>> count_clipped(np.array([-3.0, -2.0, 0.0, 2.5]))
    2
    """
    return int(np.count_nonzero((values < LEAST) | (values > MOST)))


@dataclass(frozen=True)
class QuantisationLoss:
    """What `quantise` and `dequantise` change in vectors.

    Args:
        count: number of coefficients.
        clipped_count: number of those beyond +-2, which are cut off.
        squares, squared_errors: sums of the squares of the coefficients, and of their changes.
    """

    count: int = 0
    clipped_count: int = 0
    squares: float = 0.0
    squared_errors: float = 0.0

    @classmethod
    def of(cls, vectors: NDArray[np.floating], codes: NDArray[np.uint8]) -> "QuantisationLoss":
        """Compare vectors with their codes, in the same shape."""
        exact = np.asarray(vectors, dtype=np.float64)
        changes = DECODED[codes] - exact
        return cls(vectors.size, count_clipped(vectors), float((exact**2).sum()), float((changes**2).sum()))

    def __add__(self, other: "QuantisationLoss") -> "QuantisationLoss":
        return QuantisationLoss(
            self.count + other.count,
            self.clipped_count + other.clipped_count,
            self.squares + other.squares,
            self.squared_errors + other.squared_errors,
        )

    @property
    def clipped_share(self) -> float | None:
        """The share of coefficients that are cut off; None if there are none."""
        return self.clipped_count / self.count if self.count else None

    @property
    def error(self) -> float | None:
        """Root mean square of the changes as a share of that of the coefficients; None without any but zeros."""
        return sqrt(self.squared_errors / self.squares) if self.squares else None


def nearest_codes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the code whose value is nearest, in the same shape: what `dequantise` made becomes the same codes again.

    >>> nearest_codes(dequantise(np.array([0, 128, 255], dtype=np.uint8)))
    array([  0, 128, 255], dtype=uint8)
    """
    steps = (np.asarray(values, dtype=np.float64) - OFFSET) / SCALE
    return np.clip(np.round(steps), 0, 255).astype(np.uint8)


def dequantise(codes: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Return the value of each code, rounded to float16, in the same shape. `DECODED` has them in full.

    >>> dequantise(np.array([0, 128, 255], dtype=np.uint8)).astype(float).round(3).tolist()
    [-1.992, 0.016, 2.008]
    """
    values = np.empty(codes.shape, np.float16)
    flat, filled = np.ravel(codes), values.reshape(-1)
    for start in range(0, codes.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        np.take(_DECODED_HALF, flat[part], out=filled[part], mode="clip")
    return values

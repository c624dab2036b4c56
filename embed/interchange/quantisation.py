"""Vectors as one byte a coefficient, and back, by the formulas of YouTube-8M.

The way back adds half a step, 4/512, as if codes had been rounded down; the way there rounds to the nearest. So a value
comes back higher by 0.0078 on average, and by at most a step of 0.0157.

Source: https://github.com/google/youtube-8m, `utils.Dequantize` and `feature_extractor/feature_extractor.py`.
"""

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = -2.0, 2.0
"""Values beyond these are cut off."""

_RANGE = MOST - LEAST
DECODED: NDArray[np.float16] = (np.arange(256) * (_RANGE / 255) + _RANGE / 512 + LEAST).astype(np.float16)
"""(256,) the value of each code."""


def quantise(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the code of each value, in the same shape.

    >>> quantise(np.array([-3.0, 0.0, 0.01, 2.0]))
    array([  0, 128, 128, 255], dtype=uint8)
    """
    cut = np.clip(np.asarray(values, dtype=np.float64), LEAST, MOST)
    return np.round((cut - LEAST) * (255 / _RANGE)).astype(np.uint8)


def nearest_codes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the code whose value is nearest, in the same shape: what `dequantise` made becomes the same codes again.

    >>> nearest_codes(dequantise(np.array([0, 128, 255], dtype=np.uint8)))
    array([  0, 128, 255], dtype=uint8)
    """
    steps = (np.asarray(values, dtype=np.float64) - LEAST - _RANGE / 512) * (255 / _RANGE)
    return np.clip(np.round(steps), 0, 255).astype(np.uint8)


def dequantise(codes: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Return the value of each code, in the same shape: code * 4/255 + 4/512 - 2.

    >>> dequantise(np.array([0, 128, 255], dtype=np.uint8))
    array([-1.992 ,  0.0156,  2.008 ], dtype=float16)
    """
    return DECODED[codes]

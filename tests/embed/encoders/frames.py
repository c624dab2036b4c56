"""Frames to encode, a small CLIP that encodes them, and the similarity of vectors."""

import numpy as np
import torch
from numpy.typing import NDArray

from embed.encoders.contract import Encoder

SMALL_CLIP = "ViT-S-32-alt"  # the smallest ViT that open_clip lists: 256 dimensions


def pictures(count: int, height_px: int = 300, width_px: int = 420, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return (count, H, W_px, 3) smooth coloured pictures, similar to video frames."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 8, 3), dtype=np.uint8)
    image = torch.nn.functional.interpolate(
        torch.from_numpy(coarse).permute(0, 3, 1, 2).float(), (height_px, width_px), mode="bicubic"
    )
    smooth: NDArray[np.uint8] = image.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return smooth


def prepared(encoder: Encoder, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([encoder.identity.preprocessing.apply(image) for image in images])[:, None]


def smallest_cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())

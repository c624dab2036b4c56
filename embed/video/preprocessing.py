"""A decoded frame -> the square of pixels that an encoder was trained on.

A `Preprocessing` is data, not code: it is stored beside the vectors, compared when stores are combined, and sent to
decoding processes. Frames are resized and cropped as bytes right after decoding, so that only (side, side, 3) uint8 is
sent on; scaling to floats happens on the encoder's device.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ResizeMode = Literal["shortest", "longest", "squash"]
Kernel = Literal["bicubic", "bilinear"]

_PIL_KERNELS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


class FrameCut(Protocol):
    """Turns a decoded frame into the pixels that leave the decoding process."""

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels cut from one (H, W_px, 3) frame."""


@dataclass(frozen=True)
class Preprocessing:
    """How frames become an encoder's input.

    Args:
        side_px: height and width of the result.
        resize_px: the length that `resize_mode` scales a side to, before the crop.
        resize_mode: "shortest" scales the shorter side to `resize_px` and crops the centre; "longest" scales the
            longer side and pads with black; "squash" ignores the aspect ratio.
        kernel: resampling kernel, with Pillow's antialiasing.
        mean, std: per channel, in units of 0 to 1: x = (pixel / 255 - mean) / std.

    Raises:
        ValueError: a value is not among those listed here.

    Source: torchvision's Resize and CenterCrop on PIL images, as open_clip's `image_transform` composes them.
    """

    side_px: int
    resize_px: int
    resize_mode: ResizeMode
    kernel: Kernel
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.side_px < 1 or self.resize_px < 1:
            raise ValueError(f"side_px and resize_px must be at least 1, got {self.side_px} and {self.resize_px}")
        if self.resize_mode not in get_args(ResizeMode):
            raise ValueError(f"resize_mode must be one of {get_args(ResizeMode)}, got {self.resize_mode!r}")
        if self.kernel not in _PIL_KERNELS:
            raise ValueError(f"kernel must be one of {tuple(_PIL_KERNELS)}, got {self.kernel!r}")

    def cuts_as(self, other: "Preprocessing") -> bool:
        """Return True if `apply` gives the same pixels as that of `other`; `mean` and `std` do not affect it."""
        return replace(self, mean=other.mean, std=other.std) == other

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize and crop one frame: (H, W_px, 3) uint8 -> (side_px, side_px, 3) uint8."""
        height_px, width_px = rgb.shape[:2]
        target = self.resized_size(width_px, height_px)
        image = Image.fromarray(rgb)
        if image.size != target:
            image = image.resize(target, _PIL_KERNELS[self.kernel])
        return _crop_or_pad(np.asarray(image), self.side_px)

    def resized_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels after the resize and before the crop."""
        if self.resize_mode == "squash":
            return self.resize_px, self.resize_px
        if self.resize_mode == "longest":
            scale = self.resize_px / max(width_px, height_px)
            return max(1, round(width_px * scale)), max(1, round(height_px * scale))
        if width_px <= height_px:
            return self.resize_px, int(self.resize_px * height_px / width_px)
        return int(self.resize_px * width_px / height_px), self.resize_px

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> "Preprocessing":
        """Return the preprocessing that `to_json` described."""
        fields = dict(description)
        fields["mean"] = tuple(fields["mean"])
        fields["std"] = tuple(fields["std"])
        return cls(**fields)


def _crop_or_pad(image: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return the centre square, after padding with black what is too small."""
    height_px, width_px = image.shape[:2]
    pad_y, pad_x = max(0, side_px - height_px), max(0, side_px - width_px)
    if pad_y or pad_x:
        top, left = pad_y // 2, pad_x // 2
        image = np.pad(image, ((top, pad_y - top), (left, pad_x - left), (0, 0)))
        height_px, width_px = image.shape[:2]
    # round(), not //: torchvision's CenterCrop rounds half to even, and a shift by one pixel lowers cosine to 0.99.
    top, left = round((height_px - side_px) / 2), round((width_px - side_px) / 2)
    return np.ascontiguousarray(image[top : top + side_px, left : left + side_px])

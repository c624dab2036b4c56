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
        resize_px: the length that `resize_mode` scales a side to, before the crop; with "squash" also a pair, (height,
            width).
        resize_mode: "shortest" scales the shorter side to `resize_px` and crops the centre; "longest" scales the
            longer side and pads with black; "squash" ignores the aspect ratio.
        kernel: resampling kernel.
        mean, std: per channel, in units of 0 to 1: x = (pixel / 255 - mean) / std.
        antialias: True averages over all pixels that a new one covers, as Pillow does. False interpolates between the
            four nearest, whatever the scale; only "bilinear" has it. torchvision's video models are trained so.
        rounds_down: where the crop leaves out an odd number of pixels, True leaves out the larger half at the right and
            at the bottom, as transformers does. False rounds half to even, as torchvision does; only with antialias
            there is a choice.

    Raises:
        ValueError: a value is not among those listed here.

    Source: torchvision's Resize and CenterCrop on PIL images, as open_clip's `image_transform` composes them; without
        antialias, on tensors of bytes, as torchvision's `VideoClassification` composes them.
    """

    side_px: int
    resize_px: int | tuple[int, int]
    resize_mode: ResizeMode
    kernel: Kernel
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    antialias: bool = True
    rounds_down: bool = False

    def __post_init__(self) -> None:
        if any(type(length) is not int for length in (self.side_px, *self._lengths_px)):
            raise ValueError(
                f"side_px and resize_px must be whole numbers, got {self.side_px!r} and {self.resize_px!r}"
            )
        if any(length < 1 for length in (self.side_px, *self._lengths_px)):
            raise ValueError(f"side_px and resize_px must be at least 1, got {self.side_px} and {self.resize_px}")
        if self.resize_mode not in get_args(ResizeMode):
            raise ValueError(f"resize_mode must be one of {get_args(ResizeMode)}, got {self.resize_mode!r}")
        if self.kernel not in _PIL_KERNELS:
            raise ValueError(f"kernel must be one of {tuple(_PIL_KERNELS)}, got {self.kernel!r}")
        if isinstance(self.resize_px, tuple) and (self.resize_mode != "squash" or len(self.resize_px) != 2):
            raise ValueError(
                f"resize_px must be one length, or (height, width) with squash, got {self.resize_px} with "
                f"{self.resize_mode}"
            )
        if type(self.antialias) is not bool or not (self.antialias or self.kernel == "bilinear"):
            raise ValueError(
                f"antialias must be True, or False with bilinear, got {self.antialias!r} with {self.kernel}"
            )

        if type(self.rounds_down) is not bool or (self.rounds_down and not self.antialias):
            raise ValueError(f"rounds_down must be False, or True with antialias, got {self.rounds_down!r}")

    @property
    def _lengths_px(self) -> tuple[int, ...]:
        return self.resize_px if isinstance(self.resize_px, tuple) else (self.resize_px, self.resize_px)

    def cuts_as(self, other: "Preprocessing") -> bool:
        """Return True if `apply` gives the same pixels as that of `other`; `mean` and `std` do not affect it."""
        return replace(self, mean=other.mean, std=other.std) == other

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize and crop one frame: (H, W_px, 3) uint8 -> (side_px, side_px, 3) uint8."""
        height_px, width_px = rgb.shape[:2]
        target = self.resized_size(width_px, height_px)
        if target == (width_px, height_px):
            return self._cropped(rgb).copy()  # the frame's own memory may be used again
        if not self.antialias:
            return _crop_or_pad(_interpolated(rgb, target, self.side_px), self.side_px)
        image = Image.fromarray(rgb).resize(target, _PIL_KERNELS[self.kernel])
        return self._cropped(np.asarray(image))

    def _cropped(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return _crop_or_pad(image, self.side_px, rounds_down=self.rounds_down)

    def resized_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return (width, height) in pixels after the resize and before the crop."""
        resized_height_px, resized_width_px = self._lengths_px
        if self.resize_mode == "squash":
            return resized_width_px, resized_height_px
        if self.resize_mode == "longest":
            scale = resized_width_px / max(width_px, height_px)
            return max(1, round(width_px * scale)), max(1, round(height_px * scale))
        if width_px <= height_px:
            return resized_width_px, int(resized_width_px * height_px / width_px)
        return int(resized_height_px * width_px / height_px), resized_height_px

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_json` reads it back."""
        described = asdict(self)
        if self.antialias:  # the same text as before there was a choice
            del described["antialias"]
        if not self.rounds_down:
            del described["rounds_down"]
        return described

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> "Preprocessing":
        """Return the preprocessing that `to_json` described."""
        fields = dict(description)
        fields["mean"] = tuple(fields["mean"])
        fields["std"] = tuple(fields["std"])
        if isinstance(fields["resize_px"], list):
            fields["resize_px"] = tuple(fields["resize_px"])
        return cls(**fields)


def _interpolated(rgb: NDArray[np.uint8], size: tuple[int, int], side_px: int) -> NDArray[np.uint8]:
    """Return the centre square of a frame after a bilinear resize without antialias; all of a side that is shorter.

    In float32, as torch computes it, so that the bytes are torch's: measured on noise of 150 sizes, 125 of about 50
    million bytes differ, by 1. cv2.INTER_LINEAR on bytes computes with 11 bits, and one byte in eight differs. Only
    what the crop keeps is computed: 1.1 ms for 224 x 224 pixels, from frames of any size.

    Source: torch.nn.functional.interpolate(mode="bilinear", align_corners=False), rounded half to even.
    """
    left, right, x_weights = _neighbours(rgb.shape[1], size[0], side_px)
    above, below, y_weights = _neighbours(rgb.shape[0], size[1], side_px)

    def mixed_along_x(lines: NDArray[np.intp]) -> NDArray[np.float32]:
        chosen = rgb.take(lines, 0)
        mixed: NDArray[np.float32] = x_weights[0] * chosen.take(left, 1) + x_weights[1] * chosen.take(right, 1)
        return mixed

    mixed = y_weights[0][:, None] * mixed_along_x(above) + y_weights[1][:, None] * mixed_along_x(below)
    return np.rint(mixed).astype(np.uint8)


def _neighbours(
    length_px: int, resized_px: int, kept_px: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return the pixels before and after each that is kept of a resized side, and their (kept, 1) weights."""
    kept = np.arange(max(0, round((resized_px - kept_px) / 2)), resized_px)[:kept_px]
    # float64 between, because torch multiplies and subtracts in one step, with one rounding.
    scale = np.float64(np.float32(length_px) / np.float32(resized_px))
    places = np.maximum(scale * (kept + 0.5) - 0.5, 0).astype(np.float32)
    before = np.minimum(places.astype(np.intp), length_px - 1)
    after = np.minimum(before + 1, length_px - 1)
    weights = np.minimum(places - before.astype(np.float32), np.float32(1))[:, None]
    return before, after, (np.float32(1) - weights, weights)


def _crop_or_pad(image: NDArray[np.uint8], side_px: int, *, rounds_down: bool = False) -> NDArray[np.uint8]:
    """Return the centre square, after padding with black what is too small."""
    height_px, width_px = image.shape[:2]
    pad_y, pad_x = max(0, side_px - height_px), max(0, side_px - width_px)
    if pad_y or pad_x:
        top, left = pad_y // 2, pad_x // 2
        image = np.pad(image, ((top, pad_y - top), (left, pad_x - left), (0, 0)))
        height_px, width_px = image.shape[:2]
    # round(), not //: torchvision's CenterCrop rounds half to even, and a shift by one pixel lowers cosine to 0.99.
    places = ((height_px - side_px) / 2, (width_px - side_px) / 2)
    top, left = (int(place) if rounds_down else round(place) for place in places)
    return np.ascontiguousarray(image[top : top + side_px, left : left + side_px])

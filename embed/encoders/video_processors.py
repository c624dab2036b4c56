"""transformers' video processors -> `Preprocessing`: the same pixels, without transformers in decoding processes."""

from typing import Any

from embed.errors import EncoderError
from embed.video import Kernel, Preprocessing, ResizeMode

_KERNELS: dict[int, Kernel] = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of resampling filters."""


def preprocessing_of(model: str, processor: Any) -> Preprocessing:
    """Return what a processor does with each frame.

    Args:
        model: its name, for messages.
        processor: of transformers' `BaseVideoProcessor`.

    Raises:
        EncoderError: frames cannot be prepared in that way here.
    """
    kernel = _KERNELS.get(int(processor.resample or 0))
    mode, resize_px = _resize(processor)
    side_px = _square(processor.crop_size) if processor.do_center_crop else _square(processor.size)
    if kernel is None or mode is None or resize_px is None or side_px is None:
        raise EncoderError(
            f"The processor of {model} prepares frames with size {_plain(processor.size)}, crop "
            f"{_plain(processor.crop_size) if processor.do_center_crop else 'none'} and filter {processor.resample}. "
            "Here frames are square and resized bilinear or bicubic. Choose another checkpoint."
        )
    factor = float(processor.rescale_factor) if processor.do_rescale else 1.0
    means, deviations = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processor.do_normalize:
        means, deviations = tuple(processor.image_mean), tuple(processor.image_std)
    # (pixel * factor - mean) / deviation, written for pixels / 255.
    scale = 1.0 if abs(255 * factor - 1) < 1e-6 else 255 * factor
    return Preprocessing(
        side_px=side_px,
        resize_px=resize_px,
        resize_mode=mode,
        kernel=kernel,
        mean=tuple(mean / scale for mean in means),  # type: ignore[arg-type]
        std=tuple(deviation / scale for deviation in deviations),  # type: ignore[arg-type]
        rounds_down=True,
    )


def _resize(processor: Any) -> tuple[ResizeMode | None, int | tuple[int, int] | None]:
    """Return how the sides are scaled, and to what length."""
    size = _plain(processor.size)
    if not processor.do_resize:
        return None, None
    if size.keys() == {"shortest_edge"}:
        return "shortest", size["shortest_edge"]
    if size.keys() == {"height", "width"}:
        height_px, width_px = size["height"], size["width"]
        return "squash", height_px if height_px == width_px else (height_px, width_px)
    return None, None


def _square(size: Any) -> int | None:
    sides = set(_plain(size).values())
    return sides.pop() if len(sides) == 1 and _plain(size).keys() == {"height", "width"} else None


def _plain(size: Any) -> dict[str, int]:
    """Return a size as a dict of the sides that it has."""
    given = dict(size) if isinstance(size, dict) else {"height": size, "width": size} if isinstance(size, int) else None
    if given is None:
        given = {name: getattr(size, name, None) for name in ("height", "width", "shortest_edge", "longest_edge")}
    return {name: int(value) for name, value in given.items() if value is not None}

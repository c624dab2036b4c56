"""A checkpoint's video processor of transformers -> the `Preprocessing` that gives the same pixels.

Every value comes from the processor that transformers builds from the checkpoint's files, since checkpoints of one
family differ: V-JEPA 2 derives its resize from the crop, and VideoPrism does not normalise.

Source: `BaseVideoProcessor` and `TorchvisionBackend` of transformers 5.24: resize with antialias, centre crop rounded
down, (pixel * rescale_factor - mean) / std.
"""

import math
from typing import Any

from embed.encoders.clip_checkpoints import Checkpoint, class_of, first_line, quiet
from embed.encoders.clip_families import read_processor
from embed.errors import EncoderError
from embed.video import Kernel, Preprocessing, ResizeMode

_KERNELS: dict[int, Kernel] = {2: "bilinear", 3: "bicubic"}  # PIL's numbers; None is transformers' default
_BYTES = 255.0


def preprocessing_of(checkpoint: Checkpoint) -> Preprocessing:
    """Return what a checkpoint's processor does to frames.

    Raises:
        EncoderError: the checkpoint does not say it, or frames cannot be prepared in that way here.
    """
    processor = _processor(checkpoint)
    mode, resize_px, side_px = _geometry(checkpoint, processor)
    mean, std = _scaling(checkpoint, processor)
    return Preprocessing(
        side_px=side_px,
        resize_px=resize_px,
        resize_mode=mode,
        kernel=_kernel(checkpoint, processor),
        mean=mean,
        std=std,
        rounds_down=True,
    )


def _processor(checkpoint: Checkpoint) -> Any:
    if not read_processor(checkpoint.folder):
        raise EncoderError(
            f"{checkpoint.folder} does not say how frames are prepared: it has neither video_preprocessor_config.json "
            "nor preprocessor_config.json. Copy that file from the checkpoint that it was made from."
        )
    try:
        with quiet():
            return class_of(checkpoint.model, "AutoVideoProcessor").from_pretrained(
                checkpoint.folder, trust_remote_code=False, local_files_only=True
            )
    except EncoderError:
        raise
    except Exception as error:  # transformers raises many
        raise _impossible(checkpoint, f"a processor that transformers cannot build ({first_line(error)})") from error


def _geometry(checkpoint: Checkpoint, processor: Any) -> tuple[ResizeMode, int | tuple[int, int], int]:
    """Return the mode of the resize, its length, and the side of the square."""
    size, crop = processor.size, processor.crop_size if processor.do_center_crop else None
    if not processor.do_resize or size is None:
        raise _impossible(checkpoint, "frames that are not resized (do_resize is false)")
    if getattr(processor, "do_pad", None):
        raise _impossible(checkpoint, "padded frames (do_pad is true)")
    if crop is not None and crop.height != crop.width:
        raise _impossible(checkpoint, f"a crop of {crop.height} x {crop.width} pixels, which is not square")
    if size.shortest_edge and not size.longest_edge:
        if crop is None:
            raise _impossible(checkpoint, "frames that are not square (a shortest edge, without a crop)")
        return "shortest", int(size.shortest_edge), int(crop.height)
    if not size.height or not size.width:
        raise _impossible(checkpoint, f"a resize to {dict(size)}")
    if crop is None and size.height != size.width:
        raise _impossible(checkpoint, f"frames of {size.height} x {size.width} pixels, which are not square")
    resize_px = int(size.height) if size.height == size.width else (int(size.height), int(size.width))
    return "squash", resize_px, int(crop.height if crop else size.height)


def _kernel(checkpoint: Checkpoint, processor: Any) -> Kernel:
    resample = processor.resample
    if resample is None:
        return "bilinear"
    if resample not in _KERNELS:
        raise _impossible(checkpoint, f"a resize with the kernel {resample}")
    return _KERNELS[int(resample)]


def _scaling(checkpoint: Checkpoint, processor: Any) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and std for pixels of 0 to 1: (p f - m) / s is (p / 255 - m / (255 f)) / (s / (255 f))."""
    unit = _BYTES * float(processor.rescale_factor) if processor.do_rescale else _BYTES
    unit = 1.0 if math.isclose(unit, 1, rel_tol=1e-6) else unit
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else (0.0, 1.0)
    means, stds = (_channels(value, unit) for value in (mean, std))
    if not all(math.isfinite(value) for value in (*means, *stds)) or not all(value > 0 for value in stds):
        raise _impossible(checkpoint, f"pixels scaled with mean {mean}, std {std} and {processor.rescale_factor}")
    return means, stds


def _channels(value: Any, unit: float) -> tuple[float, float, float]:
    red, green, blue = value if isinstance(value, (list, tuple)) else (value,) * 3
    return tuple(float(one) / unit if unit else math.nan for one in (red, green, blue))  # type: ignore[return-value]


def _impossible(checkpoint: Checkpoint, what: str) -> EncoderError:
    return EncoderError(
        f"The processor of {checkpoint.model} asks for {what}. Here frames are resized bilinear or bicubic, and are "
        "square in the end. Choose another checkpoint, or correct its video_preprocessor_config.json or "
        "preprocessor_config.json."
    )

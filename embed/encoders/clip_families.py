"""The families of clip models of transformers, and what a checkpoint says before transformers is imported.

A checkpoint is a folder with `config.json`, the weights, and a file that says how frames are prepared.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final


@final
@dataclass(frozen=True)
class ClipFamily:
    """A family of clip models of transformers.

    Args:
        title: its name in words.
        types: `model_type` in the `config.json` of its checkpoints.
        window: W of most published checkpoints.
        example: hub name of a published checkpoint.
    """

    title: str
    types: tuple[str, ...]
    window: int
    example: str


CLIP_FAMILIES = {
    "videomae": ClipFamily(
        title="VideoMAE",
        types=("videomae",),
        window=16,
        example="MCG-NJU/videomae-base",
    ),
    "vjepa2": ClipFamily(
        title="V-JEPA 2",
        types=("vjepa2",),
        window=64,
        example="facebook/vjepa2-vitl-fpc64-256",
    ),
    "videoprism": ClipFamily(
        title="VideoPrism",
        types=("videoprism", "videoprism_vision_model"),
        window=16,
        example="google/videoprism-base-f16r288",
    ),
    "pe-av": ClipFamily(
        title="Perception Encoder Audio-Visual",
        types=("pe_audio_video", "pe_video"),
        window=16,
        example="facebook/pe-av-base-16-frame",
    ),
}
"""What stands before the colon in `--model videomae:NAME` -> its family."""


def window_of(prefix: str, folder: Path) -> int | None:
    """Return W, the frames of a clip that a checkpoint was trained on; None if its folder does not say it."""
    config = read_json(folder / "config.json")
    if prefix == "pe-av":
        return _count(read_processor(folder).get("num_frames"))
    vision = config.get("vision_config")
    values = vision if isinstance(vision, Mapping) else config
    return _count(values.get("frames_per_clip" if prefix == "vjepa2" else "num_frames", CLIP_FAMILIES[prefix].window))


def read_processor(folder: Path) -> Mapping[str, Any]:
    """Return how a checkpoint prepares frames, as its files say it; {} if they do not.

    Source: the order of files in transformers' `BaseVideoProcessor.get_video_processor_dict`.
    """
    nested = read_json(folder / "processor_config.json").get("video_processor")
    if isinstance(nested, Mapping):
        return nested
    names = ("video_preprocessor_config.json", "preprocessor_config.json")
    return next((found for name in names if (found := read_json(folder / name))), {})


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the object that a file of JSON holds; {} if there is no such file or it holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 1 else None

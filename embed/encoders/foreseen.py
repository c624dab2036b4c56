"""The likely preprocessing of a model, known before anything heavy is loaded, so that decoding can begin at once.

Torch, an encoder's library and its weights take seconds to load, on one core. The likely preprocessing is compared with
that of the loaded encoder; if it was wrong, decoding begins again.
"""

import json
from importlib.util import find_spec
from pathlib import Path

from embed.encoders.clip_families import CLIP_FAMILIES, window_of
from embed.encoders.kinetics_models import DEFAULT_WINDOW, KINETICS_MODELS
from embed.video import Preprocessing

LITE_SIDES_PX = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
_LITE_CROP_SHARE = 0.875
_LITE_MEAN, _LITE_STD = 127 / 255, 128 / 255
# CLIP's own, open_clip's default where neither the model nor its weights define others: open_clip/constants.py.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def foresee_preprocessing(model: str) -> Preprocessing | None:
    """Return the likely preprocessing of a model of `embed.encoders.load_encoder`; None if unknown."""
    if model in LITE_SIDES_PX:
        return lite_preprocessing(model)
    if model in KINETICS_MODELS:
        return KINETICS_MODELS[model].preprocessing
    side_px = _clip_side_px(model)
    return Preprocessing(side_px, side_px, "shortest", "bicubic", _CLIP_MEAN, _CLIP_STD) if side_px else None


def foresee_window(model: str) -> int:
    """Return W, the frames behind one vector of a model as it is loaded by default; 1 for images, and where unknown."""
    if model in KINETICS_MODELS:
        return DEFAULT_WINDOW
    prefix, colon, name = model.partition(":")
    if not colon or prefix not in CLIP_FAMILIES:
        return 1
    return window_of(prefix, Path(name).expanduser()) or CLIP_FAMILIES[prefix].window


def lite_preprocessing(model: str) -> Preprocessing:
    """Return the preprocessing of an EfficientNet-Lite.

    Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    """
    side_px = LITE_SIDES_PX[model]
    return Preprocessing(
        side_px=side_px,
        resize_px=int(side_px / _LITE_CROP_SHARE),
        resize_mode="shortest",
        kernel="bicubic",
        mean=(_LITE_MEAN, _LITE_MEAN, _LITE_MEAN),
        std=(_LITE_STD, _LITE_STD, _LITE_STD),
    )


def _clip_side_px(model: str) -> int | None:
    """Read the side of the input from open_clip's description of a model, without importing open_clip.

    Returns:
        None for models of other families that open_clip wraps, which have other preprocessing.
    """
    package = find_spec("open_clip")
    folders = package.submodule_search_locations if package else None
    path = Path(folders[0], "model_configs", f"{model}.json") if folders else None
    if path is None or not path.is_file():
        return None
    vision = json.loads(path.read_text(encoding="utf-8"))["vision_cfg"]
    side_px = vision.get("image_size")
    return side_px if isinstance(side_px, int) and "timm_model_name" not in vision else None

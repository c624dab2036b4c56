"""Clip models of transformers: `videomae:NAME`, `vjepa2:NAME`, `videoprism:NAME` and `pe-av:NAME`.

NAME is a folder or a hub name. A vector stands for W frames:

- VideoMAE, V-JEPA 2 and VideoPrism's vision model: the mean of the encoder's tokens.
- A checkpoint with a classifier: what the classifier gets, so that `Linear(vector)` is the full model's logits.
- VideoPrism with a text tower, PE-AV: the embedding that is compared with texts.

Source: VideoMAE, Tong et al. 2022, https://arxiv.org/abs/2203.12602; V-JEPA 2, Assran et al. 2025,
https://arxiv.org/abs/2506.09985; VideoPrism, Zhao et al. 2024, https://arxiv.org/abs/2402.13217; Perception Encoder,
Bolya et al. 2025, https://arxiv.org/abs/2504.13181; and their classes in transformers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch

from embed.encoders.clip_checkpoints import Checkpoint, class_of, find_checkpoint, load_model, quiet
from embed.encoders.clip_families import CLIP_FAMILIES, window_of
from embed.encoders.clip_parts import PARTS, Parts
from embed.encoders.clip_pixels import preprocessing_of
from embed.encoders.clip_texts import ClipTextEncoder, TextTower
from embed.encoders.contract import Encoder
from embed.encoders.loading import resolve_device
from embed.encoders.torch_encoder import TorchModel, default_precision, hash_module, refuse_int8
from embed.errors import EncoderError
from embed.machine import counted
from embed.store import EncoderIdentity, Precision

_UNUSED = ("classifier.", "predictor.", "vjepa2.predictor.", "audio_model.", "audio_video_encoder.")
"""Tensors that a checkpoint may lack: they are left out of the encoder."""


def load(
    model: str,
    *,
    pretrained: str | None = None,
    device: str = "auto",
    precision: Precision | None = None,
    window: int | None = None,
) -> Encoder:
    """Build an encoder of clips; it is a `TextEncoder` if the checkpoint has a text tower in the space of its vectors.

    Args:
        model: "videomae:NAME", "vjepa2:NAME", "videoprism:NAME" or "pe-av:NAME".
        pretrained: as for `build`.
        device: "auto" or a torch device.
        precision: None is bfloat16 on a GPU that computes in it, else float32.
        window: as for `build`.

    Raises:
        EncoderError: as for `build`; or `precision` is int8.
        WeightsUnavailable: as for `build`.
    """
    refuse_int8(model, precision)
    device = resolve_device(device)
    built = _built(model, pretrained, window)
    clips = built.model.on(device, precision or default_precision(device))
    return ClipTextEncoder(clips, built.texts, device) if built.texts else clips


def build(model: str, *, pretrained: str | None = None, window: int | None = None) -> TorchModel:
    """Build a model without its classifier, text tower and predictor.

    Args:
        model: as for `load`.
        pretrained: a folder with the checkpoint, wherever NAME is; or a revision of the hub name.
        window: W, the frames of a clip; None is the checkpoint's own.

    Raises:
        EncoderError: transformers is not installed; there is no such checkpoint; or it is of another family, does not
            take clips of W frames, or needs frames that cannot be prepared here.
        WeightsUnavailable: the weights cannot be downloaded, or some are missing.
    """
    return _built(model, pretrained, window).model


def outline(identity: EncoderIdentity, architecture: Mapping[str, Any]) -> TorchModel:
    """Build the network of `build` without a checkpoint. Its weights are not set: they must be replaced."""
    made = class_of(identity.model, architecture["class"])
    with quiet(), torch.random.fork_rng(devices=[]):
        network = made(made.config_class.from_dict(dict(architecture["config"]))).eval()
    parts = PARTS[architecture["class"]](network)
    return TorchModel(identity, parts.network, parts.forward, architecture)


@final
@dataclass(frozen=True)
class _Built:
    model: TorchModel
    texts: TextTower | None


def _built(model: str, pretrained: str | None, window: int | None) -> _Built:
    checkpoint = find_checkpoint(model, pretrained)
    window = _checked_window(checkpoint, window)
    preprocessing = preprocessing_of(checkpoint)
    name = _class_name(checkpoint)
    whole = load_model(checkpoint, name, _UNUSED)
    _check_side(checkpoint, whole.config, preprocessing.side_px)
    architecture = {"class": name, "config": json.loads(whole.config.to_json_string(use_diff=False))}
    parts: Parts = PARTS[name](whole)
    identity = EncoderIdentity(
        family="transformers_clips",
        model=model,
        pretrained=checkpoint.source,
        weights_sha256=hash_module(parts.network),
        dimension=parts.dimension,
        window=window,
        is_normalised=parts.is_normalised,
        preprocessing=preprocessing,
    )
    texts = None
    if parts.texts is not None and parts.encode_tokens is not None:
        texts = TextTower(model, checkpoint.folder, parts.texts, parts.encode_tokens)
    return _Built(TorchModel(identity, parts.network, parts.forward, architecture), texts)


_CLASSES = {
    "videomae": ("VideoMAEModel", "VideoMAEForVideoClassification"),
    "vjepa2": ("VJEPA2Model", "VJEPA2ForVideoClassification"),
    "videoprism_vision_model": ("VideoPrismVisionModel", "VideoPrismForVideoClassification", "VideoPrismVideoModel"),
    "videoprism": ("VideoPrismClipModel",),
    "pe_video": ("PeVideoModel",),
    "pe_audio_video": ("PeAudioVideoModel",),
}
"""`model_type` of a checkpoint -> the classes that encode it. The first is for those that others wrote, too."""


def _class_name(checkpoint: Checkpoint) -> str:
    names = _CLASSES[checkpoint.config["model_type"]]
    return checkpoint.architecture if checkpoint.architecture in names else names[0]


def _checked_window(checkpoint: Checkpoint, window: int | None) -> int:
    own = window_of(checkpoint.prefix, checkpoint.folder)
    default = own or CLIP_FAMILIES[checkpoint.prefix].window
    if window in (None, default):
        return default
    assert window is not None
    if checkpoint.prefix == "videomae" or (checkpoint.prefix == "pe-av" and own):
        why = "it has positions for no other length" if checkpoint.prefix == "videomae" else "it was trained on these"
        raise EncoderError(
            f"{checkpoint.model} takes clips of {counted(default, 'frame')}, not {window}: {why}. Use --clip-frames "
            f"{default}."
        )
    step = int(checkpoint.config.get("tubelet_size", 2)) if checkpoint.prefix == "vjepa2" else 1
    if window < step or window % step:
        raise EncoderError(
            f"{checkpoint.model} takes clips of {step} frames or a multiple of them, not {window}: it joins {step} to "
            f"a token. Use --clip-frames {default}."
        )
    return window


def _check_side(checkpoint: Checkpoint, config: Any, side_px: int) -> None:
    """Refuse a processor whose frames are not as large as the model's: V-JEPA 2 would place its tokens wrongly."""
    vision = getattr(config, "vision_config", None) or config
    side = getattr(vision, "image_size", None) or getattr(vision, "crop_size", None)
    sides = set(side) if isinstance(side, (list, tuple)) else {side}
    if side is not None and sides != {side_px}:
        raise EncoderError(
            f"The model in {checkpoint.folder} takes frames of {side} pixels, but its processor gives {side_px} x "
            f"{side_px}. Correct its config.json or its video_preprocessor_config.json (preprocessor_config.json)."
        )

"""timm's image models: `timm:NAME`, with the pooling and the preprocessing of their own weights.

A vector is what the model gives without its classifier. Transformers that were trained to speak through their class
token do so here: DINOv3 gives the class token, whereas timm's default averages the patches.

Source: https://github.com/huggingface/pytorch-image-models; DINOv3, Siméoni et al. 2025,
https://arxiv.org/abs/2508.10104.
"""

import math
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch

from embed.encoders.checkpoints import not_a_checkpoint, put_tensors, read_tensors
from embed.encoders.contract import Encoder
from embed.encoders.hub import cache_only, why_no_downloads
from embed.encoders.loading import resolve_device
from embed.encoders.torch_encoder import TorchModel, default_precision, hash_module, refuse_int8
from embed.encoders.torchvision_operators import declare_missing_operators
from embed.errors import EncoderError, WeightsUnavailable
from embed.store import EncoderIdentity, Precision
from embed.video import Preprocessing, ResizeMode

PREFIX = "timm:"
_POOLED_BY_CLASS_TOKEN = ("dinov3", "dinov2")
"""Parts of the names of transformers whose class token is their global vector. ConvNeXts of DINOv3 have no tokens."""
_MODES: dict[str, ResizeMode] = {"center": "shortest", "squash": "squash"}
_CROP_SHARE = 0.875  # timm's own default, where weights do not say it
_NEAR = 3


def load(
    model: str, *, pretrained: str | None = None, device: str = "auto", precision: Precision | None = None
) -> Encoder:
    """Build an encoder of single frames.

    Args:
        model: "timm:NAME" or "timm:NAME.TAG", as `timm.list_models(pretrained=True)` lists them.
        pretrained: as for `build`.
        device: "auto" or a torch device.
        precision: None is bfloat16 on a GPU that computes in it, else float32.

    Raises:
        EncoderError, WeightsUnavailable: as for `build`.
    """
    refuse_int8(model, precision)
    device = resolve_device(device)
    return build(model, pretrained=pretrained).on(device, precision or default_precision(device))


def build(model: str, *, pretrained: str | None = None) -> TorchModel:
    """Build a model without its classifier.

    Args:
        model: as for `load`.
        pretrained: a tag of timm's weights, or a checkpoint file, whose classifier may have any classes; None is the
            tag that `model` names, else timm's default.

    Raises:
        EncoderError: timm has no such model or tag, or its frames cannot be prepared here.
        WeightsUnavailable: the weights cannot be downloaded, or the file is not a checkpoint of this model.
    """
    declare_missing_operators()
    name, source = _names(model, pretrained)
    if Path(source).is_file():
        network = _create(name)
        _fill(network, Path(source), model)
    else:
        network = _download(name, source)
    with torch.inference_mode():
        dimension = int(network.eval()(torch.zeros(1, *_config_of(network)["input_size"])).shape[-1])
    identity = EncoderIdentity(
        family="timm_images",
        model=model,
        pretrained=source,
        weights_sha256=hash_module(network),
        dimension=dimension,
        preprocessing=preprocessing_of(model, _config_of(network)),
    )
    return TorchModel(identity, network, network.forward)


def outline(identity: EncoderIdentity, _: Mapping[str, Any]) -> TorchModel:
    """Build the network of `build` without a checkpoint. Its weights are not set: they must be replaced."""
    declare_missing_operators()
    network = _create(identity.model.removeprefix(PREFIX)).eval()
    return TorchModel(identity, network, network.forward)


def _names(model: str, pretrained: str | None) -> tuple[str, str]:
    """Return timm's name of a model, and what its weights come from: a file or a tag."""
    import timm

    name = model.removeprefix(PREFIX)
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), _NEAR, cutoff=0)
        raise EncoderError(
            f"timm has no model {name!r}. Perhaps you mean {' or '.join(f'{PREFIX}{one}' for one in near)}. "
            "timm.list_models(pretrained=True) lists all that have weights."
        )
    architecture, _, tag = name.partition(".")
    if pretrained is not None and Path(pretrained).is_file():
        return name, pretrained
    tags = timm.models.list_pretrained(f"{architecture}.*")
    tags = [one.partition(".")[2] for one in tags if one.startswith(f"{architecture}.")]
    wanted = pretrained or tag or _default_tag(architecture)
    if (tag and pretrained and tag != pretrained) or wanted not in tags:
        raise EncoderError(
            f"{pretrained or tag or architecture!r} is neither a checkpoint file nor a tag of {PREFIX}{architecture}. "
            f"Its tags: {', '.join(tags) or 'none'}."
        )
    return name, wanted


def _default_tag(architecture: str) -> str:
    import timm

    config = timm.get_pretrained_cfg(architecture)
    return str(config.tag) if config else ""


def _create(name: str, **options: Any) -> Any:
    """Return a model without its classifier, with fresh weights unless `options` say otherwise."""
    import timm

    if name.startswith("vit_") and any(part in name for part in _POOLED_BY_CLASS_TOKEN):
        options["global_pool"] = "token"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timm.create_model(name, num_classes=0, **options)


def _download(name: str, tag: str) -> Any:
    architecture = name.partition(".")[0]
    offline = why_no_downloads()
    try:
        with cache_only(offline):
            return _create(f"{architecture}.{tag}", pretrained=True)
    except Exception as error:  # every hub and network library raises its own errors
        said = str(error).strip()
        why = f"they are not in the cache of this machine, and {offline}" if offline else said.partition("\n")[0]
        raise WeightsUnavailable(
            f"The weights of {PREFIX}{architecture} ({tag}) are not available: {why}. Use --model efficientnet-lite0, "
            f"whose weights come with framehead; or --pretrained FILE with a checkpoint that you downloaded elsewhere."
        ) from error


def _fill(network: Any, path: Path, model: str) -> None:
    """Give a network the weights of a file, without those of a classifier."""
    classifier = network.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier))
    wanted = network.state_dict()
    try:
        tensors = read_tensors(path)
        put_tensors(network, {k: t for k, t in tensors.items() if k in wanted or not k.startswith(prefixes or "\0")})
    except WeightsUnavailable as error:
        raise WeightsUnavailable(not_a_checkpoint(path, model, error)) from error.__cause__


def _config_of(network: Any) -> dict[str, Any]:
    from timm.data.config import resolve_model_data_config

    found: dict[str, Any] = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    return found


def preprocessing_of(model: str, config: Mapping[str, Any]) -> Preprocessing:
    """Return what timm's `transforms_imagenet_eval` does with such a configuration.

    Raises:
        EncoderError: frames cannot be prepared in that way here.
    """
    channels, height_px, width_px = config["input_size"]
    mode, kernel = config.get("crop_mode") or "center", config["interpolation"]
    if channels != len("RGB") or height_px != width_px or mode not in _MODES or kernel not in ("bicubic", "bilinear"):
        raise EncoderError(
            f"{model} needs frames of {channels} x {height_px} x {width_px}, crop mode {mode}, resized {kernel}. Here "
            "frames are square, in three colours, cropped at the centre or squashed, and resized bicubic or bilinear. "
            "Choose another model."
        )
    resize_px = math.floor(height_px / (config.get("crop_pct") or _CROP_SHARE))
    return Preprocessing(
        side_px=height_px,
        resize_px=resize_px,
        resize_mode=_MODES[mode],
        kernel=kernel,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )

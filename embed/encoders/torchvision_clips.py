"""torchvision's models of clips, trained on Kinetics-400: MViT, Video Swin, R(2+1)D and S3D.

A vector stands for W frames, and is what the model's classifier gets, without dropout: `Linear(vector)` is the full
model's logits. Frames are resized as the weights' own transforms do it, without antialias; r2plus1d_18 and s3d squash
them.

Weights come from torchvision's server, or from a file: a state dict, also one with a classifier of other classes.

Source: https://docs.pytorch.org/vision/stable/models.html#video-classification; MViT, Fan et al. 2021,
https://arxiv.org/abs/2104.11227; Video Swin, Liu et al. 2021, https://arxiv.org/abs/2106.13230; R(2+1)D, Tran et al.
2017, https://arxiv.org/abs/1711.11248; S3D, Xie et al. 2017, https://arxiv.org/abs/1712.04851.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from embed.encoders.checkpoints import download, not_a_checkpoint, put_tensors, read_tensors
from embed.encoders.contract import Encoder
from embed.encoders.kinetics_models import DEFAULT_WINDOW, KINETICS_MODELS
from embed.encoders.loading import resolve_device
from embed.encoders.torch_encoder import TorchModel, default_precision, hash_module, refuse_int8
from embed.encoders.torchvision_operators import declare_missing_operators
from embed.errors import EncoderError, WeightsUnavailable
from embed.machine import counted
from embed.store import EncoderIdentity, Precision


def load(
    model: str,
    *,
    pretrained: str | None = None,
    device: str = "auto",
    precision: Precision | None = None,
    window: int | None = None,
) -> Encoder:
    """Build an encoder of clips.

    Args:
        model: a name of `KINETICS_MODELS`.
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
    return build(model, pretrained=pretrained, window=window).on(device, precision or default_precision(device))


def build(model: str, *, pretrained: str | None = None, window: int | None = None) -> TorchModel:
    """Build a model whose classifier is replaced by `nn.Identity`.

    Args:
        model: a name of `KINETICS_MODELS`.
        pretrained: a tag of torchvision's weights, or a checkpoint file, whose classifier may have any classes; None is
            KINETICS400_V1.
        window: W, the frames of a clip; None is 16.

    Raises:
        EncoderError: the model has no such weights, or does not take clips of W frames.
        WeightsUnavailable: the weights cannot be downloaded, or the file is not a checkpoint of this model.
    """
    window = _checked_window(model, DEFAULT_WINDOW if window is None else window)
    source = KINETICS_MODELS[model].tags[0] if pretrained is None else pretrained
    network = _network(model, source)
    known = KINETICS_MODELS[model]
    identity = EncoderIdentity(
        family="torchvision_clips",
        model=model,
        pretrained=source,
        weights_sha256=hash_module(network),
        dimension=known.dimension,
        window=window,
        preprocessing=known.preprocessing,
    )
    return TorchModel(identity, network, partial(_encoded, network))


def outline(identity: EncoderIdentity, _: Mapping[str, Any]) -> TorchModel:
    """Build the network of `build` without a checkpoint. Its weights are not set: they must be replaced."""
    network = _layers(identity.model).to_empty(device="cpu").eval()
    return TorchModel(identity, network, partial(_encoded, network))


def _encoded(network: nn.Module, pixels: Tensor) -> Tensor:
    """(B, 3, W, side_px, side_px), or (B, 3, side_px, side_px) where W is 1, -> (B, D)."""
    vectors: Tensor = network(pixels if pixels.ndim == 5 else pixels.unsqueeze(2))
    return vectors


def _checked_window(model: str, window: int) -> int:
    known = KINETICS_MODELS[model]
    if known.most_window == known.least_window != window:
        raise EncoderError(
            f"{model} takes clips of {counted(known.least_window, 'frame')}, not {window}: it has positions for no "
            f"other length. Use --clip-frames {known.least_window}; swin3d_t and r2plus1d_18 take clips of any length."
        )
    if window < known.least_window:
        raise EncoderError(
            f"{model} takes clips of at least {counted(known.least_window, 'frame')}, not {window}. "
            f"Use --clip-frames {max(known.least_window, DEFAULT_WINDOW)}."
        )
    return window


def _network(model: str, source: str) -> nn.Module:
    """Return the model in eval mode, with its weights but without its classifier."""
    path = _weights_file(model, source)
    network, classifier = _layers(model), KINETICS_MODELS[model].classifier
    try:
        tensors = read_tensors(path)
        put_tensors(network, {name: t for name, t in tensors.items() if not name.startswith(f"{classifier}.")})
    except WeightsUnavailable as error:
        raise WeightsUnavailable(_not_a_checkpoint(model, source, path, error)) from error.__cause__
    return network.eval()


def _layers(model: str) -> nn.Module:
    """Return the model without its classifier, on the device "meta"."""
    declare_missing_operators()
    from torchvision.models import get_model

    with torch.device("meta"):  # neither memory nor random numbers are used for weights that are replaced
        network: nn.Module = get_model(model)
    setattr(network, KINETICS_MODELS[model].classifier, nn.Identity())
    return network


def _weights_file(model: str, source: str) -> Path:
    declare_missing_operators()
    from torchvision.models import get_model_weights

    tags = KINETICS_MODELS[model].tags
    if source not in tags:
        if not Path(source).is_file():
            raise EncoderError(
                f"{source!r} is neither a checkpoint file nor a tag of {model}. Its tags: {', '.join(tags)}."
            )
        return Path(source)
    try:
        return download(get_model_weights(model)[source].url)
    except WeightsUnavailable as error:
        raise WeightsUnavailable(f"The weights of {model} ({source}) are not available: {error}") from error.__cause__


def _not_a_checkpoint(model: str, source: str, path: Path, error: WeightsUnavailable) -> str:
    if source in KINETICS_MODELS[model].tags:
        return f"{path} is not what torchvision offers as {source} of {model}: {error}. Delete it to download it again."
    return not_a_checkpoint(path, model, error)

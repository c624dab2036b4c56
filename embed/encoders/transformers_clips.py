"""Clip encoders of transformers: `videomae:NAME`, `vjepa2:NAME`, `videoprism:NAME` and `pe-av:NAME`.

NAME is a name of the hub, or a folder with config.json and model.safetensors. A vector is what these models are probed
by:

- VideoMAE: the mean of all tokens; of a checkpoint with a classifier, what that classifier gets.
- V-JEPA 2: the mean of the encoder's tokens, without the predictor.
- VideoPrism: the mean of all tokens; of a checkpoint with a text tower, its video embedding.
- PE-AV: its video embedding, of the pictures alone.

Frames are prepared as the checkpoint's own processor says.

Source: VideoMAE, Tong et al. 2022, https://arxiv.org/abs/2203.12602; V-JEPA 2, Assran et al. 2025,
https://arxiv.org/abs/2506.09985; VideoPrism, Zhao et al. 2024, https://arxiv.org/abs/2402.13217; PE-AV, Meta 2025.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from embed.encoders.contract import Encoder
from embed.encoders.hub import cache_only, why_no_downloads
from embed.encoders.loading import resolve_device
from embed.encoders.torch_encoder import TorchModel, default_precision, hash_module
from embed.encoders.torchvision_operators import declare_missing_operators
from embed.encoders.video_processors import preprocessing_of
from embed.errors import EncoderError, WeightsUnavailable
from embed.machine import counted
from embed.store import EncoderIdentity, Precision


@final
@dataclass(frozen=True)
class Family:
    """What is known of a family of models.

    Args:
        kinds: model_type in config.json -> the class that loads it, and its way from (B, W, 3, H, W_px) to (B, D).
        own_window: W of a configuration.
        step: W may be any multiple of this; 0: only its own.
        licence: of the published weights.
    """

    kinds: Mapping[str, tuple[str, Callable[[Any, Tensor], Tensor]]]
    own_window: Callable[[Any], int]
    step: int
    licence: str


def _videomae(network: Any, clips: Tensor) -> Tensor:
    if hasattr(network, "classifier"):  # replaced by nn.Identity
        logits: Tensor = network(pixel_values=clips).logits
        return logits
    tokens: Tensor = network(pixel_values=clips).last_hidden_state
    return tokens.mean(dim=1)


def _vjepa2(network: Any, clips: Tensor) -> Tensor:
    tokens: Tensor = network(pixel_values_videos=clips, skip_predictor=True).last_hidden_state
    return tokens.mean(dim=1)


def _videoprism_tokens(network: Any, clips: Tensor) -> Tensor:
    tokens: Tensor = network(pixel_values_videos=clips).last_hidden_state
    return tokens.mean(dim=1)


def _videoprism_embedding(network: Any, clips: Tensor) -> Tensor:
    embedding: Tensor = network.video_model(pixel_values_videos=clips).pooler_output
    return embedding.flatten(start_dim=1)  # (B, 1, D)


def _pe_video(network: Any, clips: Tensor) -> Tensor:
    embedding: Tensor = network.video_head(network.video_encoder(pixel_values_videos=clips).pooler_output)
    return embedding


def _pe_audio_video(network: Any, clips: Tensor) -> Tensor:
    return _pe_video(network.video_model, clips)


FAMILIES: dict[str, Family] = {
    "videomae": Family(
        {"videomae": ("VideoMAEModel", _videomae)}, lambda config: int(config.num_frames), 0, "CC-BY-NC-4.0"
    ),
    "vjepa2": Family(
        {"vjepa2": ("VJEPA2Model", _vjepa2)}, lambda config: int(config.frames_per_clip), 2, "see the model's card"
    ),
    "videoprism": Family(
        {
            "videoprism_vision_model": ("VideoPrismVisionModel", _videoprism_tokens),
            "videoprism": ("VideoPrismClipModel", _videoprism_embedding),
        },
        lambda config: int(getattr(config, "vision_config", config).num_frames),
        0,
        "Apache-2.0",
    ),
    "pe-av": Family(
        {"pe_video": ("PeVideoModel", _pe_video), "pe_audio_video": ("PeAudioVideoModel", _pe_audio_video)},
        lambda _: 16,
        1,
        "Apache-2.0",
    ),
}
"""What stands before the colon of a model's name -> its family."""
_WITH_CLASSIFIER = "VideoMAEForVideoClassification"


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
        model: "FAMILY:NAME", with a family of `FAMILIES`.
        pretrained: as for `build`.
        device: "auto" or a torch device.
        precision: None is bfloat16 on a GPU that computes in it, else float32.
        window: as for `build`.

    Raises:
        EncoderError: as for `build`; or `precision` is int8.
        WeightsUnavailable: as for `build`.
    """
    if precision == "int8":
        raise EncoderError(
            f"{model} has no int8 form: only the vision transformers of open_clip (ViT-...) have one. "
            "Use --precision float32 or bfloat16."
        )
    device = resolve_device(device)
    return build(model, pretrained=pretrained, window=window).on(device, precision or default_precision(device))


def build(model: str, *, pretrained: str | None = None, window: int | None = None) -> TorchModel:
    """Build a model without a classifier.

    Args:
        model: as for `load`.
        pretrained: a folder, if the weights have moved there or are of the same architecture; None is the NAME.
        window: W, the frames of a clip; None is the checkpoint's own.

    Raises:
        EncoderError: transformers is not installed, the checkpoint is of another family, its frames cannot be prepared
            here, or it does not take clips of W frames.
        WeightsUnavailable: the weights cannot be downloaded, or are incomplete.
    """
    prefix, _, name = model.partition(":")
    family, source = FAMILIES[prefix], pretrained or name
    transformers = _import_transformers(model)
    with _loading(model, source):
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    if config.model_type not in family.kinds:
        raise EncoderError(
            f"{source} holds a model of the kind {config.model_type!r}, not one of {prefix} "
            f"({', '.join(family.kinds)}). Name a checkpoint of {prefix}, or another --model."
        )
    kind, forward = family.kinds[config.model_type]
    window = _checked_window(model, family, config, window)
    if _WITH_CLASSIFIER in (config.architectures or ()):
        kind = _WITH_CLASSIFIER
    with _loading(model, source):
        network, found = getattr(transformers, kind).from_pretrained(
            source, trust_remote_code=False, output_loading_info=True, dtype=torch.float32
        )
        processor = transformers.AutoVideoProcessor.from_pretrained(source, trust_remote_code=False)
    _refuse_incomplete(model, source, found)
    network = _without_classifier(network)
    preprocessing, forward = preprocessing_of(model, processor), partial(_encoded, network, forward)
    with torch.inference_mode():
        dimension = forward(torch.zeros(1, 3, window, preprocessing.side_px, preprocessing.side_px)).shape[-1]
    identity = EncoderIdentity(
        family="transformers_clips",
        model=model,
        pretrained=source,
        weights_sha256=hash_module(network),
        dimension=int(dimension),
        window=window,
        preprocessing=preprocessing,
    )
    return TorchModel(identity, network, forward, {"kind": kind, "config": config.to_dict()})


def outline(identity: EncoderIdentity, architecture: Mapping[str, Any]) -> TorchModel:
    """Build the network of `build` without a checkpoint. Its weights are not set: they must be replaced."""
    transformers = _import_transformers(identity.model)
    config = transformers.AutoConfig.for_model(**architecture["config"])
    network = _without_classifier(getattr(transformers, architecture["kind"])(config))
    _, forward = FAMILIES[identity.model.partition(":")[0]].kinds[config.model_type]
    return TorchModel(identity, network, partial(_encoded, network, forward), architecture)


def _without_classifier(network: Any) -> Any:
    if hasattr(network, "classifier"):
        network.classifier = nn.Identity()
    return network.eval()


def _encoded(network: Any, forward: Callable[[Any, Tensor], Tensor], pixels: Tensor) -> Tensor:
    """(B, 3, W, side_px, side_px), or (B, 3, side_px, side_px) where W is 1, -> (B, D)."""
    clips = pixels.unsqueeze(1) if pixels.ndim == 4 else pixels.transpose(1, 2)
    return forward(network, clips.contiguous())


def _import_transformers(model: str) -> Any:
    declare_missing_operators()
    try:
        import transformers
    except ImportError as error:
        raise EncoderError(
            f"{model} needs the package transformers. Install it: pip install '.[transformers]' in framehead's folder."
        ) from error
    return transformers


def _checked_window(model: str, family: Family, config: Any, window: int | None) -> int:
    own = family.own_window(config)
    if window is None or window == own:
        return own
    if not family.step:
        raise EncoderError(
            f"{model} takes clips of {counted(own, 'frame')}, not {window}: it has positions for no other length. "
            f"Use --clip-frames {own}."
        )
    if window % family.step:
        raise EncoderError(
            f"{model} takes clips of a multiple of {family.step} frames, not {window}. Use --clip-frames {own}."
        )
    return window


def _refuse_incomplete(model: str, source: str, found: Mapping[str, Any]) -> None:
    """Raise WeightsUnavailable if a part of a network has no weights in the checkpoint and was made up."""
    lacking = sorted(str(name) for name in (*found["missing_keys"], *found["mismatched_keys"]))
    lacking = [name for name in lacking if not name.startswith("classifier.")]
    if lacking:
        raise WeightsUnavailable(
            f"{source} is no complete checkpoint of {model}: {counted(len(lacking), 'tensor')} missing or of another "
            f"shape, such as {lacking[0]}. Download it again, or name the checkpoint that has them."
        )


@contextmanager
def _loading(model: str, source: str) -> Iterator[None]:
    """Load from a folder or the hub, quietly, and tell in one sentence what is not to be had."""
    offline = None if Path(source).is_dir() else why_no_downloads()
    from transformers.utils import logging as said

    level, is_barred = said.get_verbosity(), said.is_progress_bar_enabled()
    try:
        with warnings.catch_warnings(), cache_only(offline):
            warnings.simplefilter("ignore")
            said.set_verbosity(logging.CRITICAL)
            said.disable_progress_bar()  # type: ignore[no-untyped-call]
            yield
    except (EncoderError, WeightsUnavailable):
        raise
    except Exception as error:  # every hub, network and file format raises its own errors
        why = f"they are not in the cache of this machine, and {offline}" if offline else _first_line(error)
        raise WeightsUnavailable(
            f"The weights of {model} ({source}) are not available: {why}. Name a folder that holds config.json, "
            "model.safetensors and the processor's file, as huggingface_hub downloads it: "
            f"--model {model.partition(':')[0]}:FOLDER."
        ) from error
    finally:
        said.set_verbosity(level)
        if is_barred:
            said.enable_progress_bar()  # type: ignore[no-untyped-call]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"

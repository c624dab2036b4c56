"""CLIP and related models: the image and text towers of any model that open_clip can build.

Vectors of frames are those of `encode_image`. They are not normalised, so that a head may use their length. The
preprocessing is open_clip's own. Vectors of texts are normalised.

Source: https://github.com/mlfoundations/open_clip; CLIP, Radford et al. 2021, https://arxiv.org/abs/2103.00020.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from embed.encoders.catalogue import default_tag
from embed.encoders.checkpoints import first_line, not_a_checkpoint
from embed.encoders.contract import PendingVectors, TextEncoder
from embed.encoders.hub import cache_only, why_no_downloads
from embed.encoders.loading import find_near, resolve_device
from embed.encoders.torch_encoder import TorchEncoder, TorchModel, apply_precision, default_precision, hash_module
from embed.encoders.torchvision_operators import declare_missing_operators
from embed.errors import EncoderError, WeightsUnavailable
from embed.store import EncoderIdentity, Precision
from embed.video import Preprocessing

DEFAULT_PRETRAINED = "openai"
_HUB_PREFIXES = ("hf-hub:", "local-dir:")
_TEXTS_AT_ONCE = 256


@final
class ClipEncoder:
    """A CLIP model: one tower encodes frames, the other encodes texts.

    Args:
        images: the image tower. It has moved all of `network` to its device.
        network: open_clip's model.
        device: a torch device.
    """

    def __init__(self, images: TorchEncoder, network: Any, device: str) -> None:
        self.identity = images.identity
        self._images, self._network, self._device = images, network, device

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, 1, side_px, side_px, 3) uint8 frames to (B, D) float32 vectors."""
        return self._images.encode(rgb)

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to `encode`, in the background where the device can; elsewhere encode the whole batch."""
        return self._images.begin(rgb)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode N texts to (N, D) vectors of length 1, in float32 for any precision of the frames.

        Raises:
            WeightsUnavailable: the tokenizer of the model cannot be loaded.
        """
        tokens = load_tokenizer(self.identity.model)(list(texts)).to(self._device)
        with torch.inference_mode():
            blocks = [self._network.encode_text(block, normalize=True) for block in torch.split(tokens, _TEXTS_AT_ONCE)]
            found: NDArray[np.float32] = torch.cat(blocks).float().cpu().numpy()
        return found


def load(
    model: str, *, pretrained: str | None = None, device: str = "auto", precision: Precision | None = None
) -> TextEncoder:
    """Build a CLIP model.

    Args:
        model: a name from `open_clip.list_models()`, or "hf-hub:..." or "local-dir:...".
        pretrained: a tag that open_clip has for the model, or a checkpoint file; None is "openai", or the first of
            `embed.encoders.catalogue` for models without such weights.
        device: "auto" or a torch device.
        precision: None is bfloat16 on a GPU that computes in it, else float32.

    Raises:
        EncoderError: open_clip has no such model or tag.
        WeightsUnavailable: the weights cannot be downloaded, or the file is not a checkpoint of this model.
    """
    _check_names(model, pretrained)
    device = resolve_device(device)
    network, tag = _build(model, pretrained)
    identity = replace(_identity(model, tag, network), precision=precision or default_precision(device))
    apply_precision(identity, network.visual)
    return ClipEncoder(TorchEncoder(identity, network, network.encode_image, device=device), network, device)


def build(model: str, *, pretrained: str | None = None) -> TorchModel:
    """Build the image tower of a model.

    Args:
        model: as for `load`.
        pretrained: as for `load`.

    Raises:
        EncoderError: as for `load`.
        WeightsUnavailable: as for `load`.
    """
    _check_names(model, pretrained)
    network, tag = _build(model, pretrained)
    tower = network.visual.eval()
    return TorchModel(_identity(model, tag, network), tower, tower.forward)


def outline(identity: EncoderIdentity, _: Mapping[str, Any]) -> TorchModel:
    """Build the network of `build` without a checkpoint. Its weights are not set: they must be replaced."""
    declare_missing_operators()
    import open_clip

    with _quiet():
        network = open_clip.create_model(identity.model, force_quick_gelu=identity.activation == "quick_gelu")
    tower = network.visual.eval()
    return TorchModel(identity, tower, tower.forward)


def _identity(model: str, tag: str, network: Any) -> EncoderIdentity:
    """Return the identity of an image tower in float32."""
    import open_clip

    return EncoderIdentity(
        family="open_clip",
        model=model,
        pretrained=tag,
        weights_sha256=hash_module(network.visual),
        dimension=_dimension(network),
        activation=_activation(network),
        preprocessing=preprocessing_of(open_clip.get_model_preprocess_cfg(network)),
    )


def load_tokenizer(model: str) -> Callable[[list[str]], torch.Tensor]:
    """Return a function that turns N texts into (N, length) tokens of a model. It cuts longer texts.

    Raises:
        WeightsUnavailable: it needs a library or a download that is not available.
    """
    import open_clip

    offline = why_no_downloads() if model.startswith(_HUB_PREFIXES) else None
    try:
        with _quiet(), cache_only(offline):
            tokenizer: Callable[[list[str]], torch.Tensor] = open_clip.get_tokenizer(model)
    except Exception as error:  # as in _build
        is_lacking = offline and not isinstance(error, ImportError)  # transformers may not be installed
        why = f"it is not in the cache of this machine, and {offline}" if is_lacking else first_line(error)
        raise WeightsUnavailable(
            f"The tokenizer of {model} cannot be loaded: {why}. It is not part of open_clip: it needs a "
            "download, and perhaps pip install transformers. Models such as ViT-B-32 have their tokenizer in open_clip."
        ) from error
    return tokenizer


def _check_names(model: str, pretrained: str | None) -> None:
    declare_missing_operators()
    import open_clip

    if model.startswith(_HUB_PREFIXES):
        return
    if model not in open_clip.list_models():
        near = " or ".join(find_near(model, open_clip.list_models()))
        raise EncoderError(
            f"There is no encoder {model!r}. Perhaps you mean {near}. Bundled is efficientnet-lite0; hf-hub:NAME is a "
            "model of the hub; open_clip.list_models() lists all others."
        )
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained is not None and pretrained not in tags and not Path(pretrained).is_file():
        raise EncoderError(
            f"{pretrained!r} is neither a checkpoint file nor a tag of {model}. Its tags: {', '.join(tags) or 'none'}."
        )


def _build(model: str, pretrained: str | None) -> tuple[Any, str]:
    """Return open_clip's model with its weights, and what to call them."""
    import open_clip

    if model.startswith(_HUB_PREFIXES):
        tag, options = model, {}
    else:
        tag = pretrained or _default_tag(model)
        # open_clip builds "ViT-B-32" with GELU even for the weights that OpenAI trained with QuickGELU, and only
        # warns; the vectors are then worse (open_clip issue 771). The tag's config has the right activation.
        config = open_clip.get_pretrained_cfg(model, tag) if not Path(tag).is_file() else {}
        options = {"pretrained": tag, "force_quick_gelu": bool(config.get("quick_gelu"))}
        options |= _preprocessing_of_file(model) if Path(tag).is_file() else {}
    is_local = Path(tag).is_file() or model.startswith("local-dir:")
    offline = None if is_local else why_no_downloads()
    try:
        with _quiet(), cache_only(offline):
            return open_clip.create_model(model, require_pretrained=True, **options), tag
    except Exception as error:  # every hub, network and unpickling library raises its own errors
        if Path(tag).is_file():
            # `from None`: torch's text advises to load the file in a way that runs any code in it.
            raise WeightsUnavailable(_not_a_checkpoint(tag, model, error)) from None
        why = f"they are not in the cache of this machine, and {offline}" if offline else first_line(error)
        raise WeightsUnavailable(
            f"The weights of {model} ({tag}) are not available: {why}. "
            f"Use --model efficientnet-lite0, whose weights come with framehead; or --pretrained FILE with a "
            f"checkpoint of {model} that you downloaded elsewhere."
        ) from error


def _default_tag(model: str) -> str:
    """Return the tag of a model's weights where none is given.

    Raises:
        EncoderError: nobody knows which to take.
    """
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    found = DEFAULT_PRETRAINED if DEFAULT_PRETRAINED in tags else default_tag(model)
    if found is None and len(tags) > 1:
        raise EncoderError(f"{model} has no weights by OpenAI. Choose others with --pretrained: {', '.join(tags)}.")
    return found or (tags[0] if tags else DEFAULT_PRETRAINED)


def _preprocessing_of_file(model: str) -> dict[str, Any]:
    """Return how a checkpoint file is prepared for, where all published weights of its model agree.

    open_clip prepares frames for a file as for CLIP's own weights; PE-Core, SigLIP2 and MobileCLIP2 are not like that.
    """
    import open_clip

    configs = [open_clip.get_pretrained_cfg(model, tag) for tag in open_clip.list_pretrained_tags_by_model(model)]
    names = ("mean", "std", "interpolation", "resize_mode")
    found = {name: {config.get(name) for config in configs} for name in names}
    is_one = all(len(values) == 1 and None not in values for values in found.values())
    return {"force_preprocess_cfg": {name: values.pop() for name, values in found.items()}} if is_one else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the dozens of lines that open_clip and the hub log about retries: the error says it once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)


def _not_a_checkpoint(path: str, model: str, error: Exception) -> str:
    if isinstance(error, UnpicklingError):
        what = "it contains something other than weights, which is not loaded because it could run code"
    elif isinstance(error, RuntimeError):
        what = "its weights have other names or shapes"
    else:
        what = first_line(error)
    return not_a_checkpoint(path, model, what)


def _dimension(network: Any) -> int:
    """Return D by running the image tower, because each family of models stores it under another name."""
    side = network.visual.image_size
    height_px, width_px = side if isinstance(side, tuple) else (side, side)
    with torch.inference_mode():
        return int(network.eval().encode_image(torch.zeros(1, 3, height_px, width_px)).shape[-1])


def _activation(network: Any) -> str:
    names = {type(module).__name__ for module in network.visual.modules()}
    return "quick_gelu" if "QuickGELU" in names else "gelu"


def preprocessing_of(config: Mapping[str, Any]) -> Preprocessing:
    """Return what open_clip's `image_transform` does with such a configuration.

    Raises:
        EncoderError: frames cannot be prepared in that way here.
    """
    size = config["size"]
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) > 1:
        raise EncoderError(f"This model needs frames of {size} pixels, but only square frames are supported.")
    side_px = sides.pop()
    return Preprocessing(
        side_px=side_px,
        resize_px=side_px,
        resize_mode=config["resize_mode"],
        kernel="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )

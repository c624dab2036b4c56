"""The name of a model -> its encoder, of any family."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

from embed.encoders.clip_families import CLIP_FAMILIES
from embed.encoders.contract import Encoder, TextEncoder, is_callable_with, missing_parts
from embed.encoders.kinetics_models import KINETICS_MODELS
from embed.encoders.reduced import ReducedEncoder
from embed.errors import EncoderError, StoreMismatch
from embed.machine import keep_freed_memory
from embed.reduction import read_pca
from embed.store import EncoderIdentity, Precision, Provenance

EncoderFactory = Callable[..., Encoder]
"""factory(model, *, pretrained=None, device="auto", precision=None) -> Encoder; raises EncoderError. Those of our own
families of clip models also take `window`, W."""

_FAMILIES = {
    "efficientnet-lite0": "efficientnet_lite",
    "efficientnet-lite1": "efficientnet_lite",
    "efficientnet-lite2": "efficientnet_lite",
    **dict.fromkeys(KINETICS_MODELS, "torchvision_clips"),
}
"""Model -> the module of its family. open_clip is asked for every other name without a prefix."""

_PREFIXES = {
    "timm": "timm_images",
    **dict.fromkeys(CLIP_FAMILIES, "transformers_clips"),
    "youtube8m": "youtube8m",
}
"""What stands before a colon in the name of a model -> the module of its family."""

_OF_CLIPS = ("torchvision_clips", "transformers_clips")

_ADVICE = "Correct that package: resources/docs/write-an-encoder.md and embed.encoders.testing say what an encoder has."


def load_encoder(
    model: str,
    *,
    pretrained: str | None = None,
    device: str = "auto",
    precision: Precision | None = None,
    pca: str | None = None,
    window: int | None = None,
    stop_before: str = "",
) -> Encoder:
    """Build an encoder and load its weights.

    Args:
        model: "efficientnet-lite0" (bundled), "-lite1", "-lite2"; any model that open_clip lists ("ViT-B-32"); a
            hub name ("hf-hub:..."); "timm:NAME"; a model of clips ("mvit_v2_s", "videomae:NAME"); or a name that
            another package registers under the entry point group `embed.encoders`.
        pretrained: for open_clip a tag ("openai") or a checkpoint file; None uses the family's default.
        device: "auto" uses CUDA, else Apple's GPU, else the CPU; or a torch device. With int8, "auto" is the CPU.
        precision: its arithmetic; None is bfloat16 for open_clip's models on CUDA, and float32 elsewhere.
        pca: file of a PCA that reduces its vectors (`embed.reduction`); None keeps them.
        window: W, the frames behind one vector, for models that take clips of several lengths; None is the model's own.
        stop_before: path of a submodule of a torch model. The vectors are what enters it (`embed.encoders.cutting`).

    Raises:
        EncoderError: the model or device is unknown, or cannot be used with the precision or the window; the PCA is of
            another encoder; the model cannot be stopped there; or another package's encoder lacks a part of the
            contract.
        ReductionError: the PCA cannot be read.
        WeightsUnavailable: the weights are available neither from a hub nor from a file.
    """
    keep_freed_memory()  # before torch computes anything, or else its threads use their own arenas
    if precision is not None and precision not in get_args(Precision):
        raise EncoderError(f"There is no precision {precision!r}. Use one of {', '.join(get_args(Precision))}.")
    if precision == "int8":
        device = "cpu" if device == "auto" else device
        if device != "cpu":
            raise EncoderError(
                f"int8 is for CPUs, but the device is {device}. Use --precision bfloat16 or --device cpu."
            )
    reducing = None if pca is None else read_pca(pca)  # before the weights, which take seconds
    options = window_option(model, window)
    factory = partial(_load_stopped, path=stop_before) if stop_before else _factory(model)
    encoder = factory(model, pretrained=pretrained, device=device, precision=precision, **options)
    if window not in (None, encoder.identity.window):
        raise other_window(encoder.identity, window)
    return encoder if reducing is None else ReducedEncoder(encoder, reducing, str(pca))


def window_option(model: str, window: int | None) -> dict[str, int]:
    """Return W as the option of a family of clips, which takes it; {} for all others."""
    takes_it = _family_of(model) in _OF_CLIPS and not _is_registered(model)
    return {"window": window} if takes_it and window is not None else {}


def other_window(identity: EncoderIdentity, window: int) -> EncoderError:
    """Return the error about clips of W frames where an encoder takes others."""
    if identity.window == 1:
        return EncoderError(
            f"{identity.model} encodes single frames, not clips of {window}. Leave out --clip-frames, --clips-count "
            "and --window, or choose a model of clips, such as --model mvit_v2_s."
        )
    if window == 1:
        return EncoderError(
            f"{identity.model} encodes clips of {identity.window} frames, not single frames. Choose clips with "
            f"--clip-frames {identity.window} --clips-count 8, or leave the options for frames out."
        )
    return EncoderError(
        f"{identity.model} encodes clips of {identity.window} frames, not of {window}. Use --clip-frames "
        f"{identity.window}."
    )


def has_encoder(identity: EncoderIdentity) -> bool:
    """Return False if vectors came from another program, and no package here makes them."""
    return _family_of(identity.model) != "youtube8m" or _is_registered(identity.model)


def _is_registered(model: str) -> bool:
    return bool(entry_points(group="embed.encoders", name=model))


def _load_stopped(
    model: str, *, path: str, pretrained: str | None, device: str, precision: Precision | None, **options: int
) -> Encoder:
    """Build an encoder whose vectors are what enters a submodule."""
    if precision == "int8":
        raise EncoderError(
            "int8 changes the layers of a model, so --stop-before needs --precision float32 or bfloat16."
        )
    from embed.encoders.cutting import stop_before
    from embed.encoders.torch_encoder import default_precision

    device = resolve_device(device)
    built = torch_family(model).build(model, pretrained=pretrained, **options)
    return stop_before(built, path).on(device, precision or default_precision(device))


def torch_family(model: str) -> Any:
    """Return the module of a model's family, which has `build`.

    Raises:
        EncoderError: it is not a torch model of this package.
    """
    family = None if _is_registered(model) else import_module(f"embed.encoders.{_family_of(model)}")
    if not hasattr(family, "build"):
        raise EncoderError(
            f"{model} cannot be stopped before one of its layers: only torch models of this package can, such as "
            "mvit_v2_s or r2plus1d_18. Leave out --stop-before, or choose another --model."
        )
    return family


def load_text_encoder(identity: EncoderIdentity, *, pretrained: str | None = None, device: str = "auto") -> TextEncoder:
    """Load the encoder that made some vectors, to encode texts into the same space.

    Args:
        identity: its identity, as a store has it. It covers only the weights of the image tower: whether a checkpoint's
            text tower was trained with it cannot be checked.
        pretrained: path of its weights on this machine, if they are a file that has moved.
        device: as for `load_encoder`.

    Raises:
        EncoderError: it does not encode texts, cannot be built, or its vectors were reduced.
        WeightsUnavailable: its weights are available neither from a hub nor from a file.
        StoreMismatch: the weights here are others.
    """
    if identity.reduction is not None:
        raise EncoderError(
            f"These vectors were reduced ({identity.reduction}), and no text is in their space. Use a store that was "
            "made without --pca."
        )
    source = pretrained or identity.weights_source
    encoder = load_encoder(
        identity.model, pretrained=source, device=device, precision=identity.precision, window=identity.window
    )
    if not isinstance(encoder, TextEncoder):
        raise EncoderError(
            f"{identity.model} does not encode texts. All models of open_clip do: embed the videos with "
            "--model ViT-B-32, or another of them."
        )
    difference = Provenance(encoder.identity, {}).difference(Provenance(identity, {}))
    if difference is not None:
        raise StoreMismatch(
            f"The {identity.model} of {source or 'its package'} did not make these vectors: its {difference}. Use "
            "--pretrained to name the checkpoint that did."
        )
    return encoder


def find_near(model: str, names: Sequence[str]) -> list[str]:
    """Return the three names of encoders, ours among them, that are most like a name that is none.

    >>> find_near("vit-b32", ["ViT-L-14", "ViT-B-32", "ViT-B-16", "RN50", "ViT-H-14"])
    ['ViT-B-32', 'ViT-B-16', 'ViT-L-14']
    """
    written = {name.lower(): name for name in (*names, *_FAMILIES)}
    return [written[near] for near in get_close_matches(model.lower(), written, 3, cutoff=0)]


def _factory(model: str) -> EncoderFactory:
    for point in entry_points(group="embed.encoders", name=model):
        return partial(_build_registered, point)
    factory: EncoderFactory = import_module(f"embed.encoders.{_family_of(model)}").load
    return factory


def _family_of(model: str) -> str:
    prefix, colon, _ = model.partition(":")
    return _FAMILIES.get(model) or (colon and _PREFIXES.get(prefix)) or "open_clip"


def _build_registered(point: EntryPoint, model: str, **options: str | None) -> Encoder:
    """Build the encoder of another package, and check that it has all parts of one."""
    factory = _registered_factory(point, model, **options)
    encoder = factory(model, **options)
    missing = missing_parts(encoder)
    if missing:
        raise EncoderError(f"The encoder {model!r} that {_origin(point)} builds lacks {'; '.join(missing)}. {_ADVICE}")
    if encoder.identity.model != model:
        raise EncoderError(
            f"The encoder {model!r} that {_origin(point)} builds calls itself {encoder.identity.model!r} in "
            f"identity.model, so a store could not find it again. {_ADVICE}"
        )
    return encoder


def _registered_factory(point: EntryPoint, model: str, **options: str | None) -> EncoderFactory:
    try:
        factory: EncoderFactory = point.load()
    except (ImportError, AttributeError) as error:
        raise EncoderError(
            f"The encoder {model!r} cannot be imported from {_origin(point)}: {error}. Install what that package "
            "needs, or uninstall it."
        ) from error
    if not is_callable_with(factory, model, **options):
        raise EncoderError(
            f"The encoder {model!r} cannot be built: {_origin(point)} is not a function of "
            f'(model, *, pretrained=None, device="auto", precision=None). {_ADVICE}'
        )
    return factory


def _origin(point: EntryPoint) -> str:
    return f"{point.value} of the package {point.dist.name}" if point.dist else point.value


def resolve_device(device: str) -> str:
    """Return the torch device that "auto" stands for here, or the device asked for.

    Raises:
        EncoderError: this machine has no such device.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise EncoderError(
            f"torch {torch.__version__} on this machine has no device {device!r}. Use --device auto or cpu, "
            "or install a torch built for your GPU."
        ) from error
    return device

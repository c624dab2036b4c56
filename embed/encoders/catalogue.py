"""The encoders that are known by name: size, preprocessing, text tower and the licence of their weights.

Nothing heavy is imported. Tests hold the table against the libraries that build the models. Any other model of
open_clip and timm works too; of those, nothing is known here.
"""

from dataclasses import dataclass
from typing import Any, final

from embed.encoders.kinetics_models import DEFAULT_WINDOW, KINETICS_MODELS

_LITE = "Apache-2.0"
_APPLE = "Apple's: see the card"
_RESEARCH = "Apple's, research only"
_KINETICS = "BSD-3-Clause, Kinetics"
_DINO = "Meta's DINOv3 licence"
UNKNOWN = "unknown: see the card"


@final
@dataclass(frozen=True)
class KnownEncoder:
    """An encoder that is known by name.

    Args:
        model: what `--model` takes.
        tag: of its default weights; "bundled" if they come with a package.
        licence: of these weights.
        dimension: D.
        side_px: height and width of what it sees.
        window: W, the frames behind one vector; 1 for images.
        resize: "crop" keeps the centre of a frame; "squash" the whole, whatever its shape.
        has_texts: True if it also encodes texts, for zero-shot labels and search.
        per_second: vectors a second in float32 on two cores of AMD EPYC; None where it was not measured.
    """

    model: str
    tag: str
    licence: str
    dimension: int
    side_px: int
    window: int = 1
    resize: str = "crop"
    has_texts: bool = False
    per_second: float | None = None


def _clip(model: str, tag: str, licence: str, dimension: int, side_px: int, **more: Any) -> KnownEncoder:
    return KnownEncoder(model, tag, licence, dimension, side_px, has_texts=True, **more)


def _dino(size: str, dimension: int) -> KnownEncoder:
    model = f"timm:vit_{size}_patch16_dinov3"
    return KnownEncoder(model, "lvd1689m", _DINO, dimension, 256)


def _clips_of(model: str) -> KnownEncoder:
    known = KINETICS_MODELS[model]
    resize = "crop" if known.preprocessing.resize_mode == "shortest" else "squash"
    side_px = known.preprocessing.side_px
    return KnownEncoder(model, known.tags[0], _KINETICS, known.dimension, side_px, DEFAULT_WINDOW, resize)


ENCODERS: tuple[KnownEncoder, ...] = (
    KnownEncoder("efficientnet-lite0", "bundled", _LITE, 1280, 224, per_second=31),
    KnownEncoder("efficientnet-lite1", "bundled", _LITE, 1280, 240),
    KnownEncoder("efficientnet-lite2", "bundled", _LITE, 1280, 260, per_second=13),
    _clip("ViT-B-32", "openai", "MIT", 512, 224, per_second=18),
    _clip("ViT-B-16", "openai", "MIT", 512, 224, per_second=5),
    _clip("ViT-L-14", "openai", "MIT", 768, 224),
    _clip("ViT-B-16", "dfn2b", _APPLE, 512, 224),
    _clip("ViT-L-14", "dfn2b", _APPLE, 768, 224),
    _clip("ViT-H-14", "dfn5b", _APPLE, 1024, 224, resize="squash"),
    _clip("PE-Core-T-16-384", "meta", "Apache-2.0", 512, 384, resize="squash"),
    _clip("PE-Core-S-16-384", "meta", "Apache-2.0", 512, 384, resize="squash"),
    _clip("PE-Core-B-16", "meta", "Apache-2.0", 1024, 224, resize="squash"),
    _clip("PE-Core-L-14-336", "meta", "Apache-2.0", 1024, 336, resize="squash"),
    _clip("PE-Core-bigG-14-448", "meta", "Apache-2.0", 1280, 448, resize="squash"),
    _clip("ViT-B-16-SigLIP2", "webli", "Apache-2.0", 768, 224, resize="squash"),
    _clip("ViT-B-16-SigLIP2-256", "webli", "Apache-2.0", 768, 256, resize="squash"),
    _clip("ViT-B-16-SigLIP2-384", "webli", "Apache-2.0", 768, 384, resize="squash"),
    _clip("ViT-B-16-SigLIP2-512", "webli", "Apache-2.0", 768, 512, resize="squash"),
    _clip("ViT-SO400M-14-SigLIP2", "webli", "Apache-2.0", 1152, 224, resize="squash"),
    _clip("ViT-SO400M-14-SigLIP2-378", "webli", "Apache-2.0", 1152, 378, resize="squash"),
    _clip("MobileCLIP2-S0", "dfndr2b", _RESEARCH, 512, 256),
    _clip("MobileCLIP2-S2", "dfndr2b", _RESEARCH, 512, 256),
    _clip("MobileCLIP2-B", "dfndr2b", _RESEARCH, 512, 224),
    _dino("small", 384),
    _dino("base", 768),
    _dino("large", 1024),
    *map(_clips_of, KINETICS_MODELS),
    KnownEncoder("videomae:MCG-NJU/videomae-base", "", "CC-BY-NC-4.0", 768, 224, 16),
    KnownEncoder("vjepa2:facebook/vjepa2-vitl-fpc64-256", "", UNKNOWN, 1024, 256, 64),
    KnownEncoder("videoprism:google/videoprism-base-f16r288", "", UNKNOWN, 768, 288, 16, "squash"),
)
"""All of them: images first, then clips."""

_OF_FAMILIES = {"videomae:MCG-NJU/": "CC-BY-NC-4.0", "pe-av:facebook/": "Apache-2.0"}
"""Publisher of checkpoints -> the licence of all of theirs: the hub's pages of MCG-NJU's, and the README of
https://github.com/facebookresearch/perception_models."""
_TIMM = "timm:"
_OF_TIMM = {
    "apache-2.0": "Apache-2.0",
    "apple-amlr": _RESEARCH,
    "apple-ascl": "Apple's sample code licence",
    "bsd-3-clause": "BSD-3-Clause",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "dinov3-license": _DINO,
    "mit": "MIT",
    "unknown": UNKNOWN,
}
"""What timm's configurations call licences -> what they are called here. Others keep their names."""

_QUICK = {
    "ViT-B-32": ("openai", "laion400m_e31", "laion400m_e32", "metaclip_400m", "metaclip_fullcc"),
    "ViT-B-16": ("openai", "dfn2b", "metaclip_400m", "metaclip_fullcc"),
    "ViT-L-14": ("openai", "metaclip_400m", "metaclip_fullcc", "dfn2b"),
    "ViT-H-14": ("metaclip_fullcc", "dfn5b"),
    "ViT-bigG-14": ("metaclip_fullcc",),
}
"""Models of which some weights were trained with QuickGELU and others with GELU -> the former."""
_PREPARED_OTHERWISE = {
    "ViT-L-14": ("laion2b_s32b_b82k",),
    "ViT-H-14": ("dfn5b",),
    "ViT-H-14-quickgelu": ("dfn5b",),
}
"""Models of which some weights see other pixels than CLIP's own -> these weights."""


def default_tag(model: str) -> str | None:
    """Return the tag of a model's weights where none is given; None if the model is not in the table."""
    return next((known.tag for known in ENCODERS if known.model == model and known.tag), None)


def licence_of(model: str, source: str) -> str:
    """Return the licence of weights, as far as it is known.

    Args:
        model: the name of the model.
        source: where its weights come from: a tag, a name of the hub, or a file.

    >>> licence_of("ViT-B-32", "openai"), licence_of("ViT-B-32", "mine.pt")
    ('MIT', 'unknown: see the card')
    """
    for known in ENCODERS:
        if known.model == model and known.tag == source:
            return known.licence
    if model in KINETICS_MODELS and source in KINETICS_MODELS[model].tags:
        return _KINETICS
    if model.startswith(_TIMM):
        return _licence_by_timm(model.removeprefix(_TIMM), source)
    own = [licence for prefix, licence in _OF_FAMILIES.items() if model.startswith(prefix)]
    return own[0] if own else UNKNOWN


def _licence_by_timm(name: str, source: str) -> str:
    from embed.encoders.torchvision_operators import declare_missing_operators

    declare_missing_operators()
    import timm

    architecture, _, own_tag = name.partition(".")
    tag = own_tag if source == name else source
    try:
        config = timm.get_pretrained_cfg(f"{architecture}.{tag}" if tag else architecture)
    except RuntimeError:  # a file
        return UNKNOWN
    found = config.license if config else None
    return _OF_TIMM.get(found, found) if found else UNKNOWN


def doubt_of_file(model: str) -> str | None:
    """Return what a checkpoint file of a model is taken for, where the model's published weights differ in that.

    A file does not say which activation it was trained with, nor how frames are prepared for it.

    >>> doubt_of_file("PE-Core-B-16")
    """
    said = []
    if model in _QUICK:
        tags = " and ".join(filter(None, (", ".join(_QUICK[model][:-1]), _QUICK[model][-1])))
        were = "were" if len(_QUICK[model]) > 1 else "was"
        said.append(
            f"A file is taken for weights of {model} that were trained with GELU. {tags} {were} trained with "
            f"QuickGELU: for that, use --model {model}-quickgelu."
        )
    if model in _PREPARED_OTHERWISE:
        (tag,) = _PREPARED_OTHERWISE[model]
        said.append(
            f"Frames are prepared for a file as for CLIP's own weights. {tag} needs other pixels: for that, use "
            f"--pretrained {tag}."
        )
    return " ".join(said) or None

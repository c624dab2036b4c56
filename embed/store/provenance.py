"""What made a vector: encoder, weights, preprocessing and sampling, stored beside it and compared when stores meet."""

import hashlib
import math
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import metadata
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from embed.video import CENTRE, Preprocessing, check_views, describe_sampling as describe_sampling

_HASH_DIGITS = 12
_LIBRARIES = (
    "framehead",
    "av",
    "h5py",
    "numpy",
    "open_clip_torch",
    "opencv-python-headless",
    "pillow",
    "timm",
    "torch",
    "torchvision",
)


Precision = Literal["float32", "bfloat16", "int8"]
"""The arithmetic of an encoder."""

Storage = Literal["float16", "uint8"]
"""The type in which a store holds a coefficient; uint8 by the formulas of `embed.store.quantisation`."""


@dataclass(frozen=True)
class Reduction:
    """The matrices by which an encoder's vectors were reduced before they were stored (`embed.reduction`).

    Args:
        sha256: `hash_weights` of the matrices.
        source_dimension: the length of a vector before.
        is_whitened: True if each new coordinate is divided by its standard deviation.
        source: path of their file. Stores compare the hash instead.
    """

    sha256: str
    source_dimension: int
    is_whitened: bool
    source: str

    def __str__(self) -> str:
        whitened = ", whitened" if self.is_whitened else ""
        return f"PCA of {self.source_dimension:,} dimensions{whitened}, sha256 {self.sha256[:_HASH_DIGITS]} (--pca)"


@dataclass(frozen=True)
class EncoderIdentity:
    """Everything about an encoder that changes its vectors.

    Args:
        family: the module of `embed.encoders`, or the package, that built it.
        model: the name by which `load_encoder` finds it.
        pretrained: source of the weights: a tag, a hub name or a file; "bundled" if they come with the encoder. Stores
            compare the hash instead.
        weights_sha256: `hash_weights` of the model.
        activation: name of the nonlinearity if one architecture is trained with two (CLIP's "quick_gelu" and "gelu"),
            else "".
        dimension: D, the length of one vector.
        window: W, the frames behind one vector.
        is_normalised: True if vectors have length 1.
        precision: arithmetic of the encoder.
        preprocessing: how frames become its input.
        reduction: how its vectors were reduced to `dimension`; None if they were not.
        stop_before: path of the submodule before which the model stops, so that a vector is what enters it; "" if the
            model runs to its end.
        shape: of what enters it for one clip, which is stored flattened; () if the model runs to its end.
    """

    family: str
    model: str
    pretrained: str
    weights_sha256: str
    dimension: int
    preprocessing: Preprocessing
    activation: str = ""
    window: int = 1
    is_normalised: bool = False
    precision: Precision = "float32"
    reduction: Reduction | None = None
    stop_before: str = ""
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if (self.shape and (math.prod(self.shape) != self.dimension or min(self.shape) < 1)) or bool(
            self.shape
        ) != bool(self.stop_before):
            raise ValueError(
                f"the shape {self.shape} before {self.stop_before!r} does not fit {self.dimension} dimensions"
            )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_json` reads it back."""
        described = asdict(self)
        if self.reduction is None:  # the same text as before there were reductions
            del described["reduction"]
        if not self.stop_before:
            del described["stop_before"], described["shape"]
        return described

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> "EncoderIdentity":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it was written by something else.
        """
        encoder = dict(description)
        encoder["preprocessing"] = Preprocessing.from_json(encoder["preprocessing"])
        if (reduction := encoder.get("reduction")) is not None:
            _require_kinds(reduction, Reduction)
            encoder["reduction"] = Reduction(**reduction)
        if "shape" in encoder:
            encoder["shape"] = _lengths(encoder["shape"])
        _require_kinds(encoder, cls)
        return cls(**encoder)

    @property
    def weights_source(self) -> str | None:
        """What `load_encoder` must get as `pretrained` to load these weights; None if they come with the encoder."""
        return None if self.pretrained == "bundled" else self.pretrained


@dataclass(frozen=True)
class Fidelity:
    """The similarity of vectors of a lower precision to those of float32, measured before the first were stored.

    Args:
        frame_count: frames of the first videos that were encoded in both.
        cosine_min, cosine_mean: cosine between the two vectors of a frame.
    """

    frame_count: int
    cosine_min: float
    cosine_mean: float


@dataclass(frozen=True)
class Provenance:
    """What made the vectors of a store.

    Args:
        encoder: the encoder's identity.
        sampling: `Sampling.to_json` of the rule that chose the frames.
        decoder: the library that decoded them. Not compared, because all decoders must give the same frames.
        versions: library -> version when the store was made. Not compared.
        fidelity: how much a precision below float32 changes the vectors, if measured. Not compared.
        views: V names of `embed.video.views`. A video's rows are all T of the first view, then all T of the second, ...
        storage: the type of a coefficient.
        licence: of the encoder's weights, as far as it is known. Not compared.
        parts: what made each part of a row, if several stores were joined (`embed.joining`); () if not.
        factors: by which each part was multiplied; 0 made its rows of length 1.
        references: device -> sha256 of the vector of a made frame there (`embed.run.self_check`). Not compared.

    Raises:
        ValueError: a view or a type does not exist.
    """

    encoder: EncoderIdentity
    sampling: Mapping[str, Any]
    decoder: str = "pyav"
    versions: Mapping[str, str] = field(default_factory=dict)
    fidelity: Fidelity | None = None
    views: tuple[str, ...] = (CENTRE,)
    storage: Storage = "float16"
    licence: str = ""
    references: Mapping[str, str] = field(default_factory=dict)
    parts: tuple["Provenance", ...] = ()
    factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_views(self.views)
        if self.storage not in get_args(Storage):
            raise ValueError(f"storage is {self.storage!r}. Use one of {', '.join(get_args(Storage))}.")
        if len(self.parts) != len(self.factors) or any(part.parts for part in self.parts):
            raise ValueError("a joined store has one factor for each part, and no part that is joined itself")
        if self.parts and sum(part.encoder.dimension for part in self.parts) != self.encoder.dimension:
            raise ValueError("the dimensions of the parts do not add up to those of a row")

    @property
    def row_type(self) -> np.dtype[Any]:
        """The type of a store's rows."""
        return np.dtype(self.storage)

    @property
    def has_spans(self) -> bool:
        """True if the store keeps the span of each row: several frames are behind it."""
        return self.encoder.window > 1

    def difference(self, other: "Provenance") -> str | None:
        """Return why these vectors cannot be in one store with the other's: "dimension is 512, not 1280".

        Returns:
            None if they can.
        """
        here, there = _compared(self), _compared(other)
        names = {**here, **there}
        found = [
            f"{name} is {here.get(name, 'none')}, not {there.get(name, 'none')}"
            for name in names
            if here.get(name) != there.get(name)
        ]
        return "; ".join(found) or None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_json` reads it back."""
        parts = [part.to_json() for part in self.parts]
        described = asdict(replace(self, parts=(), factors=())) | {"encoder": self.encoder.to_json()}
        described |= {"parts": parts, "factors": [*self.factors]}
        if self.views == (CENTRE,):  # the same text as before there were other views
            del described["views"]
        if self.storage == "float16":
            del described["storage"]
        for name in ("licence", "references", "parts", "factors"):
            if not described[name]:
                del described[name]
        return described

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> "Provenance":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it was written by something else.
        """
        rest = {key: description[key] for key in ("sampling", "decoder", "versions")}
        fidelity = description.get("fidelity")
        _require_kinds(fidelity or {}, Fidelity)
        rest |= {"licence": description.get("licence", ""), "references": description.get("references", {})}
        kinds = {"sampling": dict, "decoder": str, "versions": dict, "licence": str, "references": dict}
        for key, kind in kinds.items():
            if not isinstance(rest[key], kind):
                raise TypeError(f"{key} is {rest[key]!r}")
        describe_sampling(rest["sampling"])  # its values are numbers where they should be
        return cls(
            encoder=EncoderIdentity.from_json(description["encoder"]),
            fidelity=Fidelity(**fidelity) if fidelity else None,
            views=tuple(description.get("views", (CENTRE,))),
            storage=description.get("storage", "float16"),
            parts=tuple(cls.from_json(part) for part in description.get("parts", ())),
            factors=tuple(map(float, description.get("factors", ()))),
            **rest,
        )


def _lengths(shape: object) -> tuple[int, ...]:
    """Read the lengths of axes."""
    if not isinstance(shape, list | tuple) or not all(type(length) is int for length in shape):
        raise TypeError(f"shape is {shape!r}")
    return tuple(shape)


def _require_kinds(values: Mapping[str, Any], described: type) -> None:
    """Raise TypeError if a text, a number or a truth value of a description is of another kind."""
    for column in fields(described):
        kind = _KINDS.get(str(column.type))
        if kind and column.name in values and type(values[column.name]) not in kind:
            raise TypeError(f"{column.name} is {values[column.name]!r}")


_KINDS: dict[str, tuple[type, ...]] = {
    "<class 'str'>": (str,),
    "<class 'int'>": (int,),
    "<class 'float'>": (float, int),
    "<class 'bool'>": (bool,),
}


def hash_weights(tensors: Iterable[tuple[str, NDArray[Any]]]) -> str:
    """Return the sha256 over names, types, shapes and bytes of a model's tensors, in their order.

    The same weights give the same hash for every file format.
    """
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).view(np.uint8).data if tensor.ndim else tensor.tobytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that influence a vector."""
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _compared(provenance: Provenance) -> dict[str, Any]:
    """Return everything that must be equal for vectors to be in one store, as a flat table."""
    encoder = provenance.encoder
    names = [f.name for f in fields(encoder) if f.name not in ("pretrained", "preprocessing", "reduction")]
    flat = {name.replace("_", " "): getattr(encoder, name) for name in names}
    flat |= {f"preprocessing {key}": value for key, value in asdict(encoder.preprocessing).items()}
    flat["reduction"] = str(encoder.reduction or "none")
    flat["stop before"] = encoder.stop_before or "nothing"
    for number, (part, factor) in enumerate(zip(provenance.parts, provenance.factors, strict=True), 1):
        flat |= {f"part {number} {name}": value for name, value in _compared(part).items()}
        flat[f"part {number} factor"] = factor
    flat |= {"sampling": describe_sampling(provenance.sampling), "views": ", ".join(provenance.views)}
    return flat | {"storage": "uint8 (--quantize)" if provenance.storage == "uint8" else provenance.storage}

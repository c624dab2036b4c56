"""What made a vector: encoder, weights, preprocessing and sampling, stored beside it and compared when stores meet."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embed.video import CENTRE, Preprocessing, check_views

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
)


Precision = Literal["float32", "bfloat16", "int8"]
"""The arithmetic of an encoder."""


@dataclass(frozen=True)
class EncoderIdentity:
    """Everything about an encoder that changes its vectors.

    Args:
        family: the module of `embed.encoders` that built it.
        model: the architecture's name in that family.
        pretrained: where the weights came from: a tag, a hub name or a file. Not compared: the hash is.
        weights_sha256: `hash_weights` of the model.
        activation: the name of the nonlinearity where one architecture is trained with two (CLIP's "quick_gelu" and
            "gelu"), else "".
        dimension: D, the length of one vector.
        window: W, the frames behind one vector.
        is_normalised: vectors have length 1.
        precision: the encoder's arithmetic.
        preprocessing: how frames become its input.
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

    @property
    def weights_source(self) -> str | None:
        """What `load_encoder` must get as `pretrained` to load these weights; None if they come with the encoder."""
        return None if self.pretrained == "bundled" else self.pretrained


@dataclass(frozen=True)
class Fidelity:
    """How near vectors of a lower precision came to those of float32, before the first of them were stored.

    Args:
        frame_count: frames that both encoded, of the first videos.
        cosine_min, cosine_mean: between the two vectors of a frame.
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
        decoder: the library that decoded them. Not compared: decoders are held to the same frames.
        versions: library -> version when the store was made. Not compared.
        fidelity: where the precision is not float32, what it costs, if that was measured. Not compared.
        views: V names of `embed.video.views`. A video's rows are all T of the first view, then all T of the second, ...

    Raises:
        ValueError: there is no such view.
    """

    encoder: EncoderIdentity
    sampling: Mapping[str, Any]
    decoder: str = "pyav"
    versions: Mapping[str, str] = field(default_factory=dict)
    fidelity: Fidelity | None = None
    views: tuple[str, ...] = (CENTRE,)

    def __post_init__(self) -> None:
        check_views(self.views)

    def difference(self, other: "Provenance") -> str | None:
        """Say what keeps these vectors from mixing with the other's: "dimension is 512, not 1280".

        Returns:
            None where they may mix.
        """
        here, there = _compared(self), _compared(other)
        found = [f"{name} is {here[name]}, not {there[name]}" for name in here if here[name] != there[name]]
        return "; ".join(found) or None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_json` reads it back."""
        described = asdict(self)
        if self.views == (CENTRE,):  # reads the same as before there were others
            del described["views"]
        return described

    @classmethod
    def from_json(cls, description: Mapping[str, Any]) -> "Provenance":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it was written by something else.
        """
        encoder = dict(description["encoder"])
        encoder["preprocessing"] = Preprocessing.from_json(encoder["preprocessing"])
        rest = {key: description[key] for key in ("sampling", "decoder", "versions")}
        fidelity = description.get("fidelity")
        return cls(
            encoder=EncoderIdentity(**encoder),
            fidelity=Fidelity(**fidelity) if fidelity else None,
            views=tuple(description.get("views", (CENTRE,))),
            **rest,
        )


def hash_weights(tensors: Iterable[tuple[str, NDArray[Any]]]) -> str:
    """Return the sha256 over names, types, shapes and bytes of a model's tensors, in their order.

    The same weights give the same hash whatever file they came from.
    """
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).view(np.uint8).data if tensor.ndim else tensor.tobytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that shape a vector, as they are installed."""
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _compared(provenance: Provenance) -> dict[str, Any]:
    """Flatten what must agree for vectors to mix."""
    encoder = provenance.encoder
    names = [f.name for f in fields(encoder) if f.name not in ("pretrained", "preprocessing")]
    flat = {name.replace("_", " "): getattr(encoder, name) for name in names}
    flat |= {f"preprocessing {key}": value for key, value in encoder.preprocessing.to_json().items()}
    return flat | {"sampling": dict(provenance.sampling), "views": ", ".join(provenance.views)}

"""Encoders of another package: one that keeps the contract, and some with one fault each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.encoders import Encoder
from embed.store import EncoderIdentity
from embed.video import Preprocessing

IDENTITY = EncoderIdentity(
    family="foreign",
    model="mean-colours",
    pretrained="bundled",
    weights_sha256=sha256(b"none").hexdigest(),
    dimension=12,
    preprocessing=Preprocessing(8, 8, "squash", "bilinear", (0.0,) * 3, (1.0,) * 3),
)


class MeanColours:
    """The mean colour of each quarter of a frame: D = 12. It needs no weights.

    Args:
        changed: applied to the vectors, to make a fault.
        identity: what in `IDENTITY` is otherwise.
    """

    def __init__(self, changed: Callable[[NDArray[np.float32]], Any] = np.asarray, **identity: Any) -> None:
        self.identity = replace(IDENTITY, **identity)
        self._changed = changed

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        quarters = rgb[:, 0].reshape(len(rgb), 2, 4, 2, 4, 3)
        changed: NDArray[np.float32] = self._changed(quarters.mean(axis=(2, 4), dtype=np.float32).reshape(len(rgb), -1))
        return changed


class Painter(MeanColours):
    """Changes the frames that it is given."""

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = super().encode(rgb)
        rgb[:] = 0
        return vectors


class Growing(MeanColours):
    """Its identity changes with every batch."""

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.identity = replace(self.identity, activation=f"{self.identity.activation}x")
        return super().encode(rgb)


class Lazy(MeanColours):
    """Reads the frames only when the vectors are asked for, by when they may be others."""

    def begin(self, rgb: NDArray[np.uint8]) -> "LazyVectors":
        return LazyVectors(self, rgb)


class LazyVectors:
    """What `Lazy` begins."""

    def __init__(self, encoder: Encoder, rgb: NDArray[np.uint8]) -> None:
        self._encoder, self._rgb = encoder, rgb

    def done(self) -> bool:
        return True

    def result(self) -> NDArray[np.float32]:
        return self._encoder.encode(self._rgb)


class Hasty(MeanColours):
    """Begins to encode, and returns the vectors where something that is awaited is expected."""

    def begin(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.encode(rgb)


class Reader(MeanColours):
    """Encodes texts to the bytes of their hash.

    Args:
        written: applied to the (N, D) vectors, to make a fault.
    """

    def __init__(self, written: Callable[[NDArray[np.float32]], Any]) -> None:
        super().__init__()
        self._written = written

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        digests = [sha256(text.encode()).digest()[:12] for text in texts]
        written: NDArray[np.float32] = self._written(
            np.stack([np.frombuffer(digest, np.uint8) for digest in digests]).astype(np.float32)
        )
        return written


def to_unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def add_noise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vectors + np.random.default_rng().random(vectors.shape)).astype(np.float32)


class Nothing:
    """Has no part of an encoder."""


class Nameless(MeanColours):
    """Its identity is a dict."""

    identity: Any = None

    def __init__(self) -> None:
        self.identity = {"model": "mean-colours"}


class NeedsMore(MeanColours):
    """Asks for more than a batch, and has a `begin` that is no method."""

    begin = None

    def encode(self, rgb: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:  # type: ignore[override]
        return super().encode(rgb) * np.float32(scale)


def load(model: str, *, pretrained: str | None = None, device: str = "auto", precision: str | None = None) -> Encoder:  # noqa: ARG001
    return MeanColours(model=model)


def load_nothing(model: str, **_: object) -> Any:  # noqa: ARG001
    return Nothing()


def load_nameless(model: str, **_: object) -> Any:  # noqa: ARG001
    return Nameless()


def load_needing_more(model: str, **_: object) -> Any:  # noqa: ARG001
    return NeedsMore()


def load_class(model: str, **_: object) -> Any:  # noqa: ARG001
    return MeanColours


def load_another(model: str, **_: object) -> Any:  # noqa: ARG001
    return MeanColours(model="another-name")


def load_by_name_alone(model: str) -> Encoder:  # a factory must take the options, too
    return MeanColours(model=model)

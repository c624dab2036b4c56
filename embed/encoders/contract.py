"""What an encoder is: the protocols that every family of models follows, and that a third party's encoder must follow.

`embed.encoders.testing` has the tests of what these protocols cannot express.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from embed.store import EncoderIdentity

_BATCH_SIZE = 32


class Encoder(Protocol):
    """An object that turns preprocessed frames into vectors."""

    @property
    def identity(self) -> EncoderIdentity:
        """Everything that changes the vectors. It is stored beside them."""
        ...

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, W, side_px, side_px, 3) uint8 frames to (B, D) vectors, as `identity` describes them."""
        ...


class PendingVectors(Protocol):
    """A batch that is being encoded. A `concurrent.futures.Future` is one, too."""

    def done(self) -> bool:
        """Return True if `result` returns at once."""
        ...

    def result(self) -> NDArray[np.float32]:
        """Wait for the (B, D) vectors and return them."""
        ...


@final
@dataclass(frozen=True)
class ReadyVectors:
    """The (B, D) vectors of a batch that was encoded at once."""

    vectors: NDArray[np.float32]

    def done(self) -> bool:
        """Return True: there is nothing to wait for."""
        return True

    def result(self) -> NDArray[np.float32]:
        """Return the vectors."""
        return self.vectors


@runtime_checkable
class BackgroundEncoder(Encoder, Protocol):
    """An encoder that can accept the next batch while it computes this one."""

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to `encode` a batch. The caller may change `rgb` after this returns."""
        ...


def begin_encoding(encoder: Encoder, rgb: NDArray[np.uint8]) -> PendingVectors:
    """Begin to encode a batch. An encoder that does not work in the background encodes the whole batch here."""
    return encoder.begin(rgb) if isinstance(encoder, BackgroundEncoder) else ReadyVectors(encoder.encode(rgb))


@runtime_checkable
class SizedEncoder(Encoder, Protocol):
    """An encoder that knows how many inputs suit it at once, as encoders of clips do."""

    @property
    def batch_size(self) -> int:
        """B of a batch where the user names none."""
        ...


def suited_batch_size(encoder: Encoder) -> int:
    """Return B of a batch where the user names none: the encoder's own choice, or else 32."""
    return encoder.batch_size if isinstance(encoder, SizedEncoder) else _BATCH_SIZE


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An encoder that also encodes texts into the same space as frames, as CLIP does."""

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode N texts to (N, D) vectors of length 1 whose cosine to vectors of frames that they describe is high."""
        ...


def missing_parts(encoder: object) -> list[str]:
    """Return what an object lacks to be an `Encoder`, in words; an empty list if it lacks nothing.

    >>> missing_parts(512)
    ['identity, which is an embed.EncoderIdentity', 'encode(rgb), a method that takes a batch of frames']
    """
    if isinstance(encoder, type):
        return [f"an object: {encoder.__name__} is a class, and must be called first"]
    return list(_missing_parts(encoder))


def _missing_parts(encoder: object) -> Iterator[str]:
    if not isinstance(getattr(encoder, "identity", None), EncoderIdentity):
        yield "identity, which is an embed.EncoderIdentity"
    if not is_callable_with(getattr(encoder, "encode", None), None):
        yield "encode(rgb), a method that takes a batch of frames"
    if hasattr(encoder, "begin") and not is_callable_with(encoder.begin, None):
        yield "begin(rgb), a method that takes a batch of frames (leave `begin` out if there is none)"
    if hasattr(encoder, "encode_texts") and not is_callable_with(encoder.encode_texts, []):
        yield "encode_texts(texts), a method that takes a list of texts (leave `encode_texts` out if there is none)"


def is_callable_with(function: object, *args: object, **options: object) -> bool:
    """Return True if an object can be called with these arguments, judged by its signature."""
    if not callable(function):
        return False
    called: Callable[..., Any] = function
    try:
        inspect.signature(called).bind(*args, **options)
    except TypeError:
        return False
    except ValueError:  # a function written in C may have no signature
        return True
    return True

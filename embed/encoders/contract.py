"""What an encoder is: the protocols that every family of models keeps, and that a third party's encoder must keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from embed.store import EncoderIdentity


class Encoder(Protocol):
    """What turns preprocessed frames into vectors."""

    @property
    def identity(self) -> EncoderIdentity:
        """Everything that changes the vectors, stored beside them."""
        ...

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, W, side_px, side_px, 3) uint8 frames to (B, D) vectors, as `identity` describes them."""
        ...


class PendingVectors(Protocol):
    """A batch that is being encoded. A `concurrent.futures.Future` is one, too."""

    def done(self) -> bool:
        """Say whether `result` returns at once."""
        ...

    def result(self) -> NDArray[np.float32]:
        """Wait for the (B, D) vectors."""
        ...


@final
@dataclass(frozen=True)
class ReadyVectors:
    """The (B, D) vectors of a batch that was encoded on the spot."""

    vectors: NDArray[np.float32]

    def done(self) -> bool:
        """Say that there is nothing to wait for."""
        return True

    def result(self) -> NDArray[np.float32]:
        """Return them."""
        return self.vectors


@runtime_checkable
class BackgroundEncoder(Encoder, Protocol):
    """An encoder that can take the next batch while it computes this one."""

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to `encode` a batch. `rgb` may be changed once this has returned."""
        ...


def begin_encoding(encoder: Encoder, rgb: NDArray[np.uint8]) -> PendingVectors:
    """Begin to encode a batch. Where the encoder has no background, all of it is done here."""
    return encoder.begin(rgb) if isinstance(encoder, BackgroundEncoder) else ReadyVectors(encoder.encode(rgb))


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An encoder that puts words among its vectors, too, as CLIP's do."""

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode N texts to (N, D) vectors of length 1, near by cosine to those of frames that show what they say."""
        ...

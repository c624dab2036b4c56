"""An encoder whose vectors are reduced by a PCA before anybody sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.encoders.contract import Encoder, PendingVectors, begin_encoding, suited_batch_size
from embed.reduction import Pca, read_pca


@final
class ReducedEncoder:
    """Encode frames with another encoder, and reduce the vectors. It encodes no texts.

    Args:
        encoder: the other encoder.
        pca: a PCA of its vectors.
        source: path of the PCA's file.

    Raises:
        EncoderError: the PCA was fitted on vectors of another encoder.
    """

    def __init__(self, encoder: Encoder, pca: Pca, source: str | Path) -> None:
        self.identity = pca.identity_of(encoder.identity, source)
        self._encoder, self._pca = encoder, pca

    @property
    def batch_size(self) -> int:
        """B that suits the other encoder."""
        return suited_batch_size(self._encoder)

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, W, side_px, side_px, 3) uint8 frames to (B, K) vectors."""
        return self._pca.apply(self._encoder.encode(rgb))

    def begin(self, rgb: NDArray[np.uint8]) -> PendingVectors:
        """Begin to `encode`, in the background where the other encoder does."""
        return _ReducedVectors(begin_encoding(self._encoder, rgb), self._pca)


@final
@dataclass(frozen=True)
class _ReducedVectors:
    """Pending vectors that are reduced once they are there."""

    pending: PendingVectors
    pca: Pca

    def done(self) -> bool:
        return self.pending.done()

    def result(self) -> NDArray[np.float32]:
        return self.pca.apply(self.pending.result())


def reduce_encoder(encoder: Encoder, pca: str | Path) -> Encoder:
    """Return an encoder whose vectors are reduced by the PCA of a file.

    Raises:
        ReductionError: the file cannot be read, or is no PCA.
        EncoderError: it was fitted on vectors of another encoder.
    """
    return ReducedEncoder(encoder, read_pca(pca), pca)

"""A PCA: the matrices that make D coordinates of a vector K, and the file that holds them.

    reduced = (x - mean) components^T / sqrt(eigenvalues + 1e-4)      whitened
    reduced = (x - mean) components^T / sqrt(eigenvalues[0] + 1e-4)   not whitened: one scale for all

    pca.safetensors
      mean          (D,)    float32
      components    (K, D)  float32   eigenvectors of the covariance, of the largest eigenvalue first
      eigenvalues   (K,)    float32   the variance along each
      fitted_on     (V, 8)  uint8     a digest of each video whose vectors it was fitted on
      metadata      `pca`: JSON of the format, is_whitened and the fields of `PcaOrigin`

Source: the constant and the order of the operations, https://github.com/google/youtube-8m,
`feature_extractor/feature_extractor.py`, `apply_pca`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from embed.errors import EncoderError, ReductionError
from embed.machine import open_regular
from embed.store import DIGEST_BYTES, EmbeddingStore, EncoderIdentity, Reduction, digest_videos, hash_weights

FORMAT = "framehead pca 1"
EPSILON = 1e-4
"""Added to the variance before whitening, so that directions without variance do not become noise."""
PCA_FILE = "pca.safetensors"
"""Its name in the folder of a head."""
_MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class PcaOrigin:
    """What a PCA was fitted on.

    Args:
        source: path of the store, or of the folder of matrices.
        model, weights_sha256: of the encoder that made its vectors; "" if unknown.
        provenance_sha256: of the JSON of the store's provenance; "" without a store.
        part: "train" if only the training part of a split was read, else "".
        vectors: number of vectors; 0 if unknown.
        explained: share of their variance that the K coordinates keep.
        versions: library -> version.
    """

    source: str
    model: str
    weights_sha256: str
    provenance_sha256: str
    part: str
    vectors: int
    explained: float
    versions: Mapping[str, str]


@final
@dataclass(frozen=True, eq=False)
class Pca:
    """A PCA from D to K dimensions; the fields are those of its file.

    Raises:
        ValueError: the matrices do not fit together, or a value is not finite.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    eigenvalues: NDArray[np.float32]
    is_whitened: bool
    origin: PcaOrigin
    fitted_on: NDArray[np.uint8]

    def __post_init__(self) -> None:
        count, before = self.components.shape if self.components.ndim == 2 else (0, 0)
        if not 1 <= count <= before or self.mean.shape != (before,) or self.eigenvalues.shape != (count,):
            shapes = f"{self.mean.shape}, {self.components.shape} and {self.eigenvalues.shape}"
            raise ValueError(f"mean, components and eigenvalues have the shapes {shapes}, not (D,), (K, D) and (K,)")
        for name in ("mean", "components", "eigenvalues"):
            matrix = getattr(self, name)
            if matrix.dtype != np.float32 or not np.isfinite(matrix).all():
                raise ValueError(f"{name} are {matrix.dtype}, or not finite")
        if (self.eigenvalues < 0).any():
            raise ValueError("an eigenvalue is negative")
        if self.fitted_on.dtype != np.uint8 or self.fitted_on.shape[1:] != (DIGEST_BYTES,):
            raise ValueError(f"fitted_on is {self.fitted_on.dtype} {self.fitted_on.shape}")

    @property
    def source_dimension(self) -> int:
        """D, the length of a vector before."""
        return len(self.mean)

    @property
    def dimension(self) -> int:
        """K, the length of a reduced vector."""
        return len(self.components)

    @cached_property
    def sha256(self) -> str:
        """`hash_weights` of what changes a reduced vector."""
        is_whitened = np.array([self.is_whitened])
        matrices = {"mean": self.mean, "components": self.components, "eigenvalues": self.eigenvalues}
        return hash_weights([*matrices.items(), ("is_whitened", is_whitened)])

    @cached_property
    def _projection(self) -> NDArray[np.float32]:
        """(D, K)."""
        variances = self.eigenvalues if self.is_whitened else self.eigenvalues[:1]
        scale = np.sqrt(variances.astype(np.float64) + EPSILON)
        return np.ascontiguousarray(self.components.astype(np.float64).T / scale, dtype=np.float32)

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Reduce (N, D) vectors to (N, K)."""
        centred = np.asarray(vectors, dtype=np.float32) - self.mean
        return np.asarray(centred @ self._projection, dtype=np.float32)

    def identity_of(self, encoder: EncoderIdentity, source: str | Path) -> EncoderIdentity:
        """Return the identity of an encoder whose vectors are reduced.

        Args:
            encoder: the encoder's own.
            source: path of the file of this PCA.

        Raises:
            EncoderError: the PCA was fitted on vectors of another encoder, or these are reduced already.
        """
        if encoder.reduction is not None:
            raise EncoderError(f"The vectors of {encoder.model} are reduced already: {encoder.reduction}.")
        if encoder.stop_before:
            raise EncoderError(
                f"What enters {encoder.stop_before} of {encoder.model} must stay whole for that block. Leave out --pca."
            )
        theirs = (self.origin.model, self.origin.weights_sha256)
        if self.source_dimension != encoder.dimension or (
            any(theirs) and theirs != (encoder.model, encoder.weights_sha256)
        ):
            made = f"{theirs[0]} (weights {theirs[1][:8]}, " if any(theirs) else "another encoder ("
            raise EncoderError(
                f"{source} was fitted on vectors of {made}{self.source_dimension:,} dimensions), not on those of "
                f"{encoder.model} (weights {encoder.weights_sha256[:8]}, {encoder.dimension:,} dimensions). Fit one on "
                "a store of this encoder: fit-pca STORE -o pca.safetensors"
            )
        reduction = Reduction(self.sha256, self.source_dimension, self.is_whitened, str(Path(source).absolute()))
        return replace(encoder, dimension=self.dimension, is_normalised=False, reduction=reduction)

    def was_fitted_on(self, store: EmbeddingStore, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Return (V,) bool: True for each video of a store whose vectors, or those of a copy, it was fitted on."""
        known = set(map(bytes, self.fitted_on))
        return np.array([digest in known for digest in map(bytes, digest_videos(store, ids))], dtype=np.bool_)

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        matrices: dict[str, NDArray[Any]] = {
            "mean": self.mean,
            "components": np.ascontiguousarray(self.components),
            "eigenvalues": self.eigenvalues,
            "fitted_on": self.fitted_on,
        }
        described = {"format": FORMAT, "is_whitened": self.is_whitened, **asdict(self.origin)}
        return safetensors.numpy.save(matrices, {"pca": json.dumps(described)})  # of several keys, the order is random


def read_pca(path: str | Path) -> Pca:
    """Read the file of a PCA.

    Raises:
        ReductionError: it cannot be read, or is none; the message says why.
    """
    path = Path(path)
    advice = "Make one with: fit-pca STORE -o pca.safetensors"
    try:
        with open_regular(path) as file:
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise ReductionError(f"The PCA {path} cannot be read: {error.strerror or error}. {advice}") from error
    try:
        return _parsed(content)
    except (SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ReductionError(f"{path} is not a PCA, or a damaged one: {error}. {advice}") from error


def _parsed(content: bytes) -> Pca:
    matrices = safetensors.numpy.load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    described = json.loads((header.get("__metadata__") or {}).get("pca", "{}"))
    if (found := described.pop("format", None)) != FORMAT:
        raise ValueError(f"its format is {found!r}, not {FORMAT!r}")
    is_whitened = described.pop("is_whitened")
    origin = PcaOrigin(**described)
    texts = [getattr(origin, field.name) for field in fields(origin) if field.type is str]
    if type(is_whitened) is not bool or not all(isinstance(text, str) for text in texts):
        raise TypeError("its description has values of other kinds")
    mean, components, eigenvalues = (matrices[name] for name in ("mean", "components", "eigenvalues"))
    return Pca(mean, components, eigenvalues, is_whitened, origin, matrices["fitted_on"])


def find_pca(reduction: Reduction, folders: Iterable[str | Path]) -> Path | None:
    """Find the file of the PCA that reduced some vectors, by the hash of its matrices.

    Args:
        reduction: what the identity of their encoder says of it.
        folders: looked through first, under the file's own name and as pca.safetensors; then its recorded path.

    Returns:
        Its path; None if no file there is this PCA.
    """
    recorded = Path(reduction.source)
    names = dict.fromkeys((PCA_FILE, recorded.name))
    for path in (*(Path(folder, name) for folder in folders for name in names), recorded):
        try:
            if read_pca(path).sha256 == reduction.sha256:
                return path
        except (ReductionError, ValueError):  # absent, another one, or a path that no disk has
            continue
    return None


def described_pca(path: Path) -> str | None:
    """Return what a file of a PCA is, in words; None for any other file."""
    try:
        found = read_pca(path)
    except ReductionError:
        return None
    return f"the PCA to {found.dimension:,} dimensions"

"""Fit a PCA to the vectors of a store, block by block, or take the one of YouTube-8M.

Sums of products are kept in float64 and joined by the formula for two sets, so one pass over a store of any size gives
the covariance of all vectors at once.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from embed.errors import ReductionError
from embed.machine import counted, read_regular, refuse_output
from embed.reduction.matrices import FILES, has_matrices, read_matrices
from embed.reduction.pca import Pca, PcaOrigin, described_pca
from embed.store import EmbeddingStore, digest_videos, library_versions, refusal_of, replaced_file

DIMENSIONS = 1024
"""K where none is asked for, as in YouTube-8M."""
_MOST_DIMENSIONS = 1 << 14  # whose covariance takes 2 GB
_BLOCK_NUMBERS = 1 << 22  # in float64 at once
_TRAIN = "train"


@dataclass(frozen=True)
class PcaConfig:
    """How a PCA is fitted.

    Args:
        dimensions: K; None is 1,024, or all of the vectors' where these are fewer.
        is_whitened: True divides each new coordinate by its standard deviation, so that all are about as large; False
            divides all by that of the first, so that later ones stay smaller.
        split: a split file, of whose videos only the training part is read; None reads all videos.

    Raises:
        ValueError: `dimensions` is less than 1.
    """

    dimensions: int | None = None
    is_whitened: bool = True
    split: str | Path | None = None

    def __post_init__(self) -> None:
        if self.dimensions is not None and (type(self.dimensions) is not int or self.dimensions < 1):
            raise ValueError(f"dimensions must be a whole number of at least 1, got {self.dimensions!r}")


@dataclass(frozen=True)
class PcaReport:
    """What `fit_pca` wrote.

    Args:
        path: the file.
        sha256: the hash by which stores know it.
        source_dimension, dimension: D and K.
        is_whitened: as in `PcaConfig`.
        videos, vectors: what it was fitted on; 0 for matrices of YouTube-8M.
        explained: share of the variance that K coordinates keep.
        size_bytes: size of the file.
        replaced: a sentence about the PCA that it replaced; None if none.
    """

    path: str
    sha256: str
    source_dimension: int
    dimension: int
    is_whitened: bool
    videos: int
    vectors: int
    explained: float
    size_bytes: int
    replaced: str | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def fit_pca(
    source: str | Path,
    output: str | Path,
    config: PcaConfig = PcaConfig(),
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> PcaReport:
    """Fit a PCA to a store's vectors and write it to a file. No labels are read.

    Args:
        source: a store; or a folder with YouTube-8M's `mean.npy`, `eigenvals.npy` and `eigenvecs.npy`.
        output: the file; an older PCA there is replaced.
        config: how.
        overwrite: replace also another file, except an input.
        on_progress: called with (vectors read, vectors in all).

    Raises:
        ReductionError: there are too few vectors or dimensions, or the matrices or the split cannot be read.
        StoreError: the store cannot be read, or the file cannot be written.
        OutputError: `output` is an input, or holds something else.
    """
    inputs = [source, *([config.split] if config.split else [])]
    replaced = refuse_output(output, kind="a PCA", recognise=described_pca, inputs=inputs, overwrite=overwrite)
    if has_matrices(Path(source)):
        pca = _of_matrices(Path(source), config)
    else:
        with EmbeddingStore(source) as store:
            pca = _of_store(store, config, on_progress)
    content, path = pca.to_bytes(), Path(output)
    with refusal_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as new:
            new.write_bytes(content)
    return PcaReport(
        path=str(path),
        sha256=pca.sha256,
        source_dimension=pca.source_dimension,
        dimension=pca.dimension,
        is_whitened=pca.is_whitened,
        videos=len(pca.fitted_on),
        vectors=pca.origin.vectors,
        explained=pca.origin.explained,
        size_bytes=len(content),
        replaced=replaced,
    )


def _of_store(store: EmbeddingStore, config: PcaConfig, on_progress: Callable[[int, int], None] | None) -> Pca:
    ids = store.ids if config.split is None else _training_ids(config.split, store)
    counts = dict(zip(store.ids, store.row_counts.tolist(), strict=True))
    total = sum(counts[video_id] for video_id in ids)
    dimension = _dimension_of(store, config, total)
    moments = _Moments(store.dimension)
    for rows in _blocks(store, ids, counts):
        moments.add(rows)
        if on_progress:
            on_progress(moments.count, total)
    eigenvalues, components = moments.principal(dimension)
    described = json.dumps(store.provenance.to_json(), sort_keys=True)
    variance = float(np.trace(moments.covariance))
    origin = PcaOrigin(
        source=str(store.path.absolute()),
        model=store.provenance.encoder.model,
        weights_sha256=store.provenance.encoder.weights_sha256,
        provenance_sha256=sha256(described.encode("utf-8", "surrogateescape")).hexdigest(),
        part=_TRAIN if config.split is not None else "",
        vectors=total,
        explained=float(eigenvalues.sum()) / variance if variance else 1.0,
        versions=library_versions(),
    )
    return Pca(
        mean=moments.mean.astype(np.float32),
        components=components.astype(np.float32),
        eigenvalues=eigenvalues.astype(np.float32),
        is_whitened=config.is_whitened,
        origin=origin,
        fitted_on=digest_videos(store, ids),
    )


def _dimension_of(store: EmbeddingStore, config: PcaConfig, total: int) -> int:
    """Return K.

    Raises:
        ReductionError: these are no vectors, or reduced or one byte each already, too long, too short, or too few.
    """
    before, identity = store.dimension, store.provenance.encoder
    if identity.reduction is not None or store.provenance.storage != "float16":
        what = f"reduced already: {identity.reduction}" if identity.reduction else "one byte a coefficient"
        raise ReductionError(f"The vectors of {store.path} are {what}. Fit the PCA on the store that they came from.")
    if identity.stop_before:
        raise ReductionError(
            f"{store.path} holds what enters {identity.stop_before} of {identity.model}, which must stay whole for "
            "that block. Fit the PCA on a store of vectors, made without --stop-before."
        )
    if before > _MOST_DIMENSIONS:
        raise ReductionError(
            f"The vectors of {store.path} have {before:,} dimensions, and a PCA takes {_MOST_DIMENSIONS:,} at most. "
            "Embed the videos with an encoder of shorter vectors."
        )
    dimension = config.dimensions or min(DIMENSIONS, before)
    if dimension > before:
        raise ReductionError(
            f"The vectors of {store.path} have {before:,} dimensions, which a PCA cannot make {dimension:,}. Use "
            f"--dimensions {before} or less."
        )
    if total <= dimension:
        what = "training videos" if config.split is not None else "videos"
        raise ReductionError(
            f"A PCA to {dimension:,} dimensions needs more than {dimension:,} vectors, but the {what} of {store.path} "
            f"have {counted(total, 'vector')}. "
            + (f"Use --dimensions {total - 1} or less, or " if total > 1 else "")
            + ("fit it on more videos." if total > 1 else "Fit it on more videos.")
        )
    return dimension


def _training_ids(path: str | Path, store: EmbeddingStore) -> list[str]:
    """Return the ids of the training part of a split file, in the store's order.

    Raises:
        ReductionError: it cannot be read, or names other videos.
    """
    try:
        text = read_regular(Path(path)).decode("utf-8-sig", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, csv.Error) as error:
        raise ReductionError(f"{path} cannot be read as a split: {error}. Make it with split-videos.") from error
    if not rows or not {"id", "part"} <= rows[0].keys():
        raise ReductionError(f"{path} has no videos in columns id and part. Make it with split-videos.")
    named = {row["id"] for row in rows if row["part"] == _TRAIN}
    if other := sorted(named - set(store.ids)):
        raise ReductionError(
            f"{path} names {counted(len(other), 'training video')} that {store.path} lacks, e.g. {other[0]!r}. Name "
            "the store that the split was made of."
        )
    return [video_id for video_id in store.ids if video_id in named]


def _blocks(store: EmbeddingStore, ids: Sequence[str], counts: dict[str, int]) -> Iterator[NDArray[np.float16]]:
    """Yield the vectors of videos, (n, D) at once, in the order of `ids`."""
    most = max(1, _BLOCK_NUMBERS // store.dimension)
    waiting: list[str] = []
    rows_waiting = 0
    for video_id in [*ids, None]:
        if waiting and (video_id is None or rows_waiting + counts[video_id] > most):
            rows, _ = store.read_many(waiting, is_checked=True)
            for start in range(0, len(rows), most):
                yield rows[start : start + most]
            waiting, rows_waiting = [], 0
        if video_id is not None:
            waiting.append(video_id)
            rows_waiting += counts[video_id]


@final
class _Moments:
    """Mean and covariance of rows that come in blocks.

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(dimension)
        self._scatter: NDArray[np.float64] = np.zeros((dimension, dimension))

    def add(self, rows: NDArray[np.floating]) -> None:
        """Add rows (n, D), at least one."""
        centred = rows.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        shift, total = mean - self.mean, self.count + len(rows)
        self._scatter += centred.T @ centred
        self._scatter += np.outer(shift, shift * (self.count * len(rows) / total))
        self.mean += shift * (len(rows) / total)
        self.count = total

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(D, D), as of a sample: divided by one less than the number of rows."""
        return self._scatter / (self.count - 1)

    def principal(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the largest eigenvalues (count,) and their eigenvectors (count, D).

        Each eigenvector's largest coordinate is positive, as in scikit-learn, since its sign is free otherwise.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        values, components = values[::-1][:count].clip(0), vectors.T[::-1][:count]
        largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
        return values, components * np.where(largest < 0, -1.0, 1.0)


def _of_matrices(folder: Path, config: PcaConfig) -> Pca:
    """Return the first K components of matrices of YouTube-8M, as they are."""
    if config.split is not None:
        raise ReductionError(f"{folder} holds matrices and no videos, of which --split names some. Leave out --split.")
    mean, eigenvalues, eigenvectors = read_matrices(folder)
    dimension = config.dimensions or min(DIMENSIONS, len(mean))
    if dimension > len(eigenvalues):
        raise ReductionError(
            f"{folder} has {len(eigenvalues):,} eigenvectors, not {dimension:,}. Use --dimensions {len(eigenvalues)} "
            "or less."
        )
    origin = PcaOrigin(
        source=str(folder.absolute()),
        model="",
        weights_sha256="",
        provenance_sha256="",
        part="",
        vectors=0,
        explained=float(eigenvalues[:dimension].sum() / eigenvalues.sum()),
        versions=library_versions(),
    )
    try:
        return Pca(
            mean,
            eigenvectors[:dimension],
            eigenvalues[:dimension],
            config.is_whitened,
            origin,
            np.zeros((0, 8), np.uint8),
        )
    except ValueError as error:
        raise ReductionError(f"{folder} holds no PCA: {error}. Name a folder with {', '.join(FILES)}.") from error

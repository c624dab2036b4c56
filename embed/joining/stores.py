"""Stores of the same videos -> one store, with their vectors side by side.

Row t of a video is row t of the first store; behind it stands, for each other store, the row whose moment is nearest to
its own. So the first store's moments are the grid, and its spans are kept. Views are paired by their names.

Each part may be scaled, so that one with large numbers does not drown the others: to rows of length 1, or by one factor
that gives its numbers a root mean square of 1.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreError, StoreMismatch
from embed.machine import counted, real_path
from embed.store import (
    EmbeddingStore,
    EncoderIdentity,
    Provenance,
    StoreWriter,
    VideoVectors,
    holds_path,
    refuse_store_place,
)

Scaling = Literal["l2", "standardised", "none"]
"""How a part is scaled before it is joined."""

_L2 = 0.0  # as a factor: each row to length 1
_SHOWN = 3
_BLOCK = 64  # videos that are read at once to measure a part


@dataclass(frozen=True)
class JoinReport:
    """What `join_stores` did.

    Args:
        output: path of the new store.
        models: the encoders, in the order of their parts.
        dimensions: numbers of each part.
        videos, vectors: what was written; what an earlier run had written is not counted.
        skipped: videos that an earlier run had written.
        left_out: ids of videos that not all stores have.
    """

    output: str
    models: tuple[str, ...]
    dimensions: tuple[int, ...]
    videos: int
    vectors: int
    skipped: int
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def join_stores(
    stores: Sequence[str | Path],
    output: str | Path,
    *,
    scaling: Scaling = "l2",
    is_common: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> JoinReport:
    """Write a store with the vectors of several stores side by side.

    A run that was killed is continued by the same call.

    Args:
        stores: two or more of the same videos, made by different encoders. They are not changed.
        output: the new store.
        scaling: of each part.
        is_common: True leaves out videos that not all stores have, or whose content differs; False refuses them.
        on_progress: called with (videos done, videos in all).

    Raises:
        StoreError: a store cannot be read or written, or the videos differ.
        StoreMismatch: the vectors of two stores were made in the same way, or cannot be joined; or `output` has vectors
            that were made otherwise.
    """
    if scaling not in get_args(Scaling):
        raise ValueError(f"scaling must be one of {', '.join(get_args(Scaling))}, got {scaling!r}")
    with ExitStack() as opened:
        parts = _open(stores, Path(output), opened)
        _refuse_alike(parts)
        ids, left_out = _shared_videos(parts, is_common=is_common)
        factors = tuple(_factor(part, ids, scaling) for part in parts)
        provenance = _provenance([part.provenance for part in parts], factors)
        return _write(parts, provenance, Path(output), ids, left_out, on_progress)


def join_like(stores: Sequence[str | Path], output: str | Path, provenance: Provenance) -> None:
    """Write a store as one was joined before, with that one's factors, from new stores of its parts.

    Args:
        stores: of the parts of `provenance`, in their order. Videos that not all of them have are left out.
        output: the new store.
        provenance: that of a joined store.

    Raises:
        StoreMismatch: a store is of another encoder than its part.
    """
    with ExitStack() as opened:
        parts = _open(stores, Path(output), opened)
        for part, expected in zip(parts, provenance.parts, strict=True):
            if difference := part.provenance.difference(expected):
                raise StoreMismatch(f"{part.path} is not like the part that it stands for: its {difference}.")
        ids, left_out = _shared_videos(parts, is_common=True)
        _write(parts, provenance, Path(output), ids, left_out, None)


def _open(stores: Sequence[str | Path], output: Path, opened: ExitStack) -> list[EmbeddingStore]:
    if len(stores) < 2:
        raise StoreError(
            f"{counted(len(stores), 'store')} cannot be joined. Name two or more stores of the same videos."
        )
    refuse_store_place(output)
    for store in stores:
        if holds_path(Path(store), output) or real_path(store) == real_path(output):
            raise StoreError(f"{output} is a store that is read. Name a new store.")
    return [opened.enter_context(EmbeddingStore(store)) for store in stores]


def _refuse_alike(parts: Sequence[EmbeddingStore]) -> None:
    first = parts[0].provenance
    for number, part in enumerate(parts):
        made = part.provenance
        if made.parts or made.encoder.stop_before:
            what = (
                "joined already: join the stores that it was made of, all at once"
                if made.parts
                else ("of activations, which a block goes on from: embed the videos without --stop-before")
            )
            raise StoreMismatch(f"{part.path} is {what}.")
        if made.views != first.views:
            raise StoreMismatch(
                f"{part.path} has the views {', '.join(made.views)}, and {parts[0].path} {', '.join(first.views)}. "
                "Embed one of them again with the --views of the other."
            )
        for other in parts[:number]:
            if made.difference(other.provenance) is None:
                raise StoreMismatch(
                    f"{other.path} and {part.path} hold vectors of the same encoder, made in the same way. Merge them "
                    "with inspect-embeddings --merge, or name a store of another encoder."
                )


def _shared_videos(parts: Sequence[EmbeddingStore], *, is_common: bool) -> tuple[list[str], tuple[str, ...]]:
    """Return the ids that all stores have with the same content, and the others, both sorted."""
    contents = [dict(zip(part.ids, part.column("content_hash").tolist(), strict=True)) for part in parts]
    shared, known = [], set().union(*contents)
    absent, other = [], []
    for video_id in sorted(known):
        found = [content[video_id] for content in contents if video_id in content]
        if len(found) < len(parts):
            absent.append(video_id)
        elif len({content for content in found if content}) > 1:
            other.append(video_id)
        else:
            shared.append(video_id)
    left_out = (*absent, *other)
    if left_out and not is_common:
        raise StoreError(_differences(parts, absent, other))
    if not shared:
        raise StoreError(f"{' and '.join(str(part.path) for part in parts)} have no video in common.")
    return shared, left_out


def _differences(parts: Sequence[EmbeddingStore], absent: Sequence[str], other: Sequence[str]) -> str:
    said = []
    if absent:
        lacking = next(part.path for part in parts if absent[0] not in part)
        said.append(f"{counted(len(absent), 'video')} not in all stores, such as {absent[0]}, which {lacking} lacks")
    if other:
        said.append(f"{counted(len(other), 'video')} of other content under one id, such as {other[0]}")
    return (
        f"The videos of the stores differ: {'; '.join(said)}. Embed the same videos with each encoder, or join those "
        "that all have with --common."
    )


def _factor(part: EmbeddingStore, ids: Sequence[str], scaling: Scaling) -> float:
    """Return by what a part is multiplied; 0 for rows of length 1."""
    if scaling != "standardised":
        return _L2 if scaling == "l2" else 1.0
    squares = count = 0.0
    for start in range(0, len(ids), _BLOCK):
        rows, _ = part.read_many(ids[start : start + _BLOCK])
        squares += float(np.square(rows.astype(np.float64)).sum())
        count += rows.size
    # As a float32 that JSON writes in full, so that new videos are scaled by the same number.
    return float(np.float32(np.sqrt(count / squares))) if squares else 1.0


def _provenance(parts: Sequence[Provenance], factors: tuple[float, ...]) -> Provenance:
    first = parts[0]
    hashes = "".join(part.encoder.weights_sha256 for part in parts)
    encoder = EncoderIdentity(
        family="joined",
        model=" + ".join(part.encoder.model for part in parts),
        pretrained="those of its parts",
        weights_sha256=hashlib.sha256(hashes.encode()).hexdigest(),
        dimension=sum(part.encoder.dimension for part in parts),
        preprocessing=first.encoder.preprocessing,
        window=first.encoder.window,
    )
    licence = "; ".join(dict.fromkeys(part.licence for part in parts if part.licence))
    return replace(
        first,
        encoder=encoder,
        storage="float16",
        fidelity=None,
        licence=licence,
        references={},
        parts=tuple(parts),
        factors=factors,
    )


def _write(
    parts: Sequence[EmbeddingStore],
    provenance: Provenance,
    output: Path,
    ids: Sequence[str],
    left_out: tuple[str, ...],
    on_progress: Callable[[int, int], None] | None,
) -> JoinReport:
    vectors = before = 0
    with StoreWriter(output, provenance) as writer:
        before = len(writer.embedded & set(ids))
        for number, video_id in enumerate(ids, 1):
            if video_id not in writer.embedded:
                read = [part.read(video_id) for part in parts]
                rows = _join(read, provenance.factors, len(provenance.views))
                writer.append(parts[0].video(video_id), rows, read[0].timestamps_s, read[0].spans_s)
                vectors += len(rows)
            if on_progress:
                on_progress(number, len(ids))
    return JoinReport(
        output=str(output),
        models=tuple(part.encoder.model for part in provenance.parts),
        dimensions=tuple(part.encoder.dimension for part in provenance.parts),
        videos=len(ids) - before,
        vectors=vectors,
        skipped=before,
        left_out=left_out,
    )


def _join(read: Sequence[VideoVectors], factors: Sequence[float], view_count: int) -> NDArray[np.float32]:
    """Return the (T, D) rows of one video, with those of each part side by side."""
    grid = read[0].timestamps_s.reshape(view_count, -1)
    places = [_nearest(grid, video.timestamps_s.reshape(view_count, -1)) for video in read]
    return np.concatenate(
        [_scaled(video.vectors[place], factor) for video, place, factor in zip(read, places, factors, strict=True)],
        axis=1,
    )


def _nearest(grid_s: NDArray[np.float32], moments_s: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return (V x T,) places of the rows nearest to each moment of a grid; of two that are as near, the earlier.

    Args:
        grid_s: (V, T) moments of the first part, for each view.
        moments_s: (V, S) moments of another, ascending.

    >>> _nearest(np.array([[0, 1, 2, 9]], np.float32), np.array([[0.5, 2.5]], np.float32)).tolist()
    [0, 0, 1, 1]
    """
    middles = (moments_s[:, 1:] + moments_s[:, :-1]) / 2
    found = [np.searchsorted(middle, grid, side="left") for middle, grid in zip(middles, grid_s, strict=True)]
    starts = np.arange(len(moments_s), dtype=np.int64)[:, None] * moments_s.shape[1]
    places: NDArray[np.int64] = (np.stack(found).astype(np.int64) + starts).ravel()
    return places


def _scaled(vectors: NDArray[np.float16], factor: float) -> NDArray[np.float32]:
    rows = vectors.astype(np.float32)
    if factor != _L2:
        return rows * np.float32(factor)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)

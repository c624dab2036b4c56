"""A store -> one of shorter vectors, or of one byte a coefficient. Nothing is decoded or encoded again."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from embed.errors import ReductionError, StoreError
from embed.machine import real_path
from embed.reduction.pca import Pca, read_pca
from embed.store import EmbeddingStore, Provenance, StoreWriter, holds_path, is_store, refuse_store_place


@dataclass(frozen=True)
class ReduceReport:
    """What `reduce_store` did.

    Args:
        store, output: paths of both stores.
        videos, vectors: what was written; what an earlier run had written is not counted.
        skipped: videos that an earlier run had written.
        dimension: the length of the new vectors.
        source_bytes, size_bytes: sizes of both stores.
        clipped_share, quantisation_error: as in `embed.EmbedSummary`.
    """

    store: str
    output: str
    videos: int
    vectors: int
    skipped: int
    dimension: int
    source_bytes: int
    size_bytes: int
    clipped_share: float | None
    quantisation_error: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def reduce_store(
    store: str | Path,
    output: str | Path,
    *,
    pca: str | Path | None = None,
    is_quantised: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ReduceReport:
    """Write a store whose vectors are those that the encoder of another makes if they are reduced at once.

    The two differ by no more than float16 has rounded. A run that was killed is continued by the same call, and a
    second store can be reduced into the same output.

    Args:
        store: the store, of float16. It is not changed.
        output: the new store.
        pca: file of a PCA that was fitted on this store, or on another of the same encoder; None keeps the vectors.
        is_quantised: True stores one byte a coefficient.
        on_progress: called with (videos done, videos in all).

    Raises:
        ReductionError: nothing is to be done, the store is of one byte a coefficient already, or the PCA cannot be
            read.
        EncoderError: the PCA is of another encoder, or the vectors are reduced already.
        StoreError: a store cannot be read or written. StoreMismatch: `output` has vectors that were made otherwise.
    """
    store, output = Path(store), Path(output)
    if pca is None and not is_quantised:
        raise ReductionError("Nothing is to be reduced. Use --pca FILE, --quantize, or both.")
    refuse_store_place(output)
    if holds_path(store, output) or real_path(store) == real_path(output):
        raise StoreError(f"{output} is the store that is read. Name a new store.")
    matrices = read_pca(pca) if pca is not None else None
    with EmbeddingStore(store) as opened:
        provenance = _provenance(opened, matrices, pca, is_quantised)
        _refuse_other_videos(opened, output)
        with StoreWriter(output, provenance) as writer:
            before = len(writer.embedded & set(opened.ids))
            vectors = _copy(opened, writer, matrices, on_progress)
        with EmbeddingStore(output) as written:
            return ReduceReport(
                store=str(store),
                output=str(output),
                videos=len(opened) - before,
                vectors=vectors,
                skipped=before,
                dimension=written.dimension,
                source_bytes=opened.size_bytes,
                size_bytes=written.size_bytes,
                clipped_share=writer.loss.clipped_share,
                quantisation_error=writer.loss.error,
            )


def _provenance(store: EmbeddingStore, matrices: Pca | None, pca: str | Path | None, is_quantised: bool) -> Provenance:
    """Return the provenance of the new vectors."""
    made = store.provenance
    if made.storage != "float16":
        raise ReductionError(
            f"{store.path} holds one byte a coefficient already, which is where reducing ends. Reduce the store that "
            "it came from, or embed the videos again with --pca and --quantize."
        )
    encoder = made.encoder
    if matrices is not None and pca is not None:
        encoder = matrices.identity_of(encoder, pca)
    return replace(made, encoder=encoder, storage="uint8" if is_quantised else made.storage)


def _copy(
    store: EmbeddingStore, writer: StoreWriter, pca: Pca | None, on_progress: Callable[[int, int], None] | None
) -> int:
    """Write what the new store lacks, and return the number of vectors."""
    vectors = 0
    for number, video_id in enumerate(store.ids, 1):
        if video_id not in writer.embedded:
            video = store.read(video_id)
            reduced = pca.apply(video.vectors) if pca else video.vectors
            writer.append(store.video(video_id), reduced, video.timestamps_s, video.spans_s)
            vectors += len(reduced)
        if on_progress:
            on_progress(number, len(store))
    for failure in store.failures:
        if failure.id not in writer.embedded and failure.id not in writer.failed:
            writer.append_failure(failure)
    return vectors


def _refuse_other_videos(store: EmbeddingStore, output: Path) -> None:
    """Raise StoreError if the output has another file's vectors under an id of the store."""
    if not is_store(output):
        return
    with EmbeddingStore(output) as written:
        shared = [video_id for video_id in store.ids if video_id in written]
        for name in ("content_hash", "row_count"):
            here, there = (dict(zip(one.ids, one.column(name).tolist(), strict=True)) for one in (store, written))
            other = next((video_id for video_id in shared if here[video_id] != there[video_id]), None)
            if other is not None:
                raise StoreError(f"{output} has other vectors of {other} than {store.path} has now. Name a new store.")

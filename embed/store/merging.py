"""Merge several stores into one: shards, or stores from several machines."""

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from embed.errors import StoreError, StoreMismatch
from embed.machine import counted, real_path
from embed.store.parts import (
    delete_halves,
    group_parts,
    has_begun,
    is_sharded,
    lock_store,
    part_file,
    piece_files,
    refuse_name,
    unlock_store,
)
from embed.store.pieces import Piece, merge_pieces
from embed.store.reading import EmbeddingStore
from embed.store.tables import decode_text
from embed.store.whole_files import folder_beside, refusal_of

_SHOWN_IDS = 5


def merge_embeddings(sources: Sequence[str | Path], output: str | Path, *, shard_bytes: int = 1 << 30) -> Path:
    """Write a new store with the content of several stores.

    A video that two stores have with the same content hash is kept once. A video that failed in one store and has
    vectors in another keeps the vectors. If `output` holds exactly this content already, as after a run that was killed
    at its very end, it stays.

    Args:
        sources: stores, or single shards of stores, of one provenance. They are not changed.
        output: a new `name.h5`, or a new folder of shards.
        shard_bytes: size up to which shards in a folder are merged; a larger source stays one shard.

    Returns:
        `output`.

    Raises:
        StoreMismatch: the vectors of the stores were made in different ways.
        StoreError: a source cannot be read, two have different videos under one id, or `output` holds something else.
    """
    output = Path(output)
    refuse_name(output, is_copy=True)
    if has_begun(output):
        refuse_other_output(output)
    _check_sources([Path(source) for source in sources])
    if has_begun(output):
        if not _holds_all(output, [Path(source) for source in sources]):
            raise _exists(output)
        unlock_store(output, lock_store(output))  # which deletes what the killed run left
        return output
    # A shard may be named twice, also by its folder or a link: each file is taken once.
    files = list(dict.fromkeys(real_path(file) for source in sources for file in piece_files(Path(source))))
    if is_sharded(output):
        _merge_into_folder(files, output, shard_bytes)
    else:
        _merge_into_file(files, output)
    return output


def refuse_other_output(output: Path) -> None:
    """Raise StoreError if what exists at the path of a new store is no store that an earlier run may have made."""
    try:
        EmbeddingStore(output).close()
    except StoreError as error:
        raise _exists(output) from error


def _exists(output: Path) -> StoreError:
    return StoreError(f"{output} exists already. Name a new file or folder, or remove it first.")


def _holds_all(output: Path, sources: Sequence[Path]) -> bool:
    """Return True if a store has the content of the sources, and nothing else."""
    with ExitStack() as opened:
        made = opened.enter_context(EmbeddingStore(output))
        stores = [opened.enter_context(EmbeddingStore(source)) for source in sources]
        embedded = set().union(*map(_contents, stores))
        ids = {video_id for store in stores for video_id in store.ids}
        failed = {failure.id for store in stores for failure in store.failures} - ids
        return (
            made.provenance.difference(stores[0].provenance) is None
            and _contents(made) <= embedded
            and set(made.ids) == ids
            and {failure.id for failure in made.failures} == failed
        )


def _contents(store: EmbeddingStore) -> set[tuple[object, ...]]:
    """Return what identifies each video and its vectors."""
    columns = (store.column(name).tolist() for name in ("id", "content_hash", "row_count", "crc32"))
    return set(zip(*columns, strict=True))


def _merge_into_file(files: Sequence[Path], output: Path) -> None:
    lock = lock_store(output)
    try:
        delete_halves(output)
        _merge(files, output)
    finally:
        unlock_store(output, lock)


def _merge_into_folder(files: Sequence[Path], output: Path, shard_bytes: int) -> None:
    """Write the shards beside the folder first, so that it appears whole or not at all."""
    together = {group[0]: group for group in group_parts(files, shard_bytes)}
    later = {file for group in together.values() for file in group[1:]}
    with refusal_of(output), folder_beside(output) as shards:
        for number, file in enumerate(file for file in files if file not in later):
            _merge(together.get(file, [file]), part_file(shards, number, number))
        if output.is_dir():  # what a killed run left before its first shard
            unlock_store(output, lock_store(output))
        shards.replace(output)


def _merge(files: Sequence[Path], target: Path) -> None:
    with ExitStack() as opened:
        merge_pieces(target, [opened.enter_context(Piece(file)) for file in files])


def _check_sources(sources: Sequence[Path]) -> None:
    with ExitStack() as opened:
        stores = [opened.enter_context(EmbeddingStore(source)) for source in sources]
        for store in stores[1:]:
            difference = store.provenance.difference(stores[0].provenance)
            if difference:
                raise StoreMismatch(
                    f"{store.path} was made in another way than {stores[0].path}: its {difference}. One store can only "
                    f"hold vectors that were made in the same way. {_remedy(store, stores[0])}"
                )
        _check_ids(stores)


def _remedy(store: EmbeddingStore, other: EmbeddingStore) -> str:
    if store.provenance.difference(replace(other.provenance, storage=store.provenance.storage)):
        return "Embed its videos again with the settings of the other."
    halves = store if store.provenance.storage == "float16" else other
    return f"Make it one byte a coefficient, too: reduce-store {shlex.quote(str(halves.path))} -o NEW.h5 --quantize"


def _check_ids(stores: Sequence[EmbeddingStore]) -> None:
    ids = np.concatenate([store.column("id") for store in stores])
    hashes = np.concatenate([store.column("content_hash") for store in stores])
    order = np.argsort(ids, kind="stable")
    ids, hashes = ids[order], hashes[order]
    is_clash = (ids[1:] == ids[:-1]) & ((hashes[1:] != hashes[:-1]) | (hashes[1:] == b""))
    clashes = [decode_text(stored) for stored in ids[1:][is_clash].tolist()]
    if clashes:
        shown = ", ".join(clashes[:_SHOWN_IDS]) + (" ..." if len(clashes) > _SHOWN_IDS else "")
        raise StoreError(
            f"Different videos have the same id in these stores ({counted(len(clashes), 'id')}): {shown}. Embed one of "
            "the folders again from a folder above it, so that its ids differ."
        )

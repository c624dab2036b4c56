"""Make one store of several: of shards, or of stores from several machines."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from embed.errors import StoreError, StoreMismatch
from embed.store.parts import group_parts, is_sharded, lock_store, part_file, parts_folder, piece_files, unlock_store
from embed.store.pieces import Piece, merge_pieces
from embed.store.reading import EmbeddingStore
from embed.store.tables import decode_text
from embed.store.whole_files import refusal_of

_SHOWN_IDS = 5


def merge_embeddings(sources: Sequence[str | Path], output: str | Path, *, shard_bytes: int = 1 << 30) -> Path:
    """Write a new store that holds what several stores hold.

    A video that two stores have with the same content hash is kept once. One that failed in one store and has vectors
    in another has vectors.

    Args:
        sources: stores, or single shards of stores, of one provenance. They stay as they are.
        output: a new `name.h5`, or a new folder, whose shards are merged up to a size; a larger source stays one shard.
        shard_bytes: that size.

    Returns:
        `output`.

    Raises:
        StoreMismatch: the stores' vectors were made differently.
        StoreError: a source cannot be read, two have different videos under one id, or `output` exists.
    """
    output = Path(output)
    check_is_new(output)
    _check_sources([Path(source) for source in sources])
    # A shard named again, also through its folder or a link, is one file: shards are told apart by their files.
    files = list(dict.fromkeys(file.resolve() for source in sources for file in piece_files(Path(source))))
    if is_sharded(output):
        _merge_into_folder(files, output, shard_bytes)
    else:
        _merge_into_file(files, output)
    return output


def check_is_new(output: Path) -> None:
    """Raise StoreError where something lies at a path that shall become a store."""
    if output.exists() or parts_folder(output).exists():
        raise StoreError(f"{output} exists already. Name a new file or folder, or remove it first.")


def _merge_into_file(files: Sequence[Path], output: Path) -> None:
    lock = lock_store(output)
    try:
        _merge(files, output)
    finally:
        unlock_store(output, lock)


def _merge_into_folder(files: Sequence[Path], output: Path, shard_bytes: int) -> None:
    """Write the shards beside, so that the folder appears whole or not at all."""
    together = {group[0]: group for group in group_parts(files, shard_bytes)}
    later = {file for group in together.values() for file in group[1:]}
    with refusal_of(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{output.name}.", dir=output.parent) as beside:
            shards = Path(beside) / "shards"
            shards.mkdir()
            for number, file in enumerate(file for file in files if file not in later):
                _merge(together.get(file, [file]), part_file(shards, number, number))
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
                    f"{store.path} was made otherwise than {stores[0].path}: its {difference}. Only vectors that were "
                    "made alike can be in one store: embed its videos again with the settings of the other."
                )
        _check_ids(stores)


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
            f"{len(clashes)} ids stand for different videos in these stores: {shown}. Embed one of the folders again "
            "from a folder above it, so that its ids differ."
        )

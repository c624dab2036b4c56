"""New videos whose content a store holds already, under whatever name: they need not be decoded again."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embed import Video, hash_content, is_remote
from embed.store import EmbeddingStore, Provenance, decode_text, is_store


@dataclass(frozen=True)
class KnownVideo:
    """A new video, and the video of a store that has its content.

    Args:
        video: the new video.
        store: which store, counted from 0.
        stored_id: its id there.
    """

    video: Video
    store: int
    stored_id: str


def stores_like(paths: Iterable[str | Path], made: Provenance) -> list[Path]:
    """Return those of the paths that are stores of vectors like those of a provenance."""
    return [Path(path) for path in paths if Path(path).exists() and is_store(path) and _is_like(path, made)]


def find_known(videos: Sequence[Video], stores: Sequence[EmbeddingStore]) -> list[KnownVideo]:
    """Return the local videos whose content a store holds. A file is read only if a stored one is as large.

    Args:
        videos: new videos.
        stores: open stores; where several have the content, the first counts.
    """
    by_hash: dict[bytes, tuple[int, int]] = {}
    sizes: set[int] = set()
    for number, store in reversed([*enumerate(stores)]):
        hashes = store.column("content_hash").tolist()
        by_hash |= {own: (number, place) for place, own in enumerate(hashes) if own}
        sizes |= set(store.column("size_bytes").tolist())
    found = []
    for video in videos if by_hash else ():
        content = _hash_of(video, sizes)
        if content in by_hash:
            number, place = by_hash[content]
            found.append(KnownVideo(video, number, decode_text(stores[number].column("id")[place])))
    return found


def _is_like(path: str | Path, made: Provenance) -> bool:
    with EmbeddingStore(path) as store:
        return store.provenance.difference(made) is None


def _hash_of(video: Video, sizes: set[int]) -> bytes:
    """Return the content hash of a local file; nothing if no stored file is as large. 0: sizes were not kept then."""
    with suppress(OSError, ValueError):
        if not is_remote(video.address) and (0 in sizes or os.stat(video.location).st_size in sizes):  # noqa: PTH116
            return hash_content(video.location).encode()
    return b""

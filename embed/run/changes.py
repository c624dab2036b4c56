"""Find the videos of a store whose files have changed since they were embedded, and names that mean another video."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from embed.errors import SourceError
from embed.machine import counted
from embed.sources import Video, hash_content, is_remote, is_same_place
from embed.store import EmbeddingStore, decode_text


class _Embedded(NamedTuple):
    """What a store holds about a video, texts as bytes."""

    location: bytes
    modified_s: float
    content_hash: bytes


def changed_videos(store: str | Path, videos: Sequence[Video]) -> set[str]:
    """Return the ids of local videos whose files have changed since they were embedded.

    A file is read (its beginning and end) only if its modification time differs from the stored one, or if it is in
    another place than the file that was embedded. Remote videos are not checked.

    Raises:
        SourceError: a video in another place has the name of a video in the store, but other content.
        StoreError: the store cannot be read.
    """
    with EmbeddingStore(store) as opened:
        columns = [opened.column(name).tolist() for name in _Embedded._fields]
        embedded = dict(zip(opened.ids, map(_Embedded._make, zip(*columns, strict=True)), strict=True))
    changed, clashing = set[str](), list[tuple[Video, str]]()
    for video in videos:
        was = embedded.get(video.id)
        if was is None:
            continue
        old_location = decode_text(was.location)
        if is_same_place(old_location, video.location):
            changed |= {video.id} if _is_touched(video, was) and _has_other_content(video, was) else set()
        elif is_remote(video.address) or _has_other_content(video, was):
            clashing.append((video, old_location))
    if clashing:
        raise _name_clash(store, clashing)
    return changed


def _is_touched(video: Video, was: _Embedded) -> bool:
    try:
        return not is_remote(video.address) and Path(video.location).stat().st_mtime != was.modified_s
    except OSError:  # the vectors of a file that is gone, or cannot be read, stay as they are
        return False


def _has_other_content(video: Video, was: _Embedded) -> bool:
    try:
        return hash_content(video.location).encode() != was.content_hash
    except OSError:
        return False


def _name_clash(store: str | Path, clashing: Sequence[tuple[Video, str]]) -> SourceError:
    video, old_location = clashing[0]
    others = f" The same is true of {counted(len(clashing) - 1, 'other video')}." if len(clashing) > 1 else ""
    return SourceError(
        f"{video.id} in {store} was embedded from {old_location}, but {video.location} is another video of that name."
        f"{others} Embed a folder above both, so that their names differ, or write to another store with -o."
    )

"""Which videos of a store are other files today than when they were embedded."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from embed.decode_worker import hash_content
from embed.locations import is_remote
from embed.store import EmbeddingStore
from embed.videos import Video


def changed_videos(store: str | Path, videos: Sequence[Video]) -> set[str]:
    """Return the ids of local videos whose files have other content than the one that was embedded.

    A file is read, both its ends, only where its modification time is not the one that was stored. Far videos are not
    asked for.

    Raises:
        StoreError: the store cannot be read.
    """
    with EmbeddingStore(store) as opened:
        known = opened.column("modified_s").tolist(), opened.column("content_hash").tolist()
        embedded_as = dict(zip(opened.ids, zip(*known, strict=True), strict=True))
    return {
        video.id
        for video in _local_files(videos)
        if video.id in embedded_as and _is_changed(video, *embedded_as[video.id])
    }


def _local_files(videos: Sequence[Video]) -> Iterator[Video]:
    return (video for video in videos if not is_remote(video.address))


def _is_changed(video: Video, modified_s: float, content_hash: bytes) -> bool:
    try:
        if Path(video.location).stat().st_mtime == modified_s:
            return False
        return hash_content(video.location).encode() != content_hash
    except OSError:  # a file that is gone, or cannot be read, leaves its vectors as they are
        return False

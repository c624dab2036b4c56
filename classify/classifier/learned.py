"""Which videos a head has learned from, kept in its folder, so that it is not tested on them by mistake.

    head/learned.txt    a line for each training and validation video: 16 hex digits of a sha256

The digits are of a video's content hash, or of its id where the store knows no content: they tell that a video is the
same file under another name, and give away neither names nor labels.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from classify.classifier.head_folder import LEARNED_FILE as LEARNED_FILE, read_file
from embed.store import EmbeddingStore

_DIGITS = 16


def digest_videos(store: EmbeddingStore, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the line of each video, (N,)."""
    hashes = dict(zip(store.ids, store.column("content_hash").tolist(), strict=True))
    keys = (hashes[video_id] or f"id {video_id}".encode("utf-8", "surrogateescape") for video_id in ids)
    return tuple(sha256(key).hexdigest()[:_DIGITS] for key in keys)


def read_learned(head: Path) -> frozenset[str] | None:
    """Return the lines of a head's folder; None if they cannot be read, as where another program made the head."""
    try:
        return frozenset(read_file(head, LEARNED_FILE).decode("ascii").split())
    except (OSError, UnicodeDecodeError):
        return None

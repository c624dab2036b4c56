"""Which videos a head has learned from, kept in its folder, so that it is not tested on them by mistake.

    head/learned.txt    a line for each training and validation video: 16 hex digits of a sha256

The digits are of a video's content hash, or of its id where the store knows no content: they tell that a video is the
same file under another name, and give away neither names nor labels.
"""

from collections.abc import Sequence
from pathlib import Path

from classify.classifier.head_folder import LEARNED_FILE as LEARNED_FILE, read_file
from classify.data import content_hashes
from classify.files import hash_text
from embed.store import EmbeddingStore

_DIGITS = 16


def digest_videos(store: EmbeddingStore, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the line of each video, (N,)."""
    keys = (known or f"id {video_id}" for video_id, known in zip(ids, content_hashes(store, ids), strict=True))
    return tuple(hash_text(key)[:_DIGITS] for key in keys)


def read_learned(head: Path) -> frozenset[str] | None:
    """Return the lines of a head's folder; None if they cannot be read, as where another program made the head."""
    try:
        return frozenset(read_file(head, LEARNED_FILE).decode("ascii").split())
    except (OSError, UnicodeDecodeError):
        return None

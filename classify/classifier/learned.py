"""Which videos a head has learned from, kept in its folder, so that it is not tested on them by mistake.

    head/learned.txt    lines for each training and validation video: 16 hex digits of a sha256

The digits are of a video's content hash, where the store knows it, and of its id. They tell that a video is the same
file under another name, and give away neither names nor labels. A video whose content is unknown is looked for by its
id.
"""

from collections.abc import Sequence
from pathlib import Path

from classify.classifier.head_folder import LEARNED_FILE as LEARNED_FILE, read_file
from classify.files import hash_text
from embed.store import DIGEST_BYTES, EmbeddingStore, digest_videos as digests_of


def list_learned(store: EmbeddingStore, ids: Sequence[str]) -> str:
    """Return the text of the file for the videos that a head has learned from."""
    by_id = (hash_text(f"id {video_id}")[: 2 * DIGEST_BYTES] for video_id in ids)
    return "\n".join((*dict.fromkeys((*digest_videos(store, ids), *by_id)), ""))


def digest_videos(store: EmbeddingStore, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the line by which each video is looked for, (N,): of its content, or of its id."""
    return tuple(digest.tobytes().hex() for digest in digests_of(store, ids))


def read_learned(head: Path) -> frozenset[str] | None:
    """Return the lines of a head's folder; None if they cannot be read, as where another program made the head."""
    try:
        return frozenset(read_file(head, LEARNED_FILE).decode("ascii").split())
    except (OSError, UnicodeDecodeError):
        return None

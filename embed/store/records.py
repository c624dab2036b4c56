"""What a store knows of one video: a record of it, or the failure that it was."""

from dataclasses import dataclass

from embed.errors import FailureReason


@dataclass(frozen=True)
class VideoRecord:
    """What is known of an embedded video beside its vectors.

    Args:
        id: its name in the store.
        location: where it was read from.
        content_hash: `embed.decode_pool.hash_content` of the file, which tells re-uploads and changed files.
        frame_count: frames on its timeline.
        duration_s, fps: from its packets.
        width_px, height_px: as stored, before any rotation.
        modified_s: when a local file was last changed, seconds since 1970; 0 for a far one.
    """

    id: str
    location: str = ""
    content_hash: str = ""
    frame_count: int = 0
    duration_s: float = 0.0
    fps: float = 0.0
    width_px: int = 0
    height_px: int = 0
    modified_s: float = 0.0


@dataclass(frozen=True)
class Failure:
    """A video that gave no vectors, and why.

    Args:
        id: its name, as it would stand in the store.
        location: where it was to be read from.
        reason: a code of `embed.errors.FailureReason`.
        detail: what happened, for people.
        attempts: how often it was tried.
    """

    id: str
    location: str
    reason: FailureReason
    detail: str
    attempts: int = 1

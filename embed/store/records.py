"""What a store holds about one video beside its vectors: a record, or a failure."""

from dataclasses import dataclass

from embed.errors import FailureReason
from embed.sources import without_secrets


@dataclass(frozen=True)
class VideoRecord:
    """The properties of an embedded video.

    Args:
        id: its name in the store.
        location: path or address from which it was read.
        content_hash: `embed.sources.hash_content` of the file. It shows re-uploads and changed files.
        frame_count: frames on its timeline.
        duration_s, fps: from its packets.
        width_px, height_px: as stored, before any rotation.
        modified_s: when a local file was last changed, in seconds since 1970; 0 for a remote one.
        size_bytes: size of a local file; 0 for a remote one, and where a store was made before sizes were kept.
        listed_in: absolute path of the list that named it; empty if another kind of source did.
        start_s: the moment of its first frame, on the clock of `timestamps_s`; 0 where a store was made before starts
            were kept.
        damaged_count: how many of its chosen frames do not decode, so that the one before stands in, or are marked as
            damaged by FFmpeg; 0 where a store was made before they were counted.
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
    size_bytes: int = 0
    listed_in: str = ""
    start_s: float = 0.0
    damaged_count: int = 0


@dataclass(frozen=True)
class Failure:
    """A video that gave no vectors, and why.

    Args:
        id: the name that it would have in the store.
        location: path or address from which it should have been read.
        reason: a code of `embed.errors.FailureReason`.
        detail: what happened, as text for people.
        attempts: number of tries.
        modified_s, size_bytes: of the local file when it was read; 0 if it was not read.
        listed_in: as in `VideoRecord`.
    """

    id: str
    location: str
    reason: FailureReason
    detail: str
    attempts: int = 1
    modified_s: float = 0.0
    size_bytes: int = 0
    listed_in: str = ""


def kept_location(location: str) -> str:
    """Return a path or an address as records have it: an address without what may be secret in it."""
    return without_secrets(location)


ADDED_LATER = {
    "videos": frozenset({"size_bytes", "listed_in", "start_s", "damaged_count"}),
    "failures": frozenset({"modified_s", "size_bytes", "listed_in"}),
}
"""Columns that older stores lack. They read as 0 or empty there."""

"""What can go wrong while videos become vectors.

EmbedError                  anything below, for callers who want one `except`
├── SourceError             a source names nothing that can be embedded
├── VideoError              one video gives no frames; carries a reason code, becomes a `Failure`
├── EncoderError            an encoder cannot be built
│   └── WeightsUnavailable  its weights can be had neither from a hub nor from a file
└── StoreError              a store cannot be opened or written
    ├── StoreMismatch       made by another encoder, weights, preprocessing or sampling
    ├── StoreDamaged        the file is a store no longer, or never was one
    └── StoreBusy           another process is writing to it
"""

from typing import Literal

FailureReason = Literal[
    "not_found",
    "unreadable",
    "no_video_stream",
    "no_frames",
    "decode_error",
    "encode_error",
    "fetch_error",
    "timeout",
    "out_of_memory",
    "crashed",
]
"""Why a video has no vectors. Codes are stored, so they are never renamed."""


class EmbedError(Exception):
    """Anything that `embed` reports to its caller."""


class SourceError(EmbedError):
    """A source is absent, empty or not readable as a list of videos."""


class VideoError(EmbedError):
    """One video cannot be turned into frames.

    Args:
        reason: the code that is stored with the failure.
        detail: what happened, for people.
    """

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: FailureReason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class EncoderError(EmbedError):
    """An encoder's name is unknown, or its model cannot be built."""


class WeightsUnavailable(EncoderError):
    """An encoder's weights can be had neither from a hub nor from a file."""


class StoreError(EmbedError):
    """A store cannot be opened, read or written."""


class StoreMismatch(StoreError):
    """Vectors of different encoders, weights, preprocessing or sampling would mix."""


class StoreDamaged(StoreError):
    """A file is not a store, or no longer a whole one."""


class StoreBusy(StoreError):
    """Another process is writing to the store."""

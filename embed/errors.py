"""What can go wrong while videos become vectors.

EmbedError                  any of the errors below, for callers who catch all of them
├── SourceError             a source contains nothing that can be embedded
├── VideoError              one video gives no frames; it has a reason code and becomes a `Failure`
├── OutputError             a file may not be written: it is an input or somebody's file, or the disk refuses
├── EncoderError            an encoder cannot be built, or does not keep its contract
│   └── WeightsUnavailable  its weights are available neither from a hub nor from a file
├── ReductionError          vectors cannot be reduced, or a file is no PCA
└── StoreError              a store cannot be opened or written
    ├── StoreMismatch       it was made with another encoder, weights, preprocessing or sampling
    ├── StoreDamaged        the file is no longer a store, or never was one
    └── StoreBusy           another process is writing to it
"""

from typing import Literal

FailureReason = Literal[
    "not_found",
    "unreadable",
    "no_video_stream",
    "no_frames",
    "encrypted",
    "damaged",
    "decode_error",
    "encode_error",
    "fetch_error",
    "refused",
    "timeout",
    "out_of_memory",
    "crashed",
    "changed_while_read",
]
"""Why a video has no vectors. Codes are stored, so they are never renamed."""


class EmbedError(Exception):
    """Any error that `embed` reports to its caller."""


class SourceError(EmbedError):
    """A source does not exist, is empty, or cannot be read as a list of videos."""


class OutputError(EmbedError):
    """A file may not be written: it is an input, holds something else than an earlier output, or the disk refuses."""


class VideoError(EmbedError):
    """One video cannot be turned into frames.

    Args:
        reason: the code that is stored with the failure.
        detail: what happened, as text for people.
    """

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: FailureReason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class EncoderError(EmbedError):
    """An encoder's name is unknown, its model cannot be built, or it does not keep the contract of an encoder."""


class WeightsUnavailable(EncoderError):
    """An encoder's weights are available neither from a hub nor from a file."""


class ReductionError(EmbedError):
    """A PCA cannot be fitted or read, or there is nothing to reduce."""


class StoreError(EmbedError):
    """A store cannot be opened, read or written."""


class StoreMismatch(StoreError):
    """Vectors made with different encoders, weights, preprocessing or sampling would be mixed."""


class StoreDamaged(StoreError):
    """A file is not a store, or is damaged."""


class StoreBusy(StoreError):
    """Another process is writing to the store."""

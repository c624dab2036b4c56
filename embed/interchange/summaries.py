"""What an import and an export did."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Args:
        store: path of the store.
        labels: path of its label file; empty if no record has a label.
        segments: path of the file of segments; empty if no record has any.
        files: TFRecord files that were read.
        imported: videos that were added to the store; with segments, these.
        skipped: those that were in the store already.
        changed_count: how many of these have other vectors in the files now; the store keeps its own.
        changed: ids of the first of these.
        unlabelled: records that were left out, since they have none of the wanted labels, or no segment.
        repeated: records of a video that an earlier record of these files had; they were left out.
        vectors: rows that were added.
        damaged: number of records that could not be read.
        damage: the first of them: "file, byte 123: what is wrong".
        label_counts: label -> number of its videos in the label file; with segments, of segments that show it.
        bytes_read: size of the files.
        seconds: wall time.
    """

    store: str
    labels: str
    segments: str
    files: int
    imported: int
    skipped: int
    changed_count: int
    changed: tuple[str, ...]
    unlabelled: int
    repeated: int
    vectors: int
    damaged: int
    damage: tuple[str, ...]
    label_counts: dict[str, int] = field(repr=False)
    bytes_read: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


@dataclass(frozen=True)
class ExportSummary:
    """What an export did.

    Args:
        store, output: the paths of the store and of the folder.
        labels: path of the label file that was read; empty if there is none.
        vocabulary: path of the `vocabulary.csv` that was written; empty if the labels are numbers already.
        files: TFRecord files that were written.
        videos, vectors: what they hold.
        unlabelled: videos that the label file does not name; they are written without labels.
        clipped_share: share of the coefficients beyond +-2, which one byte cuts off; None if none was made a byte.
        replaced: a sentence about what was replaced; None if nothing.
        size_bytes: size of the files.
        seconds: wall time.
    """

    store: str
    output: str
    labels: str
    vocabulary: str
    files: int
    videos: int
    vectors: int
    unlabelled: int
    clipped_share: float | None
    replaced: str | None
    size_bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

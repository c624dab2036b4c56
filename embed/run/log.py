"""The log of a run: one line with a JSON object for each video, appended when the video is done.

    {"time": ..., "id": ..., "location": ..., "status": "embedded", "vectors": 100, "encoded": 97, "duration_s": 60.0,
     "fetch_s": 0.0, "fetched_bytes": 0, "decode_s": 2.3, "decode_cpu_s": 3.9}
    {"time": ..., "id": ..., "location": ..., "status": "failed", "reason": "timeout", "detail": ..., "attempts": 1}
    {"time": ..., "id": ..., "location": ..., "status": "moved", "old_id": ...}
    {"time": ..., "id": ..., "location": ..., "status": "dropped"}

`encoded` counts the frames that differ from the one before. `damaged` is present if some of the chosen frames do not
decode, or only in part, and counts them. `cpu_reason` is present if the CPU decoded a video that a
GPU should have decoded. `moved` is a video that keeps its vectors under a new id or in a new place, and `dropped` one
that `--prune` took out of the store. `time` is ISO 8601, UTC.

A program follows a run through a `RunListener`, which gets each video as soon as it is embedded.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, Self, final

import numpy as np

from embed.errors import EmbedError
from embed.machine import refuse_output, remedy_for
from embed.run.encoding import EncodedVideo
from embed.sources import Video
from embed.store import Failure, Provenance, VideoRecord, VideoVectors, dequantise, holds_path, quantise

_LONGEST_LINE_BYTES = 1 << 20


def refuse_log(path: str | Path | None, store: str | Path | None = None) -> None:
    """Raise EmbedError unless a log can be written at a path: it is new, empty, the log of earlier runs, or a stream.

    A run calls this before it begins to work, with its store, which no log may be, lie in or be in the way of.
    """
    if path is None:
        return
    if Path(path).is_char_device() or Path(path).is_fifo():  # a terminal, or the input of another program
        return
    refuse_output(path, kind="a log", recognise=_describe_log, overwrite=None)
    if store is not None and holds_path(Path(store), Path(path)):
        raise EmbedError(f"The log {path} would be in the place of the store {store}, or in it. Name another file.")


def _describe_log(path: Path) -> str | None:
    """Return "the log" for a file whose first line a run wrote, or began to write before it was killed."""
    with path.open("rb") as file:
        line = file.readline(_LONGEST_LINE_BYTES)
    if not line.endswith(b"\n"):
        return "the log" if line.startswith(b'{"time": "') else None
    found = json.loads(line)
    return "the log" if isinstance(found, dict) and found.keys() >= {"time", "id", "location", "status"} else None


@final
class RunLog:
    """Appends to a log.

    Args:
        path: created if it does not exist; None logs nothing.

    Raises:
        EmbedError: it cannot be written.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            refuse_log(path)
            try:
                # Line by line, so that the log of a killed run ends with its last finished video.
                # A name that is not UTF-8 becomes JSON's own escape, \udce9, which reads back as the same name.
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                self._file = Path(path).open("a", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
            except OSError as error:
                raise EmbedError(
                    f"The log {path} cannot be written: {error.strerror}. Name another file with --log."
                ) from error

    @contextmanager
    def embedding(self, encoded: EncodedVideo, is_taken: Callable[[], bool]) -> Iterator[None]:
        """Log a video once the store has its vectors, also where Ctrl-C comes while they are committed.

        Args:
            encoded: the video.
            is_taken: tells whether the store has taken the vectors. What it took, it commits before it ends.
        """
        try:
            yield
        except KeyboardInterrupt:
            if is_taken():
                self.embedded(encoded)
            raise
        self.embedded(encoded)

    def embedded(self, encoded: EncodedVideo) -> None:
        """Log a video whose vectors are in the store."""
        video = encoded.video
        self._append(
            id=video.record.id,
            location=video.record.location,
            status="embedded",
            vectors=len(encoded.vectors),
            encoded=encoded.encoded_count,
            duration_s=round(video.record.duration_s, 3),
            fetch_s=round(video.fetch_s, 3),
            fetched_bytes=video.fetched_bytes,
            decode_s=round(video.decode_s, 3),
            decode_cpu_s=round(video.cpu_s, 3),
            **({"damaged": video.record.damaged_count} if video.record.damaged_count else {}),
            **({"cpu_reason": video.cpu_reason} if video.cpu_reason else {}),
        )

    def failed(self, failure: Failure) -> None:
        """Log a video without vectors."""
        cells = asdict(failure)
        self._append(id=cells.pop("id"), location=cells.pop("location"), status="failed", **cells)

    def moved(self, old_id: str, video: Video) -> None:
        """Log a video that keeps its vectors under a new id or in a new place."""
        self._append(id=video.id, location=video.location, status="moved", old_id=old_id)

    def dropped(self, video_id: str, location: str) -> None:
        """Log a video or failure that is no longer in the store."""
        self._append(id=video_id, location=location, status="dropped")

    def _append(self, **values: Any) -> None:
        if self._file:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            try:
                self._file.write(json.dumps({"time": moment, **values}, ensure_ascii=False) + "\n")
            except OSError as error:
                raise EmbedError(
                    f"The log {self._file.name} cannot be written: {error.strerror}. Embedded videos are kept. "
                    f"{remedy_for(error, 'Free some disk space')} or leave out --log, and run the same command again."
                ) from error

    def close(self) -> None:
        """Close the file."""
        if self._file:
            with suppress(OSError):  # on a full disk, closing tries the failed line again, which was reported already
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RunListener(Protocol):
    """Follows a run of `embed_videos`. All methods are called in the thread that called it."""

    def wants(self, video: Video) -> bool:
        """Return False to leave a video out. Called for each that the sources name."""

    def take(self, record: VideoRecord, vectors: VideoVectors) -> None:
        """Take a video that this run has embedded; its vectors are as they will be read from the store."""

    def take_failure(self, failure: Failure) -> None:
        """Take a video that this run could not embed."""


def as_stored(result: EncodedVideo, provenance: Provenance) -> VideoVectors:
    """Return the vectors of a video as they are read from a store of this provenance."""
    is_coded = provenance.storage == "uint8"
    rows = dequantise(quantise(result.vectors)) if is_coded else result.vectors.astype(np.float16)
    moments = result.video.timestamps_s.astype(np.float32)
    spans_s = result.video.spans_s if provenance.has_spans else np.column_stack([moments, moments])
    return VideoVectors(rows, moments, spans_s.astype(np.float32))

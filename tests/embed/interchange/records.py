"""TFRecords as other programs write them, by the package `tfrecord`, and videos to write."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tfrecord.writer import TFRecordWriter

Codes = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def codes_of(seed: int, frames: int = 5) -> Codes:
    """Return made rgb (T, 1024) and audio (T, 128) bytes."""
    random = np.random.default_rng(seed)
    return tuple(random.integers(0, 256, (frames, size), dtype=np.uint8) for size in (1024, 128))  # type: ignore[return-value]


def write_frames(path: Path, videos: Sequence[tuple[str, Sequence[int], Codes]], *, id_name: str = "id") -> Path:
    """Write frame-level records: id, labels, and the bytes of each frame."""
    writer = TFRecordWriter(str(path))
    for video_id, labels, (rgb, audio) in videos:
        context = {id_name: (video_id.encode(), "byte"), "labels": (list(labels), "int")}
        lists = {name: ([row.tobytes() for row in rows], "byte") for name, rows in (("rgb", rgb), ("audio", audio))}
        writer.write(context, lists)
    writer.close()
    return path


def write_means(path: Path, videos: Sequence[tuple[str, Sequence[int], NDArray[np.float32]]]) -> Path:
    """Write video-level records: id, labels, and (1152,) means."""
    writer = TFRecordWriter(str(path))
    for video_id, labels, means in videos:
        writer.write(
            {
                "id": (video_id.encode(), "byte"),
                "labels": (list(labels), "int"),
                "mean_rgb": (means[:1024].tolist(), "float"),
                "mean_audio": (means[1024:].tolist(), "float"),
            }
        )
    writer.close()
    return path

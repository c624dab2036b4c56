"""TFRecords as other programs write them, by the package `tfrecord`, and videos to write."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tfrecord.writer import TFRecordWriter

Codes = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""rgb (T, 1024) and audio (T, 128)."""


def codes_of(seed: int, frames: int = 5) -> Codes:
    """Return made rgb (T, 1024) and audio (T, 128) bytes."""
    random = np.random.default_rng(seed)
    return tuple(random.integers(0, 256, (frames, size), dtype=np.uint8) for size in (1024, 128))  # type: ignore[return-value]


def dequantised(codes: Codes) -> NDArray[np.float64]:
    """Return what bytes stand for, (T, 1152), by the formula of YouTube-8M's own reader."""
    joined = np.concatenate(codes, axis=1).astype(np.float64)
    scalar, bias = 4 / 255, 4 / 512 - 2
    return joined * scalar + bias


def write_frames(
    path: Path,
    videos: Sequence[tuple[str, Sequence[int], Codes]],
    *,
    id_name: str = "id",
    more: Mapping[str, tuple[Any, str]] | None = None,
) -> Path:
    """Write frame-level records: id, labels, and the bytes of each frame; `more` is added to each context."""
    writer = TFRecordWriter(str(path))
    for video_id, labels, (rgb, audio) in videos:
        context = {id_name: (video_id.encode(), "byte"), "labels": (list(labels), "int"), **(more or {})}
        lists = {name: ([row.tobytes() for row in rows], "byte") for name, rows in (("rgb", rgb), ("audio", audio))}
        writer.write(context, lists)
    writer.close()
    return path


def write_segments(path: Path, video_id: str, parts: Sequence[tuple[int, int, float]], *, frames: int = 20) -> Codes:
    """Write a record with segments of 5 s: (start, label, score); return its codes."""
    codes = codes_of(0, frames=frames)
    starts, labels, scores = ([part[place] for part in parts] for place in range(3))
    more = {
        "segment_start_times": (starts, "int"),
        "segment_end_times": ([start + 5 for start in starts], "int"),
        "segment_labels": (labels, "int"),
        "segment_scores": (scores, "float"),
    }
    write_frames(path, [(video_id, [3], codes)], more=more)
    return codes


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

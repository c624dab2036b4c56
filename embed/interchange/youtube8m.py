"""A record of YouTube-8M: the vectors and the labels of a video, at frame level or at video level.

Frame level is a SequenceExample: `id` (in older files `video_id`) and `labels` in the context, `rgb` (1,024 bytes a
frame) and `audio` (128 bytes) as lists, one frame a second. Video level is an Example with `mean_rgb` and `mean_audio`.
Files of segments are frame level, and have parts of 5 s that people looked at.

Source: https://research.google.com/youtube8m/download.html, "Dataset Information".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embed.interchange.examples import MessageError, new_example, parse_example
from embed.store import dequantise

Feature = Literal["rgb", "audio"]
FAMILY = "youtube8m"
"""The family of its networks, as stores name it. No encoder here makes its vectors."""
MEAN = "mean of all frames"
"""The sampling of video level."""
DIMENSIONS: dict[Feature, int] = {"rgb": 1024, "audio": 128}
SEGMENT_S = 5
"""The length of a segment. Records have its end, too, which is this much later."""
_ID_NAMES = ("id", "video_id")


@dataclass(frozen=True)
class Segment:
    """A part of a video that people looked at.

    Args:
        start_s, end_s: seconds from the start of the video.
        label: the label that was asked about.
        is_seen: True if the part shows it.
    """

    start_s: float
    end_s: float
    label: int
    is_seen: bool


@dataclass(frozen=True)
class LabelledVectors:
    """One video of YouTube-8M.

    Args:
        id: its name in the data set, which is not its name on YouTube.
        vectors: (T, D) float16; T is 1 at video level.
        labels: numbers of the vocabulary.
        segments: parts that were looked at.
    """

    id: str
    vectors: NDArray[np.float16]
    labels: tuple[int, ...]
    segments: tuple[Segment, ...] = ()


def is_frame_level(record: bytes) -> bool:
    """Return True if a record has a vector for each frame, False if it has one for the video.

    Raises:
        MessageError: it is no record of YouTube-8M.
    """
    parsed = parse_example(record)
    if parsed.feature_lists.feature_list:
        return True
    if any(f"mean_{name}" in parsed.context.feature for name in DIMENSIONS):
        return False
    raise MessageError("it has neither rgb nor audio, neither of frames nor of the video")


def read_video(record: bytes, features: Sequence[Feature], *, most_frames: int | None = None) -> LabelledVectors:
    """Return the video of a record.

    Args:
        record: an Example or a SequenceExample.
        features: the kinds of vectors, joined in this order. Where one has more frames, its last are left out.
        most_frames: leave out all frames behind these.

    Raises:
        MessageError: it is no record of YouTube-8M, or lacks one of the features.
    """
    parsed = parse_example(record)
    context = parsed.context.feature
    if parsed.feature_lists.feature_list:
        lists = [_codes(parsed, name)[:most_frames] for name in features]
        shortest = min(map(len, lists))
        vectors = dequantise(np.concatenate([codes[:shortest] for codes in lists], axis=1))
    else:
        vectors = np.concatenate([_mean(context, name) for name in features])[np.newaxis]
    if not len(vectors):
        raise MessageError("it has no frame")
    return LabelledVectors(_id(context), vectors, tuple(_numbers(context, "labels")), _segments(context))


def write_video(
    video: LabelledVectors,
    features: Mapping[str, int],
    encode: Callable[[NDArray[np.float16]], NDArray[np.uint8]] | None,
) -> bytes:
    """Return a video as a record, the way back of `read_video`.

    Args:
        video: its vectors.
        features: name -> number of columns, in the order of the columns of the vectors.
        encode: gives the codes of vectors, for a record of frames; None makes a record of the video, with its only
            vector as it is.
    """
    written = new_example()
    context = written.context.feature
    context["id"].bytes_list.value.append(video.id.encode("utf-8", "surrogateescape"))
    context["labels"].int64_list.value.extend(video.labels)
    end = 0
    for name, count in features.items():
        first, end = end, end + count
        columns = video.vectors[:, first:end]
        if encode:
            for row in encode(columns):
                written.feature_lists.feature_list[name].feature.add().bytes_list.value.append(row.tobytes())
        else:
            context[f"mean_{name}"].float_list.value.extend(columns[0].tolist())
    serialised: bytes = written.SerializeToString()
    return serialised


def _codes(parsed: Any, name: Feature) -> NDArray[np.uint8]:
    """Return (T, D) the bytes of a list of features."""
    lists = parsed.feature_lists.feature_list
    if name not in lists:
        raise MessageError(f"it has no {name}, but {' and '.join(sorted(lists))}")
    rows = [row for feature in lists[name].feature for row in feature.bytes_list.value]
    joined = b"".join(rows)
    if any(len(row) != DIMENSIONS[name] for row in rows):
        raise MessageError(f"its {name} has rows that are not of {DIMENSIONS[name]:,} bytes")
    return np.frombuffer(joined, np.uint8).reshape(len(rows), DIMENSIONS[name])


def _mean(context: Any, name: Feature) -> NDArray[np.float16]:
    """Return (D,) a feature of the whole video."""
    key = f"mean_{name}"
    values = np.array(context[key].float_list.value if key in context else (), dtype=np.float32)
    if values.shape != (DIMENSIONS[name],):
        raise MessageError(f"its {key} has {len(values):,} values, not {DIMENSIONS[name]:,}")
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise MessageError(f"its {key} has a value that float16 cannot hold")
    return rounded


def _id(context: Any) -> str:
    """Return the video's id."""
    for key in _ID_NAMES:
        if key in context and (stored := context[key].bytes_list.value):
            video_id = bytes(stored[0]).decode("utf-8", "surrogateescape")
            if video_id and "\0" not in video_id:
                return video_id
    raise MessageError("it has no id")


def _numbers(context: Any, key: str) -> list[int]:
    """Return the whole numbers of a feature, none if it does not exist."""
    return list(context[key].int64_list.value) if key in context else []


def _segments(context: Any) -> tuple[Segment, ...]:
    """Return the parts that were looked at."""
    starts, labels = _numbers(context, "segment_start_times"), _numbers(context, "segment_labels")
    ends = _numbers(context, "segment_end_times") or [start + SEGMENT_S for start in starts]
    scores = list(context["segment_scores"].float_list.value) if "segment_scores" in context else []
    if not len(starts) == len(ends) == len(labels) == len(scores):
        raise MessageError(f"it has {len(starts)} starts of segments, {len(labels)} labels and {len(scores)} scores")
    parts = zip(starts, ends, labels, scores, strict=True)
    return tuple(Segment(float(start), float(end), label, score > 0.5) for start, end, label, score in parts)

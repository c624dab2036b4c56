"""A record of YouTube-8M: the vectors and the labels of a video, at frame level or at video level.

Frame level is a SequenceExample: `id` (in older files `video_id`) and `labels` in the context, `rgb` (1,024 bytes a
frame) and `audio` (128 bytes) as lists, one frame a second. Video level is an Example with `mean_rgb` and `mean_audio`.
Files of segments are frame level, and name parts of 5 s that people looked at. Rows of other lengths are read as well,
since people write their own vectors in this format.

Source: https://research.google.com/youtube8m/download.html, "Dataset Information".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from embed.interchange.examples import MessageError, new_example, parse_example

Feature = Literal["rgb", "audio"]
Rows = NDArray[np.uint8] | NDArray[np.float16]
"""(T, D) codes of T frames, or (1, D) float16 of the whole video."""
FEATURES: tuple[Feature, ...] = get_args(Feature)
FAMILY = "youtube8m"
"""The family of its networks, as stores name it. No encoder here makes its vectors."""
MEAN = "mean of all frames"
"""The sampling of video level."""
DIMENSIONS: dict[Feature, int] = {"rgb": 1024, "audio": 128}
SEGMENT_S = 5
"""The length of a segment, for records that have no ends of segments."""
_ID_NAMES = ("id", "video_id")
_LONGEST_ID = 1024  # bytes; a store has room for the longest id beside each video


@dataclass(frozen=True)
class Segment:
    """A part of a video that people looked at.

    Args:
        start_s, end_s: seconds from the start of the video.
        shown: labels that it shows.
        absent: labels that it does not show, as people said.
    """

    start_s: int
    end_s: int
    shown: tuple[int, ...]
    absent: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """One video of YouTube-8M.

    Args:
        id: its name in the data set, which is not its name on YouTube.
        labels: numbers of the vocabulary, each once.
        segments: parts that were looked at, in the order of their starts.
        is_frame_level: True if it has a vector for each frame, False if it has one for the video.
        message: the SequenceExample.
    """

    id: str
    labels: tuple[int, ...]
    segments: tuple[Segment, ...]
    is_frame_level: bool
    message: Any = field(repr=False, compare=False)

    def dimension_of(self, name: Feature) -> int:
        """Return the length of the vectors of a kind.

        Raises:
            MessageError: it has none.
        """
        return len(self._frames(name)[0]) if self.is_frame_level else len(self._mean(name))

    def rows(self, features: Mapping[Feature, int], *, most: int | None = None) -> Rows:
        """Return the vectors, kinds side by side: (T, D) codes of T frames, or (1, D) float16 of the video.

        Args:
            features: kind -> dimension, in the order of the columns. Where one has more frames, its last are left out.
            most: leave out all frames behind these.

        Raises:
            MessageError: it lacks one of them, or has vectors of other dimensions.
        """
        if not self.is_frame_level:
            return np.concatenate([self._mean(name, size) for name, size in features.items()])[np.newaxis]
        frames = {name: self._frames(name, size)[:most] for name, size in features.items()}
        count, ends = min(map(len, frames.values())), np.cumsum([*features.values()])
        codes = np.empty((count, ends[-1]), dtype=np.uint8)
        for (name, size), end in zip(features.items(), ends, strict=True):
            joined = np.frombuffer(b"".join(frames[name][:count]), dtype=np.uint8)
            codes[:, end - size : end] = joined.reshape(count, size)
        return codes

    def _frames(self, name: Feature, size: int | None = None) -> list[bytes]:
        """Return the bytes of each frame, at least one, all of one length."""
        lists = self.message.feature_lists.feature_list
        if name not in lists:
            raise MessageError(f"it has no {name}, but {' and '.join(sorted(lists))}")
        frames = [frame.bytes_list.value for frame in lists[name].feature]
        if not frames or set(map(len, frames)) != {1}:
            raise MessageError(f"its {name} has no frame" if not frames else f"a frame of its {name} is not one vector")
        rows = [frame[0] for frame in frames]
        expected = size or len(rows[0])
        if not expected or set(map(len, rows)) != {expected}:
            raise MessageError(f"its {name} has rows of {len(rows[0]):,} bytes or others, not all of {expected:,}")
        return rows

    def _mean(self, name: Feature, size: int | None = None) -> NDArray[np.float16]:
        """Return (D,) a vector of the whole video."""
        key, context = f"mean_{name}", self.message.context.feature
        values = np.array(context[key].float_list.value if key in context else (), dtype=np.float32)
        if not len(values) or len(values) != (size or len(values)):
            raise MessageError(f"its {key} has {len(values):,} values" + (f", not {size:,}" if size else ""))
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float16)
        if not np.isfinite(rounded).all():
            raise MessageError(f"its {key} has a value that float16 cannot hold")
        return rounded


def read_record(record: bytes) -> Record:
    """Read a record without its vectors.

    Raises:
        MessageError: it is no record of YouTube-8M.
    """
    message = parse_example(record)
    context = message.context.feature
    is_frame_level = bool(message.feature_lists.feature_list)
    if not is_frame_level and not any(f"mean_{name}" in context for name in FEATURES):
        raise MessageError("it has neither rgb nor audio, neither of frames nor of the video")
    labels = _numbers(context, "labels")
    return Record(_id(context), tuple(dict.fromkeys(labels)), _segments(context), is_frame_level, message)


def model_of(dimensions: Mapping[Feature, int]) -> str:
    """Return the name by which a store knows what made its vectors.

    >>> model_of({"rgb": 1024, "audio": 128}), model_of({"rgb": 512})
    ('youtube8m:rgb+audio', 'youtube8m:rgb512')
    """
    parts = (name if size == DIMENSIONS[name] else f"{name}{size}" for name, size in dimensions.items())
    return f"{FAMILY}:{'+'.join(parts)}"


def dimensions_of(model: str) -> dict[Feature, int]:
    """Return what `model_of` was given: kind -> number of columns, in their order.

    >>> dimensions_of("youtube8m:audio+rgb512")
    {'audio': 128, 'rgb': 512}
    """
    found = re.findall(rf"({'|'.join(FEATURES)})(\d*)", model.partition(":")[2])
    return {name: int(size) if size else DIMENSIONS[name] for name, size in found}


def write_record(video_id: str, labels: Sequence[int], vectors: Rows, features: Mapping[Feature, int]) -> bytes:
    """Return a video as a record, the way back of `read_record` and `Record.rows`.

    Args:
        video_id: its id.
        labels: numbers of the vocabulary.
        vectors: (T, D) codes of T frames, or (1, D) float16 of the video.
        features: kind -> number of columns, in their order.
    """
    message = new_example()
    context = message.context.feature
    context["id"].bytes_list.value.append(video_id.encode("utf-8", "surrogateescape"))
    context["labels"].int64_list.value.extend(labels)
    end = 0
    for name, count in features.items():
        first, end = end, end + count
        columns = vectors[:, first:end]
        if vectors.dtype == np.uint8:
            for row in columns:
                message.feature_lists.feature_list[name].feature.add().bytes_list.value.append(row.tobytes())
        else:
            context[f"mean_{name}"].float_list.value.extend(columns[0].tolist())
    serialised: bytes = message.SerializeToString(deterministic=True)
    return serialised


def _id(context: Any) -> str:
    """Return the video's id."""
    for key in _ID_NAMES:
        if key in context and (stored := context[key].bytes_list.value):
            video_id = bytes(stored[0]).decode("utf-8", "surrogateescape")
            if len(stored[0]) > _LONGEST_ID:
                raise MessageError(f"its id has {len(stored[0]):,} bytes, more than {_LONGEST_ID:,}")
            if "\0" in video_id:
                raise MessageError("its id has a NUL in it")
            if video_id:
                return video_id
    raise MessageError("it has no id")


def _numbers(context: Any, key: str) -> list[int]:
    """Return the whole numbers of a feature, none if it does not exist."""
    numbers = list(context[key].int64_list.value) if key in context else []
    if any(number < 0 for number in numbers):
        raise MessageError(f"its {key} has {min(numbers)}, which is below 0")
    return numbers


def _segments(context: Any) -> tuple[Segment, ...]:
    """Return the parts that were looked at. A part may have several labels, each with a score of its own."""
    starts, labels = _numbers(context, "segment_start_times"), _numbers(context, "segment_labels")
    ends = _numbers(context, "segment_end_times") or [start + SEGMENT_S for start in starts]
    scores = list(context["segment_scores"].float_list.value) if "segment_scores" in context else []
    if not len(starts) == len(ends) == len(labels) == len(scores):
        counts = f"{len(starts)} starts, {len(ends)} ends, {len(labels)} labels and {len(scores)} scores"
        raise MessageError(f"its segments have {counts}")
    if any(end <= start for start, end in zip(starts, ends, strict=True)):
        raise MessageError("a segment of it ends before it begins")
    parts: dict[tuple[int, int], tuple[dict[int, None], dict[int, None]]] = {}
    for start, end, label, score in zip(starts, ends, labels, scores, strict=True):
        parts.setdefault((start, end), ({}, {}))[0 if score > 0.5 else 1][label] = None
    return tuple(Segment(*span, tuple(shown), tuple(absent)) for span, (shown, absent) in sorted(parts.items()))

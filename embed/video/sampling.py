"""Which frames of a video are embedded: Timeline -> frame indices (T, W).

T is the number of vectors, W the frames behind one vector (1 for image encoders). Indices count shown frames from 0.
"""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embed.video.timeline import Timeline


class Sampling(Protocol):
    """A rule that picks frames."""

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, W) indices of the frames to embed, ascending in T."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description with the rule's `name`; `embed.video.sampling_from_json` reads it back."""
        ...


@dataclass(frozen=True)
class UniformFrames:
    """The frame at the centre of each of `frame_count` equal parts of the video.

    The parts have equal numbers of shown frames, as counted from the packets: of F frames, part i gives frame
    floor((2i + 1) F / (2 frame_count)). A video of at most `frame_count` frames gives each frame once, so no frame is
    embedded twice, and sequences vary in length.

    Args:
        frame_count: the maximum number of frames to choose.
        first_seconds: use only frames that are shown less than this after the first frame; None uses all.

    >>> UniformFrames(4).choose(8).tolist()
    [1, 3, 5, 7]
    >>> UniformFrames(3).choose(10).tolist()
    [1, 5, 8]
    >>> UniformFrames(4).choose(3).tolist()
    [0, 1, 2]
    """

    frame_count: int = 100
    first_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.frame_count is None:
            raise ValueError("frame_count must be a whole number of at least 1, got None")
        check_limits(frame_count=self.frame_count, first_seconds=self.first_seconds)

    def choose(self, available: int) -> NDArray[np.int64]:
        """Return the (T,) frames chosen from the first `available` frames."""
        if available <= self.frame_count:
            return np.arange(available, dtype=np.int64)
        parts = np.arange(self.frame_count, dtype=np.int64)
        return (2 * parts + 1) * available // (2 * self.frame_count)

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, 1) indices of the frames to embed."""
        return self.choose(available_frames(timeline, self.first_seconds))[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return _description("uniform", self)


@dataclass(frozen=True)
class KeyFrames:
    """The key frames nearest in time to the frames that `UniformFrames` chooses, each once.

    A key frame is decoded without any other frame, so this is many times faster. The timestamps are those of the key
    frames, and a video with few key frames gives few vectors. If two are equally near, the earlier one is taken.

    Args:
        frame_count, first_seconds: as for `UniformFrames`.
    """

    frame_count: int = 100
    first_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.frame_count is None:
            raise ValueError("frame_count must be a whole number of at least 1, got None")
        check_limits(frame_count=self.frame_count, first_seconds=self.first_seconds)

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, 1) indices of the frames to embed; only the first frame if none is marked as a key frame."""
        available = available_frames(timeline, self.first_seconds)
        keys = np.flatnonzero(timeline.is_keyframe[:available])
        if not len(keys):
            return np.zeros((1, 1), dtype=np.int64)
        ideal_s = timeline.timestamps_s[UniformFrames(self.frame_count).choose(available)]
        keys_s = timeline.timestamps_s[keys]
        after = np.searchsorted(keys_s, ideal_s).clip(0, len(keys) - 1)
        before = (after - 1).clip(0)
        nearest = np.where(ideal_s - keys_s[before] <= keys_s[after] - ideal_s, before, after)
        return np.unique(keys[nearest]).astype(np.int64)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return _description("keyframes", self)


@dataclass(frozen=True)
class FramesPerSecond:
    """The frames on screen every 1 / `fps` seconds, from the start of the first frame, each once.

    Args:
        fps: instants per second. Above the video's own rate, every frame is taken once.
        first_seconds: as for `UniformFrames`.
        frame_count: the maximum number of frames to choose. If there are more, those at the centres of equal parts are
            kept; None keeps all.
    """

    fps: float = 1.0
    first_seconds: float | None = None
    frame_count: int | None = None

    def __post_init__(self) -> None:
        if not (is_number(self.fps) and 0 < self.fps < np.inf):
            raise ValueError(f"fps must be finite and above 0, got {self.fps!r}")
        check_limits(frame_count=self.frame_count, first_seconds=self.first_seconds)

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, 1) indices of the frames to embed."""
        available = available_frames(timeline, self.first_seconds)
        elapsed_s = timeline.timestamps_s[:available] - timeline.timestamps_s[0]
        end_s = min(max(timeline.duration_s, elapsed_s[-1]), self.first_seconds or np.inf)
        instant_count = max(1, np.ceil(end_s * self.fps - 1e-6))
        # Timestamps are rounded to the stream's time base, so an instant within a microsecond of a frame is that frame.
        instants_before = np.ceil((elapsed_s - 1e-6) * self.fps).clip(0, instant_count)
        # Counted per frame: one absurd timestamp would make a list of all instants absurdly long.
        on_screen = np.flatnonzero(np.diff(instants_before, append=instant_count)).astype(np.int64)
        if self.frame_count is not None:
            on_screen = on_screen[UniformFrames(self.frame_count).choose(len(on_screen))]
        return on_screen[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return _description("fps", self)


def chosen_frames(sampling: Sampling, timeline: Timeline) -> NDArray[np.int64]:
    """Return the (T, W) indices that a rule chooses, T and W at least 1.

    Raises:
        ValueError: the rule, which may be anybody's, returns something else.
    """
    indices: object = sampling.indices(timeline)
    rule = type(sampling).__name__
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu" or indices.ndim != 2 or not indices.size:
        found = f"{indices.dtype} {indices.shape}" if isinstance(indices, np.ndarray) else repr(indices)
        raise ValueError(f"{rule}.indices must return an int64 array (T, W) with at least one index, got {found}")
    wrong = indices[(indices < 0) | (indices >= timeline.frame_count)]
    if len(wrong):
        raise ValueError(f"{rule}.indices must be from 0 to {timeline.frame_count - 1:,}, got {wrong[0]:,}")
    return indices.astype(np.int64, copy=False)


def is_count(value: object) -> bool:
    """Return True for a whole number of at least 1, also one of NumPy; False for a truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def is_number(value: object) -> bool:
    """Return True for an int or float, also one of NumPy; False for a truth value."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def check_limits(*, first_seconds: float | None, **counts: int | None) -> None:
    """Raise ValueError if the seconds, or one of the counts by its name, are impossible; None is no limit."""
    for name, count in counts.items():
        if count is not None and not is_count(count):
            raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
    if first_seconds is not None and not (is_number(first_seconds) and 0 < first_seconds < np.inf):
        raise ValueError(f"first_seconds must be finite and above 0, got {first_seconds!r}; omit it to use all")


def available_frames(timeline: Timeline, first_seconds: float | None) -> int:
    """Return how many frames begin within the first seconds; at least 1, since the first frame always does."""
    if first_seconds is None:
        return timeline.frame_count
    elapsed_s = timeline.timestamps_s - timeline.timestamps_s[0]
    return max(1, int(np.searchsorted(elapsed_s, first_seconds - 1e-6)))


def _description(name: str, rule: UniformFrames | KeyFrames | FramesPerSecond) -> dict[str, Any]:
    """Return a rule's description without fields that are None, so it stays the same when a rule gains a field."""
    return {"name": name, **{field: value for field, value in asdict(rule).items() if value is not None}}

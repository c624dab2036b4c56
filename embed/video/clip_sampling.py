"""Which frames make clips: Timeline -> frame indices (T, W), for encoders whose vector stands for W frames.

A clip never reaches beyond the video: its frames that would lie there repeat the last frame. So a video shorter than a
clip is one clip, and a video of one frame is that frame W times. Equal clips are taken once.

At the end: the rules by name, of frames and of clips, as stores describe them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.machine import counted
from embed.video.sampling import (
    FramesPerSecond,
    KeyFrames,
    Sampling,
    UniformFrames,
    available_frames,
    check_limits,
    is_count,
    is_number,
)
from embed.video.timeline import Timeline

AUTO = "auto"
_CLIP_COUNT = 8


@dataclass(frozen=True)
class Clips:
    """Clips of W frames that lie a fixed number of frames apart.

    With the stride "auto", the F frames are shared out to the clips in equal parts, and the W frames of a clip lie
    part // W apart from the part's first frame on, at least 1. With one clip this is the usual recipe of Kinetics
    models: frames 0, F // 16, 2 (F // 16), ...

    With a stride S in frames, the centre of a clip is the centre of its part. Without `clip_count`, there are as many
    clips as cover the frames, ceil(F / (W S)), evenly spaced.

    Args:
        window: W, the frames of a clip.
        stride: frames from one frame of a clip to its next, or "auto".
        clip_count: clips per video, at most; None covers the video, or is 8 with the stride "auto".
        first_seconds: use only frames that are shown less than this after the first frame; None uses all.

    >>> Clips(4, "auto", 1).choose(10).tolist()
    [[0, 2, 4, 6]]
    >>> Clips(4, "auto", 2).choose(18).tolist()
    [[0, 2, 4, 6], [9, 11, 13, 15]]
    >>> Clips(2, 3, None).choose(10).tolist()
    [[0, 3], [5, 8]]
    >>> Clips(4, "auto", 2).choose(3).tolist()
    [[0, 1, 2, 2]]
    """

    window: int = 16
    stride: int | str = AUTO
    clip_count: int | None = None
    first_seconds: float | None = None

    def __post_init__(self) -> None:
        if not is_count(self.window):
            raise ValueError(f"window must be a whole number of at least 1, got {self.window!r}")
        if self.stride != AUTO and not is_count(self.stride):
            raise ValueError(f"stride must be {AUTO!r} or a whole number of frames of at least 1, got {self.stride!r}")
        if self.clip_count is None and self.stride == AUTO:
            object.__setattr__(self, "clip_count", _CLIP_COUNT)
        check_limits(clip_count=self.clip_count, first_seconds=self.first_seconds)

    def choose(self, available: int) -> NDArray[np.int64]:
        """Return the (T, W) frames chosen from the first `available` frames."""
        count = self.clip_count or max(1, -(-available // (self.window * int(self.stride))))
        count = min(count, available)
        parts = np.arange(count, dtype=np.int64)
        first, end = parts * available // count, (parts + 1) * available // count
        if self.stride == AUTO:
            stride = np.maximum(1, (end - first) // self.window)
        else:
            stride = np.full(count, int(self.stride), dtype=np.int64)
            first = first + (end - first - _span(self.window, stride)) // 2
        first = np.minimum(first, available - _span(self.window, stride)).clip(0)
        clips = first[:, None] + stride[:, None] * np.arange(self.window)
        return np.unique(clips.clip(max=available - 1), axis=0)

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, W) indices of the frames to embed."""
        return self.choose(available_frames(timeline, self.first_seconds))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {"name": "clips", **{name: value for name, value in asdict(self).items() if value is not None}}


def _span(window: int, stride: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the frames from the first to the last of a clip, both counted."""
    return (window - 1) * stride + 1


@dataclass(frozen=True)
class Windows:
    """Clips of W frames, evenly spaced in time over windows of some seconds, which begin at regular intervals.

    Window k begins k x `stride_s` after the first frame, and its frame i is the one on screen in the middle of its i-th
    part of W. The last window ends with the video, so that all of it is seen. Where frames are few or timestamps have
    gaps, only windows that begin with another frame than the one before are taken.

    Args:
        window_s: length of a window in seconds.
        stride_s: seconds from the beginning of one window to that of the next; None is `window_s`.
        window: W, the frames of a clip.
        first_seconds: as for `Clips`.
    """

    window_s: float
    stride_s: float | None = None
    window: int = 16
    first_seconds: float | None = None

    def __post_init__(self) -> None:
        if not is_count(self.window):
            raise ValueError(f"window must be a whole number of at least 1, got {self.window!r}")
        for name in ("window_s", "stride_s"):
            value = getattr(self, name)
            if not (value is None and name == "stride_s") and not (is_number(value) and 0 < value < np.inf):
                raise ValueError(f"{name} must be finite and above 0, got {value!r}")
        check_limits(clip_count=None, first_seconds=self.first_seconds)

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, W) indices of the frames to embed."""
        available = available_frames(timeline, self.first_seconds)
        elapsed_s = timeline.timestamps_s[:available] - timeline.timestamps_s[0]
        end_s = min(max(timeline.duration_s, elapsed_s[-1]), self.first_seconds or np.inf)
        starts_s = self._starts_s(elapsed_s, end_s)
        instants_s = starts_s[:, None] + (np.arange(self.window) + 0.5) * (self.window_s / self.window)
        # Timestamps are rounded to the stream's time base, so an instant within a microsecond of a frame is that frame.
        shown = np.searchsorted(elapsed_s, instants_s + 1e-6, side="right") - 1
        return np.unique(shown.clip(0).astype(np.int64), axis=0)

    def _starts_s(self, elapsed_s: NDArray[np.float64], end_s: float) -> NDArray[np.float64]:
        """Return when each window begins, in seconds after the first frame."""
        stride_s, last_s = self.stride_s or self.window_s, end_s - self.window_s
        if last_s <= 0:
            return np.zeros(1)
        # Numbered per frame: one absurd timestamp would make a list of all windows absurdly long.
        reach = np.ceil(self.window_s / stride_s)
        before = np.floor((elapsed_s + 1e-6) / stride_s)
        if reach * len(elapsed_s) < last_s / stride_s:
            numbers = np.unique(before)
        else:
            numbers = np.arange(np.floor(last_s / stride_s + 1e-6) + 1)
        starts_s = numbers[numbers * stride_s <= last_s + 1e-6] * stride_s
        is_covered = last_s - starts_s[-1] < 1e-6
        return starts_s if is_covered else np.append(starts_s, last_s)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {"name": "windows", **{name: value for name, value in asdict(self).items() if value is not None}}


_SAMPLINGS: dict[str, type[UniformFrames | KeyFrames | FramesPerSecond | Clips | Windows]] = {
    "uniform": UniformFrames,
    "keyframes": KeyFrames,
    "fps": FramesPerSecond,
    "clips": Clips,
    "windows": Windows,
}


def sampling_from_json(description: Mapping[str, Any]) -> Sampling:
    """Return the rule that `to_json` described.

    Raises:
        ValueError: the name is unknown.
    """
    fields = dict(description)
    name = fields.pop("name", None)
    if name not in _SAMPLINGS:
        raise ValueError(f"unknown sampling {name!r}; choose from {', '.join(_SAMPLINGS)}")
    return _SAMPLINGS[name](**fields)


def describe_sampling(sampling: Mapping[str, Any]) -> str:
    """Return a store's sampling in words.

    Args:
        sampling: `Sampling.to_json` of the rule that chose the frames.

    >>> describe_sampling({"name": "uniform", "frame_count": 8})
    'uniform, 8 frames'
    >>> describe_sampling({"name": "fps", "fps": 1.0, "first_seconds": 45.0})
    'fps, 1 a second, first 45 s'
    >>> describe_sampling({"name": "keyframes", "frame_count": 1})
    'keyframes, 1 frame'
    >>> describe_sampling({"name": "clips", "window": 16, "stride": "auto", "clip_count": 8})
    'clips, 16 frames each, stride auto, at most 8 clips'
    >>> describe_sampling({"name": "windows", "window": 16, "window_s": 4.0, "stride_s": 2.0})
    'windows, 16 frames each, over 4 s, every 2 s'
    """
    said = dict(sampling)
    parts = [str(said.pop("name", "unknown"))]
    if "window" in said:
        parts.append(f"{counted(said.pop('window'), 'frame')} each")
    if "stride" in said:
        stride = said.pop("stride")
        parts.append(f"stride {stride}" if isinstance(stride, str) else f"{counted(stride, 'frame')} apart")
    if "clip_count" in said:
        parts.append(f"at most {counted(said.pop('clip_count'), 'clip')}")
    for name, word in (("window_s", "over"), ("stride_s", "every")):
        if name in said:
            parts.append(f"{word} {said.pop(name):g} s")
    if "fps" in said:
        parts.append(f"{said.pop('fps'):g} a second")
    if "frame_count" in said:
        parts.append(counted(said.pop("frame_count"), "frame"))
    if "first_seconds" in said:
        parts.append(f"first {said.pop('first_seconds'):g} s")
    return ", ".join([*parts, *(f"{name.replace('_', ' ')} {value}" for name, value in said.items())])

"""The true timeline of a video, read from its packets without decoding a frame.

A header's frame count, frame rate and duration are claims. The packets say which frames there are, when each is shown
and which can be decoded alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_DEFAULT_FPS = 25.0  # FFmpeg's own guess for raw streams that state no frame rate


@dataclass(frozen=True)
class Timeline:
    """The F frames of a video in the order in which they are shown.

    Args:
        timestamps_s: (F,) float64, seconds on the file's own clock, which need not start at 0.
        is_keyframe: (F,) bool, True where a frame can be decoded alone.
        ticks: (F,) int64 presentation timestamps in the stream's time base, which name a frame among the decoder's
            outputs; None where the stream has none (raw .h264) and only the order counts.
        width_px, height_px: as stored, before any rotation.
        duration_s: from the first frame's start to the last one's end.
    """

    timestamps_s: NDArray[np.float64]
    is_keyframe: NDArray[np.bool_]
    ticks: NDArray[np.int64] | None
    width_px: int
    height_px: int
    duration_s: float

    @property
    def frame_count(self) -> int:
        """F, the number of frames shown."""
        return len(self.timestamps_s)

    @property
    def fps(self) -> float:
        """Mean frames a second; 0 where the duration is unknown."""
        return self.frame_count / self.duration_s if self.duration_s > 0 else 0.0


def read_timeline(path: str) -> Timeline:
    """Read a local video's timeline from its packets.

    Raises:
        VideoError: the file is absent (not_found), no video (unreadable, no_video_stream), or has no packet
            (no_frames).
    """
    with open_video(path) as (container, stream):
        packets = [
            (packet.pts, packet.duration or 0, packet.is_keyframe)
            for packet in _whole_packets(container, stream)
            if not packet.is_discard
        ]
        if not packets:
            raise VideoError("no_frames", f"{path} has a video stream without a single frame")
        ticks = [pts for pts, _, _ in packets if pts is not None]
        keys = np.array([is_key for _, _, is_key in packets], dtype=np.bool_)
        if len(ticks) < len(packets):
            return timeline_without_timestamps(stream, keys)
        durations = np.array([duration for _, duration, _ in packets], dtype=np.int64)
        return timeline_of_ticks(stream, np.array(ticks, dtype=np.int64), durations, keys)


def timeline_of_ticks(
    stream: "VideoStream", ticks: NDArray[np.int64], durations: NDArray[np.int64], is_keyframe: NDArray[np.bool_]
) -> Timeline:
    """Build a timeline from (F,) timestamps and durations in the stream's time base, in any order."""
    ticks, first_seen = np.unique(ticks, return_index=True)
    time_base = float(stream.time_base or 0)
    steps = np.diff(ticks)
    last = durations[first_seen][-1] or (np.median(steps) if len(steps) else 0)
    return Timeline(
        timestamps_s=(ticks * time_base).astype(np.float64),
        is_keyframe=is_keyframe[first_seen],
        ticks=ticks,
        width_px=stream.width,
        height_px=stream.height,
        duration_s=float((ticks[-1] - ticks[0] + last) * time_base),
    )


def timeline_without_timestamps(stream: "VideoStream", is_keyframe: NDArray[np.bool_]) -> Timeline:
    """Build a timeline of evenly spaced frames, for streams that carry no timestamps."""
    fps = float(stream.average_rate or stream.guessed_rate or _DEFAULT_FPS)
    return Timeline(
        timestamps_s=np.arange(len(is_keyframe)) / fps,
        is_keyframe=is_keyframe,
        ticks=None,
        width_px=stream.width,
        height_px=stream.height,
        duration_s=len(is_keyframe) / fps,
    )


@contextmanager
def open_video(path: str) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open a local file's best video stream.

    Raises:
        VideoError: not_found, unreadable or no_video_stream; also when FFmpeg fails inside the `with` block.
    """
    import av

    try:
        # Titles and comments in any encoding must not fail a video whose frames are fine.
        with av.open(path, metadata_errors="replace") as container:
            yield container, _best_video_stream(container, path)
    except FileNotFoundError as error:
        raise VideoError("not_found", f"{path} does not exist") from error
    except (av.FFmpegError, OSError) as error:
        raise VideoError("unreadable", f"{path} cannot be read as a video: {error.strerror or error}") from error


def _best_video_stream(container: "InputContainer", path: str) -> "VideoStream":
    """Return FFmpeg's choice among the video streams; cover art of a song is none."""
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError("no_video_stream", f"{path} has no video stream")
    best = container.streams.best("video")
    return next((stream for stream in streams if stream is best), streams[0])


def _whole_packets(container: "InputContainer", stream: "VideoStream") -> Iterator["Packet[VideoStream]"]:
    """Yield the stream's packets until its end or the first byte that cannot be read."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:
            yield packet

"""Frame indices -> the frames themselves.

Frames are matched by timestamp, not by counting or seeking, so the frame that comes back is the frame that was asked
for. Where a file is damaged the packets promise frames that no decoder can give; then the timeline is read again from
the frames that do decode, and sampled again.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.preprocessing import Preprocessing
from embed.sampling import Sampling
from embed.timeline import Timeline, open_video, read_timeline, timeline_of_ticks, timeline_without_timestamps

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Decoder = Literal["pyav", "opencv"]

ShownFrame = tuple[int, NDArray[np.uint8]]
"""A frame's index on the timeline and its upright (H, W_px, 3) RGB pixels."""


@dataclass(frozen=True)
class Frames:
    """The sampled frames of one video.

    Args:
        rgb: (T, W, H, W_px, 3) uint8, upright.
        timestamps_s: (T,) float64, the mean moment of the W frames behind each vector, on the file's own clock.
        timeline: what they were chosen from.
    """

    rgb: NDArray[np.uint8]
    timestamps_s: NDArray[np.float64]
    timeline: Timeline


def read_frames(
    path: str, sampling: Sampling, preprocessing: Preprocessing | None = None, *, decoder: Decoder = "pyav"
) -> Frames:
    """Decode the frames of a local video that a sampling rule chooses.

    Args:
        path: a local file.
        sampling: which frames.
        preprocessing: applied to each frame as it is decoded, so that a 4K video never stands in memory; None keeps
            the frames at their own size.
        decoder: "pyav" (FFmpeg through PyAV) or "opencv".

    Raises:
        VideoError: no frame can be decoded; the reason says why.
    """
    timeline = read_timeline(path)
    frames = _decode(path, timeline, sampling, preprocessing, decoder)
    if frames is None:
        timeline = decodable_timeline(path)
        frames = _decode(path, timeline, sampling, preprocessing, decoder)
    if frames is None:
        raise VideoError("decode_error", f"{decoder} does not give the frames of {path} that its timeline holds")
    return frames


def decodable_timeline(path: str) -> Timeline:
    """Read a video's timeline from the frames that can be decoded. Takes as long as decoding the whole.

    Raises:
        VideoError: no frame can be decoded (no_frames), or the file cannot be opened.
    """
    with open_video(path) as (container, stream):
        seen = [(frame.pts, frame.duration or 0, frame.key_frame) for frame in _decoded(container, stream)]
        if not seen:
            raise VideoError("no_frames", f"no frame of {path} can be decoded")
        ticks = [pts for pts, _, _ in seen if pts is not None]
        keys = np.array([is_key for _, _, is_key in seen], dtype=np.bool_)
        if len(set(ticks)) < len(seen):
            return timeline_without_timestamps(stream, keys)
        durations = np.array([duration for _, duration, _ in seen], dtype=np.int64)
        return timeline_of_ticks(stream, np.array(ticks, dtype=np.int64), durations, keys)


def _decode(
    path: str, timeline: Timeline, sampling: Sampling, preprocessing: Preprocessing | None, decoder: Decoder
) -> Frames | None:
    """Decode the chosen frames; None when one of them does not come."""
    indices = sampling.indices(timeline)
    wanted = frozenset(indices.ravel().tolist())
    found: dict[int, NDArray[np.uint8]] = {}
    with closing(_DECODERS[decoder](path, timeline, wanted)) as shown:
        for index, rgb in shown:
            found[index] = preprocessing.apply(rgb) if preprocessing else rgb
    if len(found) < len(wanted):
        return None
    rgb = np.stack([np.stack([found[index] for index in window]) for window in indices.tolist()])
    return Frames(rgb, timeline.timestamps_s[indices].mean(axis=1), timeline)


def _shown_by_pyav(path: str, timeline: Timeline, wanted: frozenset[int]) -> Generator[ShownFrame]:
    """Yield the wanted frames, known by their timestamps where the stream has them, else by their order."""
    index_of = None if timeline.ticks is None else {tick: i for i, tick in enumerate(timeline.ticks.tolist())}
    left = len(wanted)
    with open_video(path) as (container, stream):
        for order, frame in enumerate(_decoded(container, stream)):
            index = order if index_of is None else index_of.get(frame.pts)
            if index in wanted:
                yield index, _upright(frame)
                left -= 1
            if not left:
                return


def _shown_by_opencv(path: str, timeline: Timeline, wanted: frozenset[int]) -> Generator[ShownFrame]:
    """Yield the wanted frames by their order. OpenCV tells no timestamps worth trusting, and turns frames upright."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    try:
        for index in range(max(wanted) + 1):
            if not capture.grab():
                return
            if index in wanted:
                is_read, bgr = capture.retrieve()
                # OpenCV takes a file's first video stream, FFmpeg its best: another size is another stream.
                if not is_read or {*bgr.shape[:2]} != {timeline.width_px, timeline.height_px}:
                    return
                yield index, np.ascontiguousarray(bgr[..., ::-1])
    finally:
        capture.release()


_DECODERS: dict[str, Callable[[str, Timeline, frozenset[int]], Generator[ShownFrame]]] = {
    "pyav": _shown_by_pyav,
    "opencv": _shown_by_opencv,
}


def _decoded(container: "InputContainer", stream: "VideoStream") -> Iterator["VideoFrame"]:
    """Yield every frame that decodes, in the order shown, passing over packets that do not."""
    import av

    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            packet = None  # the file ends here, whatever its header says: what the decoder holds back is still good
        try:
            yield from stream.codec_context.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError:
            pass  # this packet is broken: the next key frame mends the picture
        if packet is None:
            return


def _upright(frame: "VideoFrame") -> NDArray[np.uint8]:
    """Return a frame's RGB pixels, turned counterclockwise by the angle that its display matrix asks for."""
    rgb = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))

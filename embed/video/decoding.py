"""Frame indices -> the frames themselves.

Frames are matched by the packet that they come from, not by counting or seeking, so the returned frame is the
requested one. Only the packets that the wanted frames need are sent to the decoder (`embed.video.planning`). If a plan
is not proven for a stream, or the decoder returns anything but what was planned, all packets are decoded in order
instead. The packets of a damaged file may promise frames that no decoder can give; then the timeline is read again
from the frames that do decode, and sampled again.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.machine import core_count, counted
from embed.video.decoders import decoder_for
from embed.video.gathering import GatheredPictures
from embed.video.opening import capture_options, open_video, refuse_playlist
from embed.video.packet_feed import SEEK_BYTES, PacketFeed, PlanFailed
from embed.video.pictures import PictureReader
from embed.video.plan_parts import decoders_for, part_plan
from embed.video.planning import Run, plan_packets
from embed.video.preprocessing import FrameCut
from embed.video.sampling import Sampling
from embed.video.timeline import (
    Packets,
    Timeline,
    read_packets,
    timeline_without_timestamps,
    whole_packets,
)

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Decoder = Literal["pyav", "opencv"]
DecodeDevice = Literal["cpu", "cuda"]

ShownFrame = tuple[int, NDArray[np.uint8]]
"""A frame's index on the timeline and its upright (H, W_px, 3) RGB pixels."""


@dataclass(frozen=True)
class Frames:
    """The sampled frames of one video.

    Args:
        rgb: (T, W, H, W_px, 3) uint8, upright; if a cut was applied, (T, W, ...) of its results.
        timestamps_s: (T,) float64, the mean moment of the W frames behind each vector, on the timeline's clock.
        timeline: the timeline that they were chosen from.
    """

    rgb: NDArray[np.uint8]
    timestamps_s: NDArray[np.float64]
    timeline: Timeline


def read_frames(
    path: str,
    sampling: Sampling,
    preprocessing: FrameCut | None = None,
    *,
    decoder: Decoder = "pyav",
    thread_count: int = 0,
    playlists: bool = False,
) -> Frames:
    """Decode the frames of a local video that a sampling rule chooses.

    Args:
        path: a local file.
        sampling: which frames to decode.
        preprocessing: applied to each frame as it is decoded, so that a 4K video is never held in memory at full size;
            None keeps the frames at their own size.
        decoder: "pyav" (FFmpeg through PyAV) or "opencv".
        thread_count: threads of PyAV's decoder; 0 uses one per core.
        playlists: True if the file may be a playlist (.m3u8, .ffconcat), which reads the files that it names.

    Raises:
        VideoError: no frame can be decoded, or frames that keep their own size differ in size; its `reason` is the
            code.
    """
    if not playlists:
        refuse_playlist(path)
    for timeline, indices, shown in _attempts(path, sampling, decoder, thread_count or core_count()):
        frames = frames_of(timeline, indices, shown, preprocessing)
        if frames is not None:
            return frames
    raise VideoError(
        "decode_error",
        f"{decoder} does not return the frames of {path} that its packets list. Re-encode the video, e.g. with ffmpeg",
    )


def frames_of(
    timeline: Timeline,
    indices: NDArray[np.int64],
    shown: Sequence[Generator[ShownFrame]],
    preprocessing: FrameCut | None = None,
) -> Frames | None:
    """Gather the frames at the (T, W) indices from one or more decoders, which work at the same time.

    Returns:
        The frames; None if one of them does not come.
    """
    pictures = GatheredPictures(indices)
    gather = partial(_gather, pictures=pictures, preprocessing=preprocessing)
    # One thread per decoder: decoding, colour conversion and resizing release the GIL.
    with ThreadPoolExecutor(len(shown), thread_name_prefix="decode-part") as pool:
        are_as_planned = list(pool.map(gather, shown))
    rgb = pictures.rgb() if all(are_as_planned) else None
    return None if rgb is None else Frames(rgb, timeline.timestamps_s[indices].mean(axis=1), timeline)


def _gather(shown: Generator[ShownFrame], pictures: GatheredPictures, preprocessing: FrameCut | None) -> bool:
    """Put frames in their places; return False if they did not come as planned."""
    with closing(shown):
        try:
            for index, rgb in shown:
                pictures.put(index, preprocessing.apply(rgb) if preprocessing else rgb)
        except PlanFailed:
            return False
    return True


def decodable_timeline(path: str, thread_count: int = 0) -> Timeline:
    """Return a video's timeline, read from the frames that can be decoded. It takes as long as decoding them all.

    Raises:
        VideoError: no frame can be decoded (no_frames), or the file cannot be opened.
    """
    with open_video(path) as (container, stream):
        frames = _decoded(container, stream, decoder_for(stream, thread_count))
        seen = [(frame.pts, frame.key_frame) for frame in frames]
        if not seen:
            raise VideoError("no_frames", f"no frame of {path} can be decoded. The file may be damaged: copy it again")
        came = {order for order, _ in seen if order is not None}
        if len(came) < len(seen):  # a packet gave two frames
            return timeline_without_timestamps(stream, np.array([is_key for _, is_key in seen], dtype=np.bool_))
    return read_packets(path, came).timeline


Attempt = tuple[Timeline, NDArray[np.int64], Sequence[Generator[ShownFrame]]]


def _attempts(path: str, sampling: Sampling, decoder: Decoder, thread_count: int) -> Iterator[Attempt]:
    """Yield attempts, each surer and slower: a timeline, the indices chosen on it, and generators of their frames."""
    packets = read_packets(path)
    indices = sampling.indices(packets.timeline)
    decoders = decoders_for(packets.timeline, thread_count)
    plan = plan_packets(packets, np.unique(indices), decoders=decoders) if decoder == "pyav" else None
    if plan is not None:
        wanted = frozenset(indices.ravel().tolist())
        yield packets.timeline, indices, shown_by_parts(path, packets, plan, wanted, thread_count)
    yield _in_order(path, packets.timeline, sampling, decoder, thread_count)
    yield _in_order(path, decodable_timeline(path, thread_count), sampling, decoder, thread_count)


def _in_order(path: str, timeline: Timeline, sampling: Sampling, decoder: Decoder, thread_count: int) -> Attempt:
    indices = sampling.indices(timeline)
    wanted = frozenset(indices.ravel().tolist())
    return timeline, indices, [_SHOWN_BY[decoder](path, timeline, wanted, thread_count)]


def shown_by_parts(
    path: str, packets: Packets, plan: list[Run], wanted: frozenset[int], thread_count: int
) -> list[Generator[ShownFrame]]:
    """Return the frames of a plan from several decoders that work at the same time and share the threads."""
    parts = part_plan(plan, decoders_for(packets.timeline, thread_count))
    threads = max(1, thread_count // len(parts))
    return [shown_by_plan(path, packets, part, wanted & _expected(packets, part), threads) for part in parts]


def _expected(packets: Packets, plan: list[Run]) -> frozenset[int]:
    return frozenset(index for run in plan for index in packets.frame_of[run.orders[run.expected]].tolist())


def shown_by_plan(
    path: str,
    packets: Packets,
    plan: list[Run],
    wanted: frozenset[int],
    thread_count: int = 0,
    *,
    seek_bytes: int = SEEK_BYTES,
    accelerator: "HWAccel | None" = None,
) -> Generator[ShownFrame]:
    """Yield the wanted frames from the packets of a plan; gaps of at most `seek_bytes` are read, not sought over.

    The CPU decodes them, or the accelerator if there is one.

    Raises:
        PlanFailed: the result differs from the plan. The frames yielded before may be wrong too.
    """
    at = np.flatnonzero(np.isin(packets.frame_of, list(wanted)))  # an hour has 100,000 other frames
    index_of = dict(zip(packets.ticks[at].tolist(), packets.frame_of[at].tolist(), strict=True))
    with open_video(path, accelerator) as (container, stream):
        picture = PictureReader(stream.sample_aspect_ratio)
        feed = PacketFeed(container, stream, decoder_for(stream, thread_count), packets, seek_bytes=seek_bytes)
        for frame in feed.decode(plan):
            if frame.pts in index_of:
                yield index_of[frame.pts], picture.read(frame)


def shown_in_order(
    path: str,
    timeline: Timeline,
    wanted: frozenset[int],
    thread_count: int = 0,
    *,
    accelerator: "HWAccel | None" = None,
) -> Generator[ShownFrame]:
    """Yield the wanted frames, decoding all frames up to the last of them.

    Frames are identified by their packets if the timeline knows the packets; otherwise they are counted up to the end
    of the stream.

    Raises:
        PlanFailed: there are more or fewer frames than on the timeline. The frames yielded before are wrong too.
    """
    index_of = None if timeline.orders is None else {order: i for i, order in enumerate(timeline.orders.tolist())}
    left = set(wanted)
    with open_video(path, accelerator) as (container, stream):
        picture = PictureReader(stream.sample_aspect_ratio)
        frames, count = _decoded(container, stream, decoder_for(stream, thread_count)), 0
        for count, frame in enumerate(frames, start=1):
            index = count - 1 if index_of is None else index_of.get(frame.pts, -1)
            if index in left:
                left.remove(index)
                yield index, picture.read(frame)
            if not left and index_of is not None:
                return
    if index_of is None:
        _check_count(count, timeline)


def _check_count(count: int, timeline: Timeline) -> None:
    """Raise PlanFailed if a packet gave no frame: then the numbers of later frames differ from their indices."""
    if count != timeline.frame_count:
        raise PlanFailed(f"{counted(count, 'frame')} came from a stream that promises {timeline.frame_count:,}")


def _shown_by_opencv(
    path: str, timeline: Timeline, wanted: frozenset[int], _thread_count: int
) -> Generator[ShownFrame]:
    """Yield the wanted frames by their order, since OpenCV gives no reliable timestamps.

    OpenCV turns frames upright, but does not mirror frames that a file mirrors, and ignores transparency.

    Raises:
        PlanFailed: as for `shown_in_order`.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = capture_options(path)
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    try:
        count = 0
        while capture.grab():
            index, count = count, count + 1
            if index in wanted:
                is_read, bgr = capture.retrieve()
                # OpenCV takes a file's first video stream, FFmpeg its best one; another size means another stream.
                if not is_read or {*bgr.shape[:2]} != {timeline.width_px, timeline.height_px}:
                    return
                yield index, np.ascontiguousarray(bgr[..., ::-1])
        _check_count(count, timeline)
    finally:
        capture.release()


_SHOWN_BY: dict[str, Callable[[str, Timeline, frozenset[int], int], Generator[ShownFrame]]] = {
    "pyav": shown_in_order,
    "opencv": _shown_by_opencv,
}


def _decoded(
    container: "InputContainer", stream: "VideoStream", decoder: "VideoCodecContext"
) -> Iterator["VideoFrame"]:
    """Yield every frame that decodes, in the order shown; skip packets that do not decode.

    A frame's `pts` is the place of its packet among the stream's packets, because timestamps may repeat or be missing.
    """
    import av

    # A file ends at the first byte that cannot be read; the frames that the decoder still holds then are good.
    for order, packet in enumerate(chain(whole_packets(container, stream), [None])):
        if packet is not None:
            packet.pts = order
        try:
            yield from decoder.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError:
            pass  # this packet is broken; the next key frame restores the picture

"""Frame indices -> the frames themselves.

Frames are matched by the packet that they come from, not by counting or seeking, so the returned frame is the
requested one. Only the packets that the wanted frames need are sent to the decoder (`embed.video.planning`). If a plan
is not proven for a stream, or the decoder returns anything but what was planned, all packets are decoded in order
instead.

The packets of a damaged file may promise frames that no decoder can give. The timeline counts them, whatever is asked
for, and the frame before such a frame stands in for it, as on a player's screen. Where frames can only be counted,
nobody knows which are missing: then the timeline is read again from the frames that do decode, and sampled again.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.machine import counted
from embed.video.decoders import PlanFailed, decoded_frames, decoder_for, opencv_threads
from embed.video.gathering import Frames, GatheredPictures, Seen, are_first, stand_ins
from embed.video.opening import capture_options, open_video, refuse_playlist
from embed.video.packet_feed import SEEK_BYTES, PacketFeed
from embed.video.pictures import PictureReader
from embed.video.planning import Run, decoders_for, part_plan, plan_packets, threads_of
from embed.video.preprocessing import FrameCut
from embed.video.sampling import Sampling, chosen_frames
from embed.video.timeline import Packets, Timeline, read_packets, timeline_without_timestamps

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

Decoder = Literal["pyav", "opencv"]
DecodeDevice = Literal["cpu", "cuda"]

_MOST_DAMAGED = 0.5  # of the frames up to the last wanted one; beyond it, what is left says little about the video

ShownFrame = tuple[int, NDArray[np.uint8]]
"""A frame's index on the timeline and its upright (H, W_px, 3) RGB pixels."""


@dataclass(frozen=True)
class _Attempt:
    """A way to decode: (T, W) indices on a timeline, and generators of their frames.

    Args:
        timeline, indices, shown: as for `frames_of`.
        asked: the (T, W) indices that were asked for, where others stand in for some of them.
        seen: what decoding in order has seen once the frames have come; None with a plan, which takes no damage.
    """

    timeline: Timeline
    indices: NDArray[np.int64]
    shown: Sequence[Generator[ShownFrame]]
    asked: NDArray[np.int64] | None = None
    seen: Seen | None = None


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
        VideoError: no frame can be decoded, most are damaged, or frames that keep their own size differ in size; its
            `reason` is the code.
        ValueError: the number of threads, or what the rule chooses, is impossible.
    """
    if not playlists:
        refuse_playlist(path)
    for attempt in _attempts(path, sampling, decoder, threads_of(thread_count)):
        frames = frames_of(attempt.timeline, attempt.indices, attempt.shown, preprocessing)
        if frames is not None:
            return _with_damage(path, frames, attempt, attempt.seen) if attempt.seen else frames
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
    gathered = GatheredPictures(indices)
    gather = partial(_gather, pictures=gathered, preprocessing=preprocessing)
    # One thread per decoder: decoding, colour conversion and resizing release the GIL.
    with ThreadPoolExecutor(len(shown), thread_name_prefix="decode-part") as pool:
        are_as_planned = list(pool.map(gather, shown))
    pictures = gathered.pictures() if all(are_as_planned) else None
    if pictures is None:
        return None
    moments_s = np.sort(timeline.timestamps_s[indices], axis=1)
    return Frames(pictures, gathered.places, moments_s.mean(axis=1), moments_s[:, [0, -1]], timeline)


def _with_damage(path: str, frames: Frames, attempt: _Attempt, seen: Seen) -> Frames:
    """Count the damaged frames, and leave out those that stand in for others but are there already.

    Raises:
        VideoError: most of the frames up to the last wanted one are damaged (damaged).
    """
    asked = attempt.indices if attempt.asked is None else attempt.asked
    passed = int(asked.max()) + 1
    lost = set(range(passed)) - seen.came if seen.came else set()  # OpenCV tells nothing
    damaged = lost | {index for index in seen.damaged if index < passed}
    if len(damaged) > _MOST_DAMAGED * passed:
        raise VideoError(
            "damaged",
            f"{len(damaged):,} of {counted(passed, 'frame')} of {path} cannot be decoded, or only in part. Copy the "
            "file again, or embed another copy",
        )
    if not damaged:
        return frames
    keep = are_first(attempt.indices, asked)
    damaged_count = int(np.isin(asked, list(damaged)).any(axis=1).sum())
    # What is left out repeats another window, so each picture is still at some place.
    kept = {name: getattr(frames, name)[keep] for name in ("places", "timestamps_s", "spans_s")}
    return replace(frames, **kept, damaged_count=damaged_count)


def _gather(shown: Generator[ShownFrame], pictures: GatheredPictures, preprocessing: FrameCut | None) -> bool:
    """Put frames in their places; return False if they did not come as planned."""
    with closing(shown):
        try:
            for index, rgb in shown:
                pictures.put(index, preprocessing.apply(rgb) if preprocessing else rgb)
        except PlanFailed:
            return False
    return True


def decodable_timeline(path: str) -> Timeline:
    """Return a video's timeline, read from the frames that can be decoded. It takes as long as decoding them all.

    One thread decodes them: how many frames a damaged file gives depends on the number of threads.

    Raises:
        VideoError: no frame can be decoded (no_frames), or the file cannot be opened.
    """
    with open_video(path) as (container, stream):
        frames = decoded_frames(container, stream, decoder_for(stream, 1))
        seen = [(frame.pts, frame.key_frame) for frame in frames]
        if not seen:
            raise _no_frames(path)
        came = {order for order, _ in seen if order is not None}
        if len(came) < len(seen):  # a packet gave two frames
            return timeline_without_timestamps(stream, np.array([is_key for _, is_key in seen], dtype=np.bool_))
    return read_packets(path, came).timeline


def _no_frames(path: str) -> VideoError:
    return VideoError("no_frames", f"no frame of {path} can be decoded. The file may be damaged: copy it again")


def _attempts(path: str, sampling: Sampling, decoder: Decoder, thread_count: int) -> Iterator[_Attempt]:
    """Yield attempts, each surer and slower than the one before."""
    packets = read_packets(path)
    timeline, indices = packets.timeline, chosen_frames(sampling, packets.timeline)
    decoders = decoders_for(timeline, thread_count)
    plan = plan_packets(packets, np.unique(indices), decoders=decoders) if decoder == "pyav" else None
    if plan is not None:
        wanted = frozenset(indices.ravel().tolist())
        yield _Attempt(timeline, indices, shown_by_parts(path, packets, plan, wanted, thread_count))
    attempt = _in_order(path, timeline, indices, decoder, thread_count)
    yield attempt
    if decoder == "pyav" and thread_count > 1:  # damage: its pictures depend on the number of threads
        attempt = _in_order(path, timeline, indices, decoder, 1)
        yield attempt
    if decoder == "pyav" and timeline.orders is not None:
        if not attempt.seen or not attempt.seen.came:
            raise _no_frames(path)
        nearest = stand_ins(indices, attempt.seen.came)
        yield replace(_in_order(path, timeline, nearest, decoder, 1), asked=indices, seen=attempt.seen)
    else:
        timeline = decodable_timeline(path)
        yield _in_order(path, timeline, chosen_frames(sampling, timeline), decoder, 1)


def _in_order(
    path: str, timeline: Timeline, indices: NDArray[np.int64], decoder: Decoder, thread_count: int
) -> _Attempt:
    wanted, seen = frozenset(indices.ravel().tolist()), Seen()
    return _Attempt(timeline, indices, [_SHOWN_BY[decoder](path, timeline, wanted, thread_count, seen)], seen=seen)


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
        decoder = decoder_for(stream, thread_count, has_strays=any(run.needs_flush for run in plan))
        feed = PacketFeed(container, stream, decoder, packets, seek_bytes=seek_bytes)
        for frame in feed.decode(plan):
            if frame.pts in index_of:
                yield index_of[frame.pts], picture.read(frame)


def shown_in_order(
    path: str,
    timeline: Timeline,
    wanted: frozenset[int],
    thread_count: int = 0,
    seen: Seen | None = None,
    *,
    accelerator: "HWAccel | None" = None,
) -> Generator[ShownFrame]:
    """Yield the wanted frames, decoding all frames up to the last of them.

    Frames are identified by their packets if the timeline knows the packets; otherwise they are counted up to the end
    of the stream. What is seen on the way is added to `seen`.

    Raises:
        PlanFailed: there are more or fewer frames than on the timeline, or several threads met damage. The frames
            yielded before are wrong too.
    """
    index_of = None if timeline.orders is None else {order: i for i, order in enumerate(timeline.orders.tolist())}
    left, seen = set(wanted), seen or Seen()
    with open_video(path, accelerator) as (container, stream):
        picture = PictureReader(stream.sample_aspect_ratio)
        frames, count = decoded_frames(container, stream, decoder_for(stream, thread_count)), 0
        for count, frame in enumerate(frames, start=1):
            index = count - 1 if index_of is None else index_of.get(frame.pts, -1)
            seen.note(index, is_damaged=frame.is_corrupt)
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
    path: str, timeline: Timeline, wanted: frozenset[int], thread_count: int, _seen: Seen
) -> Generator[ShownFrame]:
    """Yield the wanted frames by their order, since OpenCV gives no reliable timestamps.

    OpenCV turns frames upright, but does not mirror frames that a file mirrors, and ignores transparency.

    Raises:
        PlanFailed: as for `shown_in_order`.
    """
    threads = opencv_threads(path, thread_count, key_count=int(timeline.is_keyframe.sum()))
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = capture_options(path)
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
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


_SHOWN_BY: dict[str, Callable[[str, Timeline, frozenset[int], int, Seen], Generator[ShownFrame]]] = {
    "pyav": shown_in_order,
    "opencv": _shown_by_opencv,
}

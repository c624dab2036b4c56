"""Chooses the FFmpeg decoder of a stream and threads that are exact for it, and runs it over a file.

The decoder is FFmpeg's own choice, except for transparent WebM: VP8 and VP9 have no transparency. WebM stores it as a
second stream beside each packet, which FFmpeg's own decoders ignore and libvpx decodes. Source:
https://wiki.webmproject.org/alpha-channel.

FFmpeg's threads are not exact for every codec. Several frames at a time give MPEG-4 other B-pictures where it is
interlaced (what the decoder learns from its first B-picture, each thread learns on its own), Theora others from run to
run, and damaged ProRes others than one thread. So only the decoders of `THREADS` get threads, each of the kind that
tests/embed/video/test_decoders.py proves: the same pixels on 1, 2, 4 and 8 threads, planned and in order. All others
get one. Damage that FFmpeg does not mark is beyond this: resources/docs/exact-frames.md says in which codecs.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.video.clock import NO_TICK
from embed.video.codecs import ENTRY, OPEN
from embed.video.opening import open_video, whole_packets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MOST_REORDERED = 16  # frames that H.264 and HEVC may hold back, to show others first (ITU-T H.264, A.3.1)

_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

Threads = Literal["AUTO", "FRAME", "SLICE"]

THREADS: dict[str, Threads] = {
    # pictures that refer to others, several at a time: each waits for the rows that it refers to
    "h264": "FRAME",
    "hevc": "FRAME",
    "vp9": "FRAME",
    # libraries with threads of their own
    "libdav1d": "AUTO",
    "libvpx": "AUTO",
    "libvpx-vp9": "AUTO",
    # parts of one picture at a time
    "dnxhd": "SLICE",
    "dvvideo": "SLICE",
    "ffv1": "SLICE",
    "jpeg2000": "SLICE",
    "magicyuv": "SLICE",
    "mpeg1video": "SLICE",
    "mpeg2video": "SLICE",
    "prores": "SLICE",
    "v210": "SLICE",
    # pictures that refer to no other, several at a time
    "ffvhuff": "FRAME",
    "huffyuv": "FRAME",
    "png": "FRAME",
    "utvideo": "FRAME",
}
"""FFmpeg's name of a decoder -> the kind of threads whose pixels are proven to be those of one thread."""


_MARK_LATE = frozenset({"h264"})
"""Decoders that, on several threads, may give out a frame before it is marked as damaged."""


def decoder_for(stream: "VideoStream", thread_count: int, *, has_strays: bool = False) -> "VideoCodecContext":
    """Return the decoder of an open stream's packets.

    On several threads, those of `_MARK_LATE` raise at the first error that they notice.

    Args:
        stream: the open stream.
        thread_count: the most threads that the decoder may use; 0 is one per core. Decoders that are not in `THREADS`
            use one.
        has_strays: True if pictures may be sent without those that they refer to, which is an error to the decoder.
            Those of `_MARK_LATE` then use one thread.
    """
    import av

    decoder = stream.codec_context
    if has_alpha_beside(stream):
        name = _DECODERS_OF_ALPHA[stream.codec.canonical_name]
        decoder = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
    kind = THREADS.get(decoder.name)
    is_late = decoder.name in _MARK_LATE
    is_threaded = kind is not None and not (is_late and has_strays)
    decoder.thread_type, decoder.thread_count = kind or "SLICE", thread_count if is_threaded else 1
    if is_late and decoder.thread_count != 1:
        decoder.options = {"err_detect": "explode"}
    return decoder


def opencv_threads(path: str, thread_count: int, *, key_count: int) -> int:
    """Return how many threads OpenCV may use for a video, since it always uses FFmpeg's threads of all kinds.

    Args:
        path: a local file.
        thread_count: the most threads.
        key_count: how many key frames the video has.

    Raises:
        VideoError: the video is interlaced: of such frames, OpenCV 5 returns memory that it has not written. Some of
            the key frames show whether it is, from its start to its end.
    """
    with open_video(path) as (container, stream):
        some = _some_key_frames(container, stream, step=max(1, key_count // _LOOKED_AT))
        if any(frame.interlaced_frame for frame in some):
            raise VideoError(
                "decode_error", f"OpenCV cannot convert the interlaced frames of {path}. Embed it with --decoder pyav"
            )
        return thread_count if THREADS.get(stream.codec_context.name, "SLICE") != "SLICE" else 1


_LOOKED_AT = 20  # key frames; one of 720p takes about 10 ms


def _some_key_frames(container: "InputContainer", stream: "VideoStream", *, step: int) -> Iterator["VideoFrame"]:
    """Yield the first and then each `step`-th key frame, each decoded alone."""
    import av

    decoder = decoder_for(stream, 1)
    keys = (packet for packet in whole_packets(container, stream) if packet.is_keyframe)
    for packet in islice(keys, 0, None, step):
        with suppress(av.FFmpegError):  # a damaged one says nothing
            yield from decoder.decode(packet)
            yield from decoder.decode(None)
        decoder.flush_buffers()


class PlanFailed(Exception):
    """The result from the file or its decoder differs from what its packets promise."""


def has_alpha_beside(stream: "VideoStream") -> bool:
    """Return True if a stream's transparency is stored beside its packets."""
    if stream.codec.canonical_name not in _DECODERS_OF_ALPHA:
        return False
    # Where a file says it twice, as FFmpeg writes it, the name is that of the tag, in capitals.
    return any(name.lower() == "alpha_mode" and value == "1" for name, value in stream.metadata.items())


def decoded_frames(
    container: "InputContainer",
    stream: "VideoStream",
    decoder: "VideoCodecContext",
    packet_count: int | None = None,
) -> Iterator["VideoFrame"]:
    """Yield every frame that decodes, in the order shown; skip packets that do not decode.

    A frame's `pts` is the place of its packet among the stream's packets, because timestamps may repeat or be missing.

    Args:
        container: the open file.
        stream: one of its streams.
        decoder: of the stream's packets.
        packet_count: how many packets to decode; None decodes all.

    Raises:
        PlanFailed: several threads met damage. What FFmpeg shows in its place depends on the number of threads.
    """
    import av

    is_repeatable = decoder.thread_count == 1
    # A file ends at the first byte that cannot be read; the frames that the decoder still holds then are good.
    for order, packet in enumerate(chain(islice(whole_packets(container, stream), packet_count), [None])):
        if packet is not None:
            if packet.is_corrupt and not is_repeatable:
                raise PlanFailed(f"bytes of packet {order} are missing")
            packet.pts = order
        try:
            for frame in decoder.decode(packet):
                if frame.is_corrupt and not is_repeatable:
                    raise PlanFailed(f"the frame of packet {frame.pts} is damaged")
                yield frame
        except av.EOFError:
            return
        except av.FFmpegError as error:  # this packet is broken; the next key frame restores the picture
            if not is_repeatable:
                raise PlanFailed(str(error)) from error


def begins_in_doubt(table: NDArray[np.int64], is_shown: NDArray[np.bool_], *, has_times: bool = True) -> bool:
    """Return True if a stream may begin with pictures that refer to others which were cut off.

    Args:
        table: (N, 7) rows of `embed.video.timeline.packet_row`.
        is_shown: (N,) bool, True where a packet says that it shows a picture.
        has_times: False if the timestamps do not tell when pictures are shown.
    """
    first, end = _first_group(table)
    ticks, marks = table[:end, 0], table[:, -1]
    if first or not has_times or (ticks == NO_TICK).any():
        return bool(first or not marks[0] & ENTRY or marks[0] & OPEN)
    is_early = (ticks < ticks[0]) & is_shown[:end]
    return bool(is_early.any())


def _first_group(table: NDArray[np.int64]) -> tuple[int, int]:
    """Return the places of the first packet where decoding can begin, and of the next one; N where there is none."""
    is_key, marks = table[:, 4] != 0, table[:, -1]
    entries = np.flatnonzero(marks & ENTRY)
    places = [*(entries if len(entries) else np.flatnonzero(is_key))[:2].tolist(), len(table), len(table)]
    return places[0], places[1]


def lost_at_the_start(
    path: str, table: NDArray[np.int64], is_shown: NDArray[np.bool_], *, has_times: bool
) -> NDArray[np.int64]:
    """Return the (L,) places of packets whose pictures cannot be decoded, since the pictures before them were cut off.

    HEVC marks such pictures. Of other codecs, only the decoder knows; it is asked for the first few frames, up to the
    first that is shown when decoding can begin, if the packets leave it in doubt. Without timestamps, it decodes the
    first group.

    Args:
        path: a local file.
        table: as for `begins_in_doubt`.
        is_shown: likewise.
        has_times: likewise.
    """
    places = np.arange(len(table))
    if not begins_in_doubt(table, is_shown, has_times=has_times):
        return places[:0]
    ticks, (first, end) = table[:, 0], _first_group(table)
    is_timed = has_times and not (ticks[:end] == NO_TICK).any()
    came, enough = set[int](), len(table)
    with open_video(path) as (container, stream):
        frames = decoded_frames(container, stream, decoder_for(stream, 1), None if is_timed else end)
        for place in (frame.pts for frame in frames if frame.pts is not None):
            came.add(place)
            if is_timed and enough == len(table) and (first == len(table) or ticks[place] >= ticks[first]):
                enough, first = len(came) + _MOST_REORDERED, place if first == len(table) else first
            if len(came) >= enough:
                break
    is_before = (places < end) & (places <= max(came, default=-1))
    if is_timed and first < len(table):
        is_before &= ticks < ticks[first]
    return places[is_shown & is_before & ~np.isin(places, list(came))]

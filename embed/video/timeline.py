"""The true timeline of a video, read from its packets without decoding a frame.

A header's frame count, frame rate and duration are only claims. The packets show which frames there are, when each is
shown and which can be decoded alone.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.video.clock import NO_TICK, continue_clock
from embed.video.codecs import (
    DISPOSABLE,
    ENTRY,
    HIDDEN,
    LAYERED,
    OPEN,
    PARAMETERS,
    PREDICTED,
    PYRAMIDAL,
    SKIPPED,
    UNPROVEN,
    Rule,
    heads_for,
    marks_with_alpha,
    rule_for,
)
from embed.video.containers import has_encryption, is_encrypted
from embed.video.decoders import has_alpha_beside, lost_at_the_start
from embed.video.opening import open_video, whole_packets

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_DEFAULT_FPS = 25.0  # FFmpeg's own guess for raw streams that state no frame rate

# Stores hold timestamps as float32, which distinguishes milliseconds up to 16,384 s. Cameras may count from 1970.
_LATEST_START_S = 4 * 3600

# AVI stores no presentation times. For these codecs FFmpeg makes them up in decoding order: they are on wrong frames.
_REORDERED_BLINDLY = ("h264", "hevc")
# The decoder of this codec returns pictures that repeat another one out of order.
_REPEATED_BLINDLY = ("mpeg4",)


@dataclass(frozen=True)
class Timeline:
    """The F frames of a video in the order in which they are shown.

    Pictures that cannot be decoded because the stream's start is cut off are not among them. Other damage does not
    change a timeline: it is the same whatever frames are asked for.

    Args:
        timestamps_s: (F,) float64, the moment at which each frame is first shown, in seconds on the file's own clock.
            That clock need not start at 0: the ffmpeg program starts a transport stream at 1.4 s, and recorders start
            where they please. If it starts more than four hours from 0, they are seconds since the first frame. Where
            the clock of the file starts anew, as in files joined end to end, it goes on (`embed.video.clock`).
        is_keyframe: (F,) bool, True where a frame can be decoded alone.
        orders: (F,) int64, the place among the stream's packets of the packet that shows each frame; None if it is not
            known (raw .h264), and frames are counted as the decoder returns them.
        width_px, height_px: as stored, before any rotation.
        duration_s: from the start of the first frame to the end of the last: a length, on no clock.
    """

    timestamps_s: NDArray[np.float64]
    is_keyframe: NDArray[np.bool_]
    orders: NDArray[np.int64] | None
    width_px: int
    height_px: int
    duration_s: float

    @property
    def frame_count(self) -> int:
        """Return F, the number of frames shown."""
        return len(self.timestamps_s)

    @property
    def fps(self) -> float:
        """Return the mean number of frames per second; 0 if the duration is unknown."""
        return self.frame_count / self.duration_s if self.duration_s > 0 else 0.0


@dataclass(frozen=True)
class Packets:
    """The N packets of a video stream in decoding order, and their timeline.

    Args:
        timeline: the frames that they show.
        frame_of: (N,) int64, the frame on the timeline that a packet shows; -1 where it shows none.
        ticks: (N,) int64 presentation timestamps in the stream's time base; `NO_TICK` where a packet has none.
        decode_ticks: (N,) int64 decoding timestamps, likewise.
        sizes_bytes: (N,) int64, the size of each packet.
        marks: (N,) int64, the marks of `embed.video.codecs.marks`.
        container_format: FFmpeg's name of the container format.
        is_plannable: True if every packet is identified by its timestamp, all are on one clock, and the codec's rule
            covers every packet.
        extradata: the stream's header bytes.
        heads: for each packet of H.264, the first bytes of the units that reference lists are built from; else empty.
    """

    timeline: Timeline
    frame_of: NDArray[np.int64]
    ticks: NDArray[np.int64]
    decode_ticks: NDArray[np.int64]
    sizes_bytes: NDArray[np.int64]
    marks: NDArray[np.int64]
    container_format: str
    is_plannable: bool
    extradata: bytes = b""
    heads: tuple[tuple[bytes, ...], ...] = ()


def read_timeline(path: str) -> Timeline:
    """Return a local video's timeline, read from its packets.

    Raises:
        VideoError: the file does not exist (not_found), is not a video (unreadable, no_video_stream), is encrypted
            (encrypted), or has no packet (no_frames).
    """
    return read_packets(path).timeline


def read_packets(path: str, came: Collection[int] | None = None) -> Packets:
    """Return a local video's packets, read without decoding any of them.

    Args:
        path: a local file.
        came: the places of the packets that gave a frame when they were decoded; None trusts the packets.

    Raises:
        VideoError: as for `read_timeline`.
    """
    with open_video(path) as (container, stream):
        codec, extradata = stream.codec.canonical_name, stream.codec_context.extradata or b""
        rule, heads_of = rule_for(codec, extradata), heads_for(codec, extradata)
        if is_encrypted(path, stream):
            raise _encrypted(path)
        rows, heads, has_alpha = [], [], has_alpha_beside(stream)
        for order, packet in enumerate(whole_packets(container, stream)):
            if has_encryption(packet):
                raise _encrypted(path)
            rows.append(packet_row(packet, rule, order, has_alpha=has_alpha))
            if heads_of:
                heads.append(heads_of(bytes(packet)))
        if not rows:
            raise VideoError("no_frames", f"{path} has a video stream without a frame. Check that the file is complete")
        table = np.array(rows, dtype=np.int64)
        if came is not None:
            is_shown = np.isin(np.arange(len(table)), list(came))
        else:
            is_shown = _are_shown(table)
            has_times = not _is_reordered_blindly(codec, container.format.name)
            is_shown[lost_at_the_start(path, table, is_shown, has_times=has_times)] = False
        packets = packets_of(table, stream, container.format.name, has_rule=rule is not None, is_shown=is_shown)
        return replace(packets, extradata=extradata, heads=tuple(heads))


def _encrypted(path: str) -> VideoError:
    return VideoError("encrypted", f"{path} is encrypted, as a whole or in part. Embed a copy that plays without a key")


def packet_row(
    packet: "Packet[VideoStream]", rule: Rule | None, order: int, *, has_alpha: bool = False
) -> tuple[int, ...]:
    """Return a packet's row of the table that `packets_of` takes.

    Args:
        packet: a packet of the stream.
        rule: of its codec.
        order: its place among the stream's packets.
        has_alpha: True if the stream's transparency is stored beside its packets.

    Returns:
        Presentation tick, decoding tick, duration, size in bytes, is key frame, is discarded, and marks.
    """
    marks = rule(bytes(packet), packet.is_keyframe) if rule else 0
    if order and _has_other_side_data(packet):
        marks |= UNPROVEN
    if rule and has_alpha:
        marks = marks_with_alpha(marks, bytes(packet.get_sidedata("matroska_block_additional")), rule)
    return (
        NO_TICK if packet.pts is None else packet.pts,
        NO_TICK if packet.dts is None else packet.dts,
        packet.duration or 0,
        packet.size,
        packet.is_keyframe,
        packet.is_discard,
        marks,
    )


_HARMLESS_SIDE_DATA = frozenset(
    {
        *("a53_cc", "afd", "ambient_viewing_environment", "content_light_level", "cpb_properties", "dovi_conf"),
        *("dynamic_hdr10_plus", "encryption_info", "mastering_display_metadata", "matroska_block_additional"),
        *("metadata_update", "mpegts_stream_id", "prft", "quality_stats", "rtcp_sr", "s12m_timecode", "skip_samples"),
    }
)
"""Side data that no decoder decodes with; `marks_with_alpha` is for alpha."""


def _has_other_side_data(packet: "Packet[VideoStream]") -> bool:
    """Return True if something beside a packet may change what later packets are decoded with: a header, a palette."""
    try:
        for side in packet.iter_sidedata():
            if side.data_type not in _HARMLESS_SIDE_DATA:
                return True
    except IndexError:  # PyAV has no name for it
        return True
    return False


def packets_of(
    table: NDArray[np.int64],
    stream: "VideoStream",
    container_format: str,
    *,
    has_rule: bool,
    is_shown: NDArray[np.bool_] | None = None,
) -> Packets:
    """Return the packets, with their timeline, that a table describes.

    Args:
        table: (N, 7), one `packet_row` per packet, in decoding order.
        stream: the stream of the packets.
        container_format: FFmpeg's name of the container format.
        has_rule: True if the codec has a rule, so that `marks` were read.
        is_shown: (N,) bool, True where a packet gives a frame; None trusts the packets.

    Raises:
        VideoError: no packet shows a frame (no_frames).
    """
    ticks, decode_ticks, _, sizes_bytes, _, is_discarded, marks = table.T
    if is_shown is None:
        is_shown = _are_shown(table)
    if not is_shown.any():
        raise VideoError(
            "no_frames", "the video stream has no packet that shows a frame. Check that the file is complete"
        )
    timeline = _timeline_of(table, stream, container_format, np.flatnonzero(is_shown))
    frame_of = np.full(len(table), -1, dtype=np.int64)
    if timeline.orders is not None:
        frame_of[timeline.orders] = np.arange(timeline.frame_count)
    is_plannable = (
        has_rule
        and timeline.orders is not None
        and bool((np.diff(ticks[timeline.orders]) > 0).all())  # each frame has its own timestamp, on one clock
        and not np.isin(ticks[is_discarded != 0], ticks[is_shown]).any()  # an edit list repeats pictures as references
        and not (marks & UNPROVEN).any()
        and _are_parameters_at_entries(marks)
        and _are_leading_pictures_shown_first(ticks, marks)
    )
    if (marks & LAYERED).any():
        marks = marks & ~DISPOSABLE
    return Packets(timeline, frame_of, ticks, decode_ticks, sizes_bytes, marks, container_format, is_plannable)


def _timeline_of(
    table: NDArray[np.int64], stream: "VideoStream", container_format: str, places: NDArray[np.int64]
) -> Timeline:
    """Return the timeline of the packets at (F,) `places`, which are those shown."""
    ticks, decode_ticks, durations, _, is_key, _, marks = table[places].T
    is_keyframe = (is_key != 0) & (marks & PREDICTED == 0)
    if (ticks == NO_TICK).any():
        return timeline_without_timestamps(stream, is_keyframe)
    clock = continue_clock(ticks, decode_ticks, durations)
    as_shown = np.argsort(clock, kind="stable")
    clock, time_base = clock[as_shown], float(stream.time_base or 0)
    last = durations[as_shown[-1]] or (np.median(np.diff(clock)) if len(clock) > 1 else 0)
    origin = clock[0] if abs(clock[0] * time_base) > _LATEST_START_S else 0
    is_counted = _are_timestamps_wrong(stream.codec.canonical_name, container_format, table[:, -1], clock)
    return Timeline(
        timestamps_s=((clock - origin) * time_base).astype(np.float64),
        is_keyframe=is_keyframe[as_shown],
        orders=None if is_counted else places[as_shown],
        width_px=stream.width,
        height_px=stream.height,
        duration_s=float((clock[-1] - clock[0] + last) * time_base),
    )


def _are_timestamps_wrong(
    codec: str, container_format: str, marks: NDArray[np.int64], clock: NDArray[np.int64]
) -> bool:
    """Return True if frames can be identified only by their order; `clock` is their (F,) ascending ticks.

    If two frames have one tick, one of the two is a guess: MPEG program streams have one timestamp for several frames.
    """
    is_reordered = _is_reordered_blindly(codec, container_format)
    is_repeated = codec in _REPEATED_BLINDLY and bool((marks & UNPROVEN).any())
    return is_reordered or is_repeated or bool((np.diff(clock) == 0).any())


def _is_reordered_blindly(codec: str, container_format: str) -> bool:
    return container_format == "avi" and codec in _REORDERED_BLINDLY


def _are_shown(table: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (N,) bool, True for packets that show a picture, as they say themselves."""
    is_discarded, marks = table[:, -2], table[:, -1]
    is_shown: NDArray[np.bool_] = (is_discarded == 0) & (marks & HIDDEN == 0) & ~_is_undecodable_at_the_start(marks)
    return is_shown


def _is_undecodable_at_the_start(marks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (N,) bool, True for pictures that refer to pictures before the stream's first entry, which is open."""
    entries = np.flatnonzero(marks & ENTRY)
    first_group = np.arange(len(marks)) < (entries[1] if len(entries) > 1 else len(marks))
    is_undecodable: NDArray[np.bool_] = first_group & (marks & SKIPPED != 0)
    return is_undecodable


def _are_parameters_at_entries(marks: NDArray[np.int64]) -> bool:
    """Return True if no group that is left out can hold parameter sets that a later group needs."""
    has_parameters = marks[1:] & PARAMETERS != 0
    return not has_parameters.any() or bool((has_parameters == (marks[1:] & ENTRY != 0)).all())


def _are_leading_pictures_shown_first(ticks: NDArray[np.int64], marks: NDArray[np.int64]) -> bool:
    """Return True if timestamps agree with decoding order: a B-picture right after an open entry is shown before it.

    If a file has its timestamps in decoding order, they do not show which pictures are leading.
    """
    is_open = marks[:-1] & (ENTRY | OPEN) == ENTRY | OPEN
    is_b = marks[1:] & (DISPOSABLE | PYRAMIDAL | SKIPPED) != 0
    return not (is_open & is_b & (ticks[1:] > ticks[:-1])).any()


def timeline_without_timestamps(stream: "VideoStream", is_keyframe: NDArray[np.bool_]) -> Timeline:
    """Return a timeline of evenly spaced frames, for streams without usable timestamps."""
    fps = float(stream.average_rate or stream.guessed_rate or _DEFAULT_FPS)
    return Timeline(
        timestamps_s=np.arange(len(is_keyframe)) / fps,
        is_keyframe=is_keyframe,
        orders=None,
        width_px=stream.width,
        height_px=stream.height,
        duration_s=len(is_keyframe) / fps,
    )

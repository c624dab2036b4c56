"""Damaged videos, and videos whose start is cut off: their timeline, and how their damage is counted."""

from pathlib import Path

import av
import numpy as np
import pytest

from embed.errors import VideoError
from embed.video.decoding import decodable_timeline, read_frames, shown_in_order
from embed.video.sampling import FramesPerSecond, KeyFrames, UniformFrames
from embed.video.timeline import read_packets, read_timeline
from tests.media import copy_packets, number_of, write_damaged_stream, write_moving_video, write_video
from tests.playing import middles, play


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40, 1000])
def test_a_frame_that_does_not_decode_is_replaced_by_the_one_before_and_changes_no_timeline(
    tmp_path: Path, count: int
) -> None:
    path = str(write_damaged_stream(tmp_path / "a.ts"))
    timeline, lost = read_timeline(path), {30, 31, 32, 33}
    everything = dict(shown_in_order(path, timeline, frozenset(range(41)), thread_count=1))
    assert set(range(41)) - set(everything) == lost
    frames = read_frames(path, UniformFrames(count))
    asked = UniformFrames(count).indices(timeline).ravel().tolist()
    came = list(dict.fromkeys(29 if index in lost else index for index in asked))
    np.testing.assert_array_equal(frames.timeline.timestamps_s, timeline.timestamps_s)
    np.testing.assert_array_equal(frames.timestamps_s, timeline.timestamps_s[came])
    np.testing.assert_array_equal(frames.rgb[:, 0], [everything[index] for index in came])
    assert frames.damaged_count == len(lost & set(asked))


def write_damaged_pictures(path: Path, codec: str, damaged: range) -> Path:
    """Write 60 pictures, and noise over the second half of some of their packets."""
    whole = write_moving_video(path.with_stem("whole"), 60, codec=codec, options={"g": "12", "bf": "0", "threads": "1"})
    rng = np.random.default_rng(3)
    with av.open(str(whole)) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for order, packet in enumerate(packet for packet in reading.demux(video=0) if packet.size):
            content = bytearray(bytes(packet))
            if order in damaged:
                content[len(content) // 2 :] = rng.integers(
                    1, 255, len(content) - len(content) // 2, np.uint8
                ).tobytes()
            changed = av.Packet(bytes(content))
            changed.stream, changed.time_base, changed.is_keyframe = stream, packet.time_base, packet.is_keyframe
            changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
            writing.mux(changed)
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "mpeg4"])
def test_sampled_pictures_that_ffmpeg_conceals_are_counted(tmp_path: Path, codec: str) -> None:
    path = write_damaged_pictures(tmp_path / "a.mkv", codec, range(6, 60, 5))
    marks = [shown.frame.is_corrupt for shown in play(path)]
    assert 5 < sum(marks) < 30
    for count in (1, 8, 60):
        asked = middles(60, count)
        assert read_frames(str(path), UniformFrames(count)).damaged_count == sum(marks[index] for index in asked)


def test_a_video_whose_pictures_are_mostly_damaged_fails_whatever_is_asked(tmp_path: Path) -> None:
    path = str(write_damaged_pictures(tmp_path / "a.mkv", "libx264", range(1, 60)))
    for count in (2, 8, 60):
        with pytest.raises(
            VideoError, match=r"damaged: \d+ of \d+ frames of .*a\.mkv cannot be decoded, or only in part"
        ):
            read_frames(path, UniformFrames(count))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi", "h264"])
@pytest.mark.parametrize("kind", ["open group", "within a group"])
def test_pictures_whose_references_were_cut_off_are_on_no_timeline(tmp_path: Path, ending: str, kind: str) -> None:
    options = {"x264-params": "keyint=24:min-keyint=24:scenecut=0:open-gop=1:bframes=3:b-adapt=0:repeat-headers=1"}
    whole = write_video(tmp_path / f"whole.{'mkv' if ending == 'mp4' else ending}", 96, options=options)
    keys = np.flatnonzero([head & 1 for head in read_packets(str(whole)).marks]).tolist()
    path = str(copy_packets(whole, tmp_path / f"a.{ending}", first=keys[1] - (5 if kind == "within a group" else 0)))
    decodable = decodable_timeline(path)
    timeline = read_timeline(path)
    assert timeline.frame_count == decodable.frame_count < 96 - keys[1]
    for sampling in (*map(UniformFrames, (1, 2, 3, 8, 1000)), KeyFrames(3), FramesPerSecond(5)):
        frames = read_frames(path, sampling)
        np.testing.assert_array_equal(frames.timeline.timestamps_s, timeline.timestamps_s)
        indices = sampling.indices(decodable).ravel()
        assert [number_of(window[0]) for window in frames.rgb] == [
            96 - len(decodable.timestamps_s) + i for i in indices
        ]
        assert frames.damaged_count == 0

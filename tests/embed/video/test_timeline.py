from pathlib import Path

import av
import numpy as np
import pytest

from embed.errors import VideoError
from embed.video.decoding import decodable_timeline
from embed.video.opening import open_container, open_video
from embed.video.timeline import read_packets, read_timeline, whole_packets
from tests.media import HEIGHT_PX, WIDTH_PX, copy_packets, failing_disk, write_moving_video, write_video


def test_a_timeline_has_every_frame_in_the_order_shown_despite_b_frames(tmp_path: Path) -> None:
    timeline = read_timeline(str(write_video(tmp_path / "a.mp4", 30, fps=25)))
    assert timeline.frame_count == 30
    np.testing.assert_allclose(timeline.timestamps_s, np.arange(30) / 25, atol=1e-6)
    assert timeline.duration_s == pytest.approx(30 / 25)
    assert timeline.fps == pytest.approx(25)
    assert (timeline.width_px, timeline.height_px) == (WIDTH_PX, HEIGHT_PX)


def test_key_frames_are_known(tmp_path: Path) -> None:
    options = {"g": "10", "bf": "2", "sc_threshold": "0"}
    timeline = read_timeline(str(write_video(tmp_path / "a.mp4", 30, options=options)))
    assert np.flatnonzero(timeline.is_keyframe).tolist() == [0, 10, 20]


def test_a_picture_that_refers_to_another_is_no_key_frame_whatever_the_file_says(ut_interaction6: Path) -> None:
    path = str(ut_interaction6 / "punch" / "set1_0_1_4.avi")
    with av.open(path) as container:
        assert [packet.is_keyframe for packet in container.demux(video=0)][:4] == [True, True, True, False]
    assert np.flatnonzero(read_timeline(path).is_keyframe).tolist() == [0]


def test_a_variable_frame_rate_keeps_its_timestamps(tmp_path: Path) -> None:
    ticks = [0, 1, 2, 10, 11, 30, 50]
    timeline = read_timeline(str(write_video(tmp_path / "a.mp4", 7, ticks=ticks)))
    np.testing.assert_allclose(timeline.timestamps_s, np.array(ticks) / 25, atol=1e-6)


def test_a_raw_stream_without_timestamps_is_counted(tmp_path: Path) -> None:
    timeline = read_timeline(str(write_video(tmp_path / "a.h264", 30)))
    assert timeline.frame_count == 30


def test_discarded_packets_are_not_frames(odd_videos: Path) -> None:
    timeline = read_timeline(str(odd_videos / "torchcodec" / "discard_first_keyframe.mp4"))
    assert timeline.frame_count == 25


def test_a_start_other_than_zero_is_kept(odd_videos: Path) -> None:
    timeline = read_timeline(str(odd_videos / "torchcodec" / "test_non_zero_start.mp4"))
    assert timeline.timestamps_s[0] == pytest.approx(8.333, abs=1e-3)


def test_a_clock_that_starts_too_late_for_float32_counts_from_the_first_frame(tmp_path: Path) -> None:
    epoch = 1_700_000_000 * 25
    timeline = read_timeline(str(write_video(tmp_path / "a.mkv", 30, ticks=range(epoch, epoch + 30))))
    stored = timeline.timestamps_s.astype(np.float32)
    np.testing.assert_allclose(stored, np.arange(30) / 25, atol=1e-3)
    assert timeline.duration_s == pytest.approx(30 / 25)


def test_first_pictures_that_refer_to_a_group_that_was_cut_off_are_not_frames(tmp_path: Path) -> None:
    options = {"preset": "veryfast", "x265-params": "log-level=none:keyint=16:open-gop=1:bframes=4:b-adapt=0"}
    whole = write_moving_video(tmp_path / "a.mkv", 48, codec="libx265", options=options)
    second_key = int(np.flatnonzero(read_packets(str(whole)).marks & 1)[1])
    cut = copy_packets(whole, tmp_path / "b.mkv", first=second_key)
    timeline = read_timeline(str(cut))
    assert timeline.frame_count < 48 - 16 + 4
    np.testing.assert_array_equal(timeline.orders, decodable_timeline(str(cut)).orders)


def test_every_readable_odd_video_has_the_frames_that_decode(odd_videos: Path) -> None:
    paths = [
        path for path in sorted((odd_videos / "torchcodec").glob("*.*")) if path.suffix in (".mp4", ".webm", ".mkv")
    ]
    small = [str(path) for path in paths if path.stat().st_size < 100_000]
    differing = [path for path in small if read_timeline(path).frame_count != decodable_timeline(path).frame_count]
    assert differing == []


@pytest.mark.parametrize("ending", ["ts", "mkv", "h264"])
def test_if_the_disk_fails_a_video_is_unreadable_rather_than_short(tmp_path: Path, ending: str) -> None:
    path = write_video(tmp_path / f"a.{ending}", 400, options={"crf": "10"})
    with (
        pytest.raises(VideoError, match=r"unreadable: .* cannot be read as a video: Input/output error"),
        open_video(str(path)),
        open_container(failing_disk(path, readable_share=0.6)) as container,
    ):
        list(whole_packets(container, container.streams.video[0]))


def test_a_stream_that_appears_late_does_not_hide_the_video(tmp_path: Path) -> None:
    path = write_moving_video(tmp_path / "a.ts", 36, codec="mpeg2video", options={"g": "12"})
    content = bytearray(path.read_bytes())
    # Byte 1 of a transport stream's 188-byte packets holds the flag that a picture begins, and the stream's number.
    last_picture = content.rindex(b"\x47\x41\x00")
    assert last_picture % 188 == 0
    content[last_picture + 1] = 0x5E
    path.write_bytes(content)
    assert read_timeline(str(path)).frame_count == decodable_timeline(str(path)).frame_count == 35


def test_an_unknown_codec_is_unreadable(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 5, codec="mjpeg")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZZZ"))
    with pytest.raises(VideoError, match=r"unreadable: .*a.avi has a video codec that FFmpeg cannot decode"):
        read_timeline(str(path))


def test_an_absent_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"not_found: .*gone.mp4 does not exist"):
        read_timeline(str(tmp_path / "gone.mp4"))


def test_a_text_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("not a video")
    with pytest.raises(VideoError, match=r"unreadable: .*cannot be read as a video"):
        read_timeline(str(tmp_path / "a.mp4"))


def test_a_file_with_only_sound_has_no_video_stream(odd_videos: Path) -> None:
    with pytest.raises(VideoError, match="no_video_stream"):
        read_timeline(str(odd_videos / "torchcodec" / "sine_16ch_s16.wav"))

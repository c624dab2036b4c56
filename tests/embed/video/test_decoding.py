import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.video.clip_sampling import Clips
from embed.video.decoding import Decoder, decodable_timeline, read_frames
from embed.video.preprocessing import Preprocessing
from embed.video.sampling import FramesPerSecond, KeyFrames, UniformFrames
from embed.video.timeline import Timeline, read_timeline
from embed.video.views import ViewCutter, rows_by_view
from tests.media import (
    HEIGHT_PX,
    WIDTH_PX,
    copy_packets,
    join_streams,
    number_of,
    numbered_frame,
    retime_packets,
    set_edits,
    write_moving_video,
    write_video,
)
from tests.playing import middles, play

SMALL_SQUARE = Preprocessing(64, 64, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
both_decoders = pytest.mark.parametrize("decoder", ["pyav", "opencv"])
every_format = pytest.mark.parametrize(
    ("name", "codec"),
    [
        pytest.param("a.mp4", "libx264", id="H.264 with B-frames in MP4"),
        pytest.param("a.mkv", "libx264", id="H.264 in Matroska"),
        pytest.param("a.ts", "libx264", id="H.264 in a transport stream, which starts after 0"),
        pytest.param("a.h264", "libx264", id="raw H.264"),
        pytest.param("a.mp4", "libx265", id="HEVC"),
        pytest.param("a.webm", "libvpx-vp9", id="VP9"),
        pytest.param("a.avi", "mpeg4", id="MPEG-4 part 2 in AVI"),
        pytest.param("a.avi", "libx264", id="H.264 in AVI, which has no presentation times"),
        pytest.param("a.mpg", "mpeg2video", id="MPEG-2 program stream"),
        pytest.param("a.mov", "mjpeg", id="Motion JPEG"),
        pytest.param("a.mjpeg", "mjpeg", id="raw Motion JPEG"),
    ],
)


def numbers(path: Path, frame_count: int, decoder: Decoder = "pyav") -> list[int]:
    frames = read_frames(str(path), UniformFrames(frame_count), decoder=decoder)
    return [number_of(window[0]) for window in frames.rgb]


@both_decoders
@every_format
def test_the_sampled_frames_are_the_right_ones(tmp_path: Path, name: str, codec: str, decoder: Decoder) -> None:
    path = write_video(tmp_path / name, 47, codec=codec)
    assert numbers(path, 10, decoder) == UniformFrames(10).choose(47).tolist()


@both_decoders
def test_a_short_video_gives_each_frame_once(tmp_path: Path, decoder: Decoder) -> None:
    assert numbers(write_video(tmp_path / "a.mp4", 5), 100, decoder) == [0, 1, 2, 3, 4]


@both_decoders
def test_a_variable_frame_rate_changes_no_frame(tmp_path: Path, decoder: Decoder) -> None:
    ticks = [0, 1, 2, 10, 11, 30, 50, 51, 90, 200]
    path = write_video(tmp_path / "a.mp4", 10, ticks=ticks)
    assert numbers(path, 5, decoder) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([(12, 20), (41, 40)], id="a part cut out"),
        pytest.param([(41, 40), (12, 20)], id="two parts in reverse order"),
    ],
)
def test_an_edit_list_of_several_parts_gives_the_frames_that_it_shows(
    tmp_path: Path, edits: list[tuple[int, int]]
) -> None:
    path = set_edits(write_video(tmp_path / "a.mp4", 96, options={"g": "16", "bf": "0"}), edits)
    shown = [first + number for first, count in edits for number in range(count)]
    assert numbers(path, 100) == shown
    assert numbers(path, 7) == [shown[index] for index in UniformFrames(7).choose(60)]
    np.testing.assert_allclose(read_timeline(str(path)).timestamps_s, np.arange(60) / 25, atol=1e-6)


@pytest.mark.parametrize(
    ("ending", "codec"), [("ts", "libx264"), ("ts", "libx265"), ("ts", "mpeg2video"), ("mpg", "mpeg2video")]
)
def test_files_joined_end_to_end_are_one_video(tmp_path: Path, ending: str, codec: str) -> None:
    firsts, ends = (0, 37, 60), (37, 60, 120)
    path = tmp_path / f"joined.{ending}"
    parts = [
        write_video(tmp_path / f"{first}.{ending}", end - first, codec=codec, numbers=range(first, end))
        for first, end in zip(firsts, ends, strict=True)
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert numbers(path, 8) == UniformFrames(8).choose(120).tolist()
    timeline = read_timeline(str(path))
    np.testing.assert_allclose(np.diff(timeline.timestamps_s), 1 / 25, atol=1e-4)
    assert timeline.duration_s == pytest.approx(120 / 25)
    np.testing.assert_array_equal(timeline.orders, decodable_timeline(str(path)).orders)


def test_frames_that_share_a_timestamp_are_all_shown(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 40, options={"bf": "0"})
    shared = retime_packets(path, tmp_path / "b.mkv", [number // 2 * 2 for number in range(40)])
    assert numbers(shared, 40) == list(range(40))


def test_timestamps_are_those_of_the_chosen_frames(tmp_path: Path) -> None:
    frames = read_frames(str(write_video(tmp_path / "a.mp4", 30, fps=25)), UniformFrames(3))
    np.testing.assert_allclose(frames.timestamps_s, np.array([5, 15, 25]) / 25, atol=1e-6)


def test_key_frames_have_their_own_timestamps(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, options={"g": "20", "bf": "2", "sc_threshold": "0"})
    frames = read_frames(str(path), KeyFrames(2))
    assert [number_of(window[0]) for window in frames.rgb] == [20, 40]
    np.testing.assert_allclose(frames.timestamps_s, [0.8, 1.6], atol=1e-6)


def test_one_frame_per_second_of_a_variable_frame_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 7, ticks=[0, 1, 2, 24, 25, 49, 70])
    frames = read_frames(str(path), FramesPerSecond(1))
    assert [number_of(window[0]) for window in frames.rgb] == [0, 4, 5]


def test_one_thread_gives_the_same_frames(tmp_path: Path) -> None:
    path = str(write_video(tmp_path / "a.mp4", 60))
    one, many = (read_frames(path, UniformFrames(9), thread_count=count).rgb for count in (1, 4))
    np.testing.assert_array_equal(one, many)


def test_frames_have_the_colours_of_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 1, options={"crf": "1"})
    rgb = read_frames(str(path), UniformFrames(1)).rgb[0, 0]
    assert rgb.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert np.abs(rgb.astype(int) - numbered_frame(0)).mean() < 4


@both_decoders
def test_a_rotated_video_comes_out_upright(tmp_path: Path, decoder: Decoder) -> None:
    path = write_video(tmp_path / "a.mp4", 3, rotation_degrees=90)
    rgb = read_frames(str(path), UniformFrames(1), decoder=decoder).rgb[0, 0]
    assert rgb.shape == (WIDTH_PX, HEIGHT_PX, 3)
    assert number_of(np.rot90(rgb, -1)) == 1


def test_real_clips_that_repeat_pictures_are_read_in_the_order_shown(ut_interaction6: Path) -> None:
    path = str(ut_interaction6 / "punch" / "set1_0_1_4.avi")
    assert read_timeline(path).frame_count == decodable_timeline(path).frame_count == 108
    by_pyav, by_opencv = (read_frames(path, UniformFrames(200), decoder=decoder).rgb for decoder in ("pyav", "opencv"))
    assert np.abs(by_pyav.astype(int) - by_opencv).mean(axis=(1, 2, 3, 4)).max() < 3


def test_both_decoders_turn_a_phones_video_the_same_way(odd_videos: Path) -> None:
    path = str(odd_videos / "decord" / "video_90.mov")
    by_pyav, by_opencv = (read_frames(path, UniformFrames(2), decoder=decoder).rgb for decoder in ("pyav", "opencv"))
    assert np.abs(by_pyav.astype(int) - by_opencv).mean() < 3


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_a_truncated_video_keeps_the_frames_it_has(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, 200, options={"g": "20", "bf": "2", "crf": "10"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = numbers(path, 20)
    assert len(found) == 20
    assert found == sorted(set(found))
    assert 60 < found[-1] < 140


@both_decoders
@pytest.mark.parametrize("ending", ["h264", "avi"])
def test_frames_identified_only_by_order_are_right_if_a_stream_begins_within_a_group(
    tmp_path: Path, ending: str, decoder: Decoder
) -> None:
    options = {"g": "20", "bf": "2", "x264-params": "repeat-headers=1:scenecut=0"}
    whole = write_video(tmp_path / f"whole.{ending}", 80, options=options)
    path = copy_packets(whole, tmp_path / f"a.{ending}", first=10)
    assert read_timeline(str(path)).frame_count == decodable_timeline(str(path)).frame_count == 60
    assert numbers(path, 2, decoder) == [20 + place for place in UniformFrames(2).choose(60)]


def test_preprocessing_is_applied_to_each_frame(tmp_path: Path) -> None:
    frames = read_frames(str(write_video(tmp_path / "a.mp4", 4)), UniformFrames(2), SMALL_SQUARE)
    assert frames.rgb.shape == (2, 1, 64, 64, 3)


@pytest.mark.parametrize("rule", [UniformFrames(300), Clips(16, 1, 150)], ids=["frames", "clips that overlap"])
def test_frames_are_held_in_memory_once(tmp_path: Path, rule: UniformFrames | Clips) -> None:
    path = str(write_video(tmp_path / "a.mp4", 300))
    cutter = ViewCutter(SMALL_SQUARE, ("whole", "whole-mirrored"))
    read = partial(read_frames, path, preprocessing=cutter, thread_count=2)
    rgb, peak_bytes = traced(lambda: rows_by_view(read(sampling=rule).pictures))
    assert rgb.shape == (600, 64, 64, 3)
    assert peak_bytes < 1.3 * rgb.nbytes


def traced(work: Callable[[], NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], int]:
    """Return the result of the work, and the peak memory in bytes that NumPy and Python used for it."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_frame_behind_two_vectors_is_in_both(tmp_path: Path) -> None:
    frames = read_frames(str(write_video(tmp_path / "a.mp4", 20)), Windows())
    assert [[number_of(rgb) for rgb in window] for window in frames.rgb] == [[3, 5], [5, 9]]
    np.testing.assert_allclose(frames.timestamps_s, [4 / 25, 7 / 25], atol=1e-6)


class Windows:
    """A sampling of two windows that share a frame."""

    def indices(self, _: Timeline) -> NDArray[np.int64]:
        return np.array([[3, 5], [5, 9]])

    def to_json(self) -> dict[str, str]:
        return {"name": "windows"}


def test_a_file_cut_before_its_index_is_unreadable(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 30)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(VideoError, match="unreadable"):
        read_frames(str(path), UniformFrames(4))


def test_a_codec_that_opencv_lacks_is_a_decode_error(odd_videos: Path) -> None:
    with pytest.raises(VideoError, match=r"decode_error: opencv does not return the frames of .*av1_video.mkv"):
        read_frames(str(odd_videos / "torchcodec" / "av1_video.mkv"), UniformFrames(4), decoder="opencv")


DAMAGED_S = {"corrupted.mp4": {3.0}}  # timestamps of frames that no decoder returns, though their packets exist
LARGE_BYTES = 90_000


def odd_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]


def right_or_silent(paths: list[Path]) -> dict[Path, str]:
    sounds = {path: "no_video_stream" for path in paths if path.suffix in (".mp3", ".wav")}
    return dict.fromkeys(paths, "right") | sounds


def test_every_odd_video_gives_the_right_frames_or_a_reason(odd_videos: Path) -> None:
    paths = odd_files(odd_videos)
    assert len(paths) > 50
    assert {path: outcome(path, 3) for path in paths} == right_or_silent(paths)


def test_every_small_odd_video_gives_all_its_frames(odd_videos: Path) -> None:
    paths = [path for path in odd_files(odd_videos) if path.stat().st_size < LARGE_BYTES]
    assert {path: outcome(path, 10_000) for path in paths} == right_or_silent(paths)


@pytest.mark.nightly
def test_every_large_odd_video_gives_all_its_frames(odd_videos: Path) -> None:
    paths = [path for path in odd_files(odd_videos) if path.stat().st_size >= LARGE_BYTES]
    assert {path: outcome(path, 10_000) for path in paths} == right_or_silent(paths)


def outcome(path: Path, count: int) -> str:
    """Return "right" if sampled frames equal those at the same places among all that play, else "wrong" or a reason."""
    try:
        frames = read_frames(str(path), UniformFrames(count), thread_count=1)
    except VideoError as error:
        return error.reason
    wanted_s = frames.timestamps_s
    played = {shown.time_s: shown.rgb if np.isclose(wanted_s, shown.time_s).any() else None for shown in play(path)}
    is_thinned = len(played) > count
    times_s = sorted(set(played) | (DAMAGED_S.get(path.name, set()) if is_thinned else set()))
    chosen = [times_s[place] for place in middles(len(times_s), count)]
    is_right = wanted_s.tolist() == pytest.approx(chosen)
    is_right &= all(
        np.array_equal(window[0], played[time_s]) for window, time_s in zip(frames.rgb, chosen, strict=True)
    )
    return "right" if is_right else "wrong"


def test_pictures_that_change_size_need_a_preprocessing(tmp_path: Path) -> None:
    parts = [
        write_moving_video(tmp_path / f"{side_px}.h264", 10, codec="libx264", options={}, width_px=side_px)
        for side_px in (128, 192)
    ]
    path = str(join_streams(parts, tmp_path / "a.ts"))
    with pytest.raises(VideoError, match=r"change size \(128x\d+, 192x\d+\)\. Set preprocessing"):
        read_frames(path, UniformFrames(4))
    assert read_frames(path, UniformFrames(4), SMALL_SQUARE).rgb.shape == (4, 1, 64, 64, 3)

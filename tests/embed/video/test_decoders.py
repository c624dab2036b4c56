"""The number of threads changes no pixel, of any codec, whether frames are planned or decoded in order."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.video.decoders import THREADS, PlanFailed, decoder_for
from embed.video.decoding import read_frames, shown_in_order
from embed.video.opening import open_video
from embed.video.planning import plan_packets
from embed.video.sampling import UniformFrames
from embed.video.timeline import read_packets
from tests.embed.codings import MATRIX, write_coding
from tests.media import join_streams, write_moving_video, write_video
from tests.playing import middles, play, unlike

THREAD_COUNTS = (1, 2, 4, 8)
PROVEN_IN_CI = [
    *[("H.264 open pyramid", "mp4"), ("H.264 interlaced, open groups", "ts"), ("HEVC interlaced", "mp4")],
    *[("VP8", "webm"), ("VP8 transparent", "webm"), ("VP9 tiles", "webm"), ("AV1 film grain", "mp4")],
    *[("MPEG-2 interlaced", "ts"), ("MPEG-4", "mp4"), ("MPEG-4 interlaced", "mp4"), ("MPEG-4 interlaced", "avi")],
    *[("FFV1 version 1", "mkv"), ("ProRes interlaced", "mov"), ("DNxHD", "mov"), ("PNG", "mov")],
]


def unlike_one_thread(path: Path, *, repeats: int) -> dict[str, int]:
    """Return how many frames differ from those of one thread in order, for each number of threads and of frames."""
    everything = read_frames(str(path), UniformFrames(1000), thread_count=1).rgb
    wrong = {
        f"{count} frames on {thread_count} threads": _differing(path, everything, count, thread_count)
        for thread_count in THREAD_COUNTS
        for count in (3, 8, 1000)
        for _ in range(repeats)
    }
    return {name: count for name, count in wrong.items() if count}


def _differing(path: Path, everything: NDArray[np.uint8], count: int, thread_count: int) -> int:
    rgb = read_frames(str(path), UniformFrames(count), thread_count=thread_count).rgb
    right = everything[middles(len(everything), count)]
    return int((rgb != right).any(axis=(1, 2, 3, 4)).sum()) if rgb.shape == right.shape else len(right)


@pytest.mark.parametrize(("name", "ending"), PROVEN_IN_CI)
def test_the_number_of_threads_changes_no_pixel(tmp_path: Path, name: str, ending: str) -> None:
    assert unlike_one_thread(write_coding(tmp_path, name, ending), repeats=1) == {}


@pytest.mark.parametrize("name", ["mpeg4_interlaced.mp4", "theora.ogv"])
def test_codecs_whose_threads_are_not_exact_are_decoded_on_one(cases: Path, name: str) -> None:
    path = cases / name
    shown = list(play(path))
    assert {count: unlike(path, shown, count) for count in (8, 55, 1000)} == {8: [], 55: [], 1000: []}
    assert unlike_one_thread(path, repeats=2) == {}
    with open_video(str(path)) as (_, stream):
        assert decoder_for(stream, 8).thread_count == 1


def test_a_proven_decoder_has_its_threads(tmp_path: Path) -> None:
    with open_video(str(write_video(tmp_path / "a.mp4", 3))) as (_, stream):
        decoder = decoder_for(stream, 8)
        assert (decoder.thread_count, decoder.thread_type.name) == (8, "FRAME")


@pytest.mark.parametrize(("name", "decoder"), [("VP8 transparent", "libvpx"), ("VP9 transparent", "libvpx-vp9")])
def test_transparent_webm_is_decoded_with_its_alpha_where_a_tag_says_it_in_capitals(
    tmp_path: Path, name: str, decoder: str
) -> None:
    path = write_coding(tmp_path, name, "webm", frame_count=8)
    with open_video(str(path)) as (_, stream):
        assert "ALPHA_MODE" in stream.metadata
        assert decoder_for(stream, 4).name == decoder
    rgb = read_frames(str(path), UniformFrames(1)).rgb[0, 0].astype(int)
    assert rgb[:40].mean() < 45  # an opacity of 60 above the disc; about 128 without it


def test_what_is_shown_in_place_of_damage_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    path = write_coding(tmp_path, "H.264 interlaced, open groups", "ts")
    content = bytearray(path.read_bytes())
    for at in range(len(content) // 5, len(content), len(content) // 5):
        content[at] ^= 0x10
    path.write_bytes(content)
    timeline = read_packets(str(path)).timeline
    with pytest.raises(PlanFailed, match=r"damaged|Invalid data|are missing"):
        list(shown_in_order(str(path), timeline, frozenset(range(timeline.frame_count)), 4))
    assert unlike_one_thread(path, repeats=2) == {}


def test_h264_that_lost_packets_on_its_way_is_decoded_on_one_thread(tmp_path: Path) -> None:
    path = write_coding(tmp_path, "H.264 open", "ts")
    content = path.read_bytes()
    half = len(content) // 376 * 188
    path.write_bytes(content[:half] + content[half + 188 :])
    timeline = read_packets(str(path)).timeline
    with pytest.raises(PlanFailed, match=r"bytes of packet \d+ are missing"):
        list(shown_in_order(str(path), timeline, frozenset(range(timeline.frame_count)), 4))
    assert unlike_one_thread(path, repeats=1) == {}


def test_h264_whose_plan_leaves_out_references_has_one_thread(tmp_path: Path) -> None:
    with open_video(str(write_video(tmp_path / "a.mp4", 3))) as (_, stream):
        assert decoder_for(stream, 8).options == {"err_detect": "explode"}
    with open_video(str(tmp_path / "a.mp4")) as (_, stream):
        decoder = decoder_for(stream, 8, has_strays=True)
        assert (decoder.thread_count, decoder.options) == (1, {})


def test_opencv_gives_no_noise_in_place_of_interlaced_pictures(cases: Path) -> None:
    with pytest.raises(
        VideoError, match=r"decode_error: OpenCV cannot convert the interlaced frames of .*--decoder pyav"
    ):
        read_frames(str(cases / "mpeg4_interlaced.mp4"), UniformFrames(4), decoder="opencv")


def test_opencv_gives_no_noise_where_a_video_turns_interlaced(tmp_path: Path) -> None:
    parts = [
        write_moving_video(tmp_path / f"{way}.h264", 24, codec="libx264", options={"x264-params": f"{way}:bframes=0"})
        for way in ("interlaced=0", "interlaced=1")
    ]
    assert len(read_frames(str(parts[0]), UniformFrames(4), decoder="opencv").rgb) == 4
    path = join_streams(parts, tmp_path / "a.mkv")
    with pytest.raises(VideoError, match="OpenCV cannot convert the interlaced frames"):
        read_frames(str(path), UniformFrames(4), decoder="opencv")


@pytest.mark.nightly
@pytest.mark.parametrize("name", MATRIX)
def test_the_number_of_threads_changes_no_pixel_of_any_coding_in_any_container(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    row = row_of(tmp_path, name, MATRIX[name])
    with capsys.disabled():
        print(f"| {' | '.join(row)} |")
    assert row[-1] == "0"


def row_of(folder: Path, name: str, endings: tuple[str, ...]) -> tuple[str, ...]:
    """Return a coding's row of the matrix in resources/docs/exact-frames.md.

    Its cells are the coding, its containers, its kind of threads, where it is planned, and the frames that differ.
    """
    paths = [write_coding(folder, name, ending) for ending in endings]
    planned = [path.suffix[1:] for path in paths if is_planned(path)]
    with open_video(str(paths[0])) as (_, stream):
        threads = THREADS.get(decoder_for(stream, 1).name, "one")
    wrong = sum(sum(unlike_one_thread(path, repeats=3).values()) for path in paths)
    return name, ", ".join(endings), threads.lower(), ", ".join(planned) or "-", str(wrong)


def is_planned(path: Path) -> bool:
    """Return True if a few frames are decoded by plan."""
    packets = read_packets(str(path))
    return plan_packets(packets, UniformFrames(3).choose(packets.timeline.frame_count)) is not None

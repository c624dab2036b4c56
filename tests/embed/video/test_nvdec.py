import json
from pathlib import Path

import numpy as np
import pytest

from embed import EmbedConfig, embed_videos
from embed.decode_pool.pool import DecodedVideo, DecodePlan, decode_videos
from embed.errors import VideoError
from embed.sources.videos import Video
from embed.store import EmbeddingStore
from embed.video.decoding import read_frames
from embed.video.nvdec import nvdec_sides_px, read_frames_by_nvdec, why_no_gpu
from embed.video.sampling import UniformFrames
from tests.embed import hostile
from tests.embed.hostile import HOSTILE_FRAME_COUNT, Hostile
from tests.media import BarReader, crop_packets, spelled_numbers, write_moving_video, write_video

with_a_gpu = pytest.mark.skipif(why_no_gpu() is not None, reason="needs an NVIDIA GPU with a video engine")
without_a_gpu = pytest.mark.skipif(why_no_gpu() is None, reason="needs a machine without an NVIDIA GPU")


@with_a_gpu
@pytest.mark.parametrize(
    ("codec", "pixel_format", "ending", "options"),
    [
        pytest.param("libx264", "yuv420p", "mp4", {"g": "20", "bf": "3"}, id="H.264"),
        pytest.param("libx264", "yuv420p", "mp4", {"g": "20", "x264-params": "open-gop=1:bframes=3"}, id="open groups"),
        pytest.param("libx265", "yuv420p10le", "mp4", {"x265-params": "log-level=none:keyint=20"}, id="HEVC, 10 bits"),
        pytest.param("libvpx-vp9", "yuv420p", "webm", {"g": "20"}, id="VP9"),
    ],
)
def test_a_gpu_gives_the_same_pixels_as_the_cpu(
    tmp_path: Path, codec: str, pixel_format: str, ending: str, options: dict[str, str]
) -> None:
    path = write_moving_video(
        tmp_path / f"a.{ending}",
        60,
        codec=codec,
        options=options,
        pixel_format=pixel_format,
        width_px=256,
        height_px=192,
    )
    by_gpu = read_frames_by_nvdec(str(path), UniformFrames(7))
    assert not isinstance(by_gpu, str), by_gpu
    np.testing.assert_array_equal(by_gpu.rgb, read_frames(str(path), UniformFrames(7)).rgb)


@with_a_gpu
@pytest.mark.parametrize(
    "name",
    ["nasa_13013.mp4", "nasa_13013_rotated.mp4", "nasa_13013_hdr.mp4", "bt601_full_range.mp4", "testsrc2_vp9.webm"],
)
def test_a_gpu_gives_the_same_pixels_as_the_cpu_on_real_files(odd_videos: Path, name: str) -> None:
    path = str(odd_videos / "torchcodec" / name)
    by_gpu = read_frames_by_nvdec(path, UniformFrames(5))
    assert not isinstance(by_gpu, str), by_gpu
    np.testing.assert_array_equal(by_gpu.rgb, read_frames(path, UniformFrames(5)).rgb)


@with_a_gpu
def test_a_stream_cropped_on_its_left_is_exact_on_the_gpu_or_left_to_the_cpu(tmp_path: Path) -> None:
    path = write_moving_video(tmp_path / "a.mp4", 20, codec="libx264", options={}, width_px=256, height_px=192)
    cropped = crop_packets(path, tmp_path / "cropped.mp4", left_px=32, top_px=16)
    expected = read_frames(str(cropped), UniformFrames(3)).rgb
    assert expected.shape[2:4] == (176, 224)
    by_gpu = read_frames_by_nvdec(str(cropped), UniformFrames(3))
    assert isinstance(by_gpu, str) or np.array_equal(by_gpu.rgb, expected)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "ending", "reason"),
    [
        pytest.param("libx264", "yuv420p", "mp4", None, id="H.264"),
        pytest.param("libx265", "yuv420p10le", "mkv", None, id="HEVC, 10 bits"),
        pytest.param("libvpx", "yuv420p", "webm", None, id="VP8"),
        pytest.param("libvpx-vp9", "yuv420p", "webm", None, id="VP9"),
        pytest.param("libvpx-vp9", "yuva420p", "webm", "not for transparent WebM", id="transparent VP9"),
        pytest.param("mpeg4", "yuv420p", "avi", "h264, hevc, vp8, vp9, not for mpeg4", id="MPEG-4"),
        pytest.param("libsvtav1", "yuv420p", "mp4", "not for libdav1d", id="AV1"),
        pytest.param("libx264", "yuv444p", "mp4", "4:2:0 video of 8 or 10 bits, not for yuv444p", id="4:4:4"),
    ],
)
def test_a_gpu_is_used_only_for_what_it_decodes_exactly(
    tmp_path: Path, codec: str, pixel_format: str, ending: str, reason: str | None
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_moving_video(tmp_path / f"a.{ending}", 3, codec=codec, options=options, pixel_format=pixel_format)
    found = nvdec_sides_px(str(path))
    assert found == {128, 96} if reason is None else str(found).endswith(reason)


def test_a_file_that_is_not_a_video_is_an_error_and_not_left_to_the_cpu(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("x")
    with pytest.raises(VideoError, match="unreadable"):
        nvdec_sides_px(str(tmp_path / "a.mp4"))


@without_a_gpu
def test_without_a_gpu_videos_are_decoded_on_the_cpu_and_the_reason_is_reported(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{number}.mp4", 20) for number in range(3)]
    log = tmp_path / "run.jsonl"
    config = EmbedConfig(sampling=UniformFrames(4), decode_device="cuda", log=str(log))
    summary = embed_videos(videos, tmp_path / "s.h5", config, encoder=BarReader())
    ((reason, count),) = summary.decoded_on_cpu.items()
    assert "no NVIDIA GPU" in reason
    assert count == 3
    assert {json.loads(line)["cpu_reason"] for line in log.read_text().splitlines()} == {reason}
    assert spelled_numbers(EmbeddingStore(tmp_path / "s.h5").read("0.mp4").vectors) == [2, 7, 12, 17]


def test_a_video_whose_gpu_process_died_is_tried_again_on_the_cpu(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", HOSTILE_FRAME_COUNT)
    sampling = Hostile(hostile.segfault, once=tmp_path / "done")
    plan = DecodePlan(sampling, BarReader().identity.preprocessing, decode_device="cuda")
    (result,) = decode_videos([Video("a", str(path))], plan, workers=1)
    assert isinstance(result, DecodedVideo)
    assert result.cpu_reason == "its process ended, or its file changed, while the GPU decoded it"


def test_a_gpu_needs_pyav() -> None:
    with pytest.raises(ValueError, match="decode_device cuda needs pyav, but decoder is 'opencv'"):
        EmbedConfig(decoder="opencv", decode_device="cuda")

"""Whole runs with videos that take too long or too much memory, or crash: reasons, exit codes, and retries."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embed import EmbedConfig, UniformFrames, embed_videos
from embed.decode_pool.pool import DecodeLimits
from embed.store import EmbeddingStore
from tests.embed import hostile
from tests.embed.hostile import HOSTILE_FRAME_COUNT, Hostile
from tests.media import BarReader, spelled_numbers, write_moving_video, write_video
from tests.processes import Traced, slow_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux only")


def test_a_video_beyond_a_limit_fails_with_its_reason_and_can_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    small = write_video(tmp_path / "videos" / "small.mp4", 10)
    large = {"pixel_format": "yuvj420p", "width_px": 6000, "height_px": 6000}
    write_moving_video(tmp_path / "videos" / "large.avi", 2, codec="mjpeg", options={}, **large)
    store, traced = tmp_path / "s.h5", Traced()
    program = Path(sys.executable).with_name("embed-videos")
    options = ["-o", store, "--model", "efficientnet-lite0", "--frames-count", "2", "--json"]
    # If there is a store, no video is decoded before the encoder is loaded: torch's import stops all threads for
    # seconds, including the one that watches a worker's memory.
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2))
    embed_videos([small], store, config)
    command = [program, tmp_path / "videos", tmp_path / "silent.mp4", *options]
    with slow_file(tmp_path / "silent.mp4"):
        limited = traced.start([*command, "--timeout", "4", "--memory-limit", "0.25"])
        output, complaints = limited.communicate(timeout=120)
    assert limited.returncode == 1
    assert traced.leavings() == set()
    assert {failure["id"]: failure["reason"] for failure in json.loads(output)["failures"]} == {
        "large.avi": "out_of_memory",
        "silent.mp4": "timeout",
    }
    complaints = " ".join(complaints.split())  # lines are wrapped
    assert "silent.mp4 was not decoded after 4 s" in complaints
    assert "large.avi takes more than 0.25 GiB" in complaints

    write_video(tmp_path / "silent.mp4", 10)
    unchanged = embed_videos([tmp_path / "videos", tmp_path / "silent.mp4"], store, config)
    assert (unchanged.embedded, unchanged.failed) == (0, 2)
    again = json.loads(subprocess.run([*command, "--retry-failed"], capture_output=True, check=True).stdout)
    assert (again["embedded"], again["skipped"], again["failed"]) == (2, 1, 0)
    assert EmbeddingStore(store).failures == []


@pytest.mark.parametrize(
    ("deed", "reason", "detail"),
    [
        pytest.param(hostile.segfault, "crashed", "ended its process by SIGSEGV", id="segfaults"),
        pytest.param(hostile.take_memory_at_once, "out_of_memory", "takes more than 0.391 GiB", id="takes all at once"),
    ],
)
def test_a_video_that_ends_its_process_is_stored_as_a_failure_and_the_others_are_embedded(
    tmp_path: Path, deed: Callable[[], None], reason: str, detail: str
) -> None:
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", 5)
    write_video(tmp_path / "videos" / "b.mp4", HOSTILE_FRAME_COUNT)
    write_video(tmp_path / "videos" / "c.mp4", 7)
    limits = DecodeLimits(timeout_s=60, memory_bytes=400 << 20)
    config = EmbedConfig(sampling=Hostile(deed), limits=limits)
    summary = embed_videos([tmp_path / "videos"], tmp_path / "s.h5", config, encoder=BarReader())
    assert (summary.embedded, summary.failed) == (2, 1)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        (failure,) = store.failures
        assert (failure.id, failure.reason) == ("b.mp4", reason)
        assert detail in failure.detail
        assert store.ids == ["a.mp4", "c.mp4"]
        assert spelled_numbers(store.read("c.mp4").vectors) == list(range(7))

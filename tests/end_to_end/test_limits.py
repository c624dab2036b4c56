"""Videos that take too long or too much, through the command line: reasons, exit codes, and trying them again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embed.store import EmbeddingStore
from tests.media import write_moving_video, write_video
from tests.processes import Traced

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux only")


def test_a_video_beyond_a_limit_fails_with_its_reason_and_can_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    small = write_video(tmp_path / "videos" / "small.mp4", 10)
    large = {"pixel_format": "yuvj420p", "width_px": 6000, "height_px": 6000}
    write_moving_video(tmp_path / "videos" / "large.avi", 2, codec="mjpeg", options={}, **large)
    os.mkfifo(tmp_path / "silent.mp4")  # who opens it waits for ever, as over a dead network disk
    store, traced = tmp_path / "s.h5", Traced()
    program = Path(sys.executable).with_name("embed-videos")
    options = ["-o", store, "--model", "efficientnet-lite0", "--frames-count", "2", "--json"]
    # Where there is a store, no video is decoded before the encoder is loaded: torch's import stops all threads for
    # seconds, also the one that watches a worker's memory.
    subprocess.run([program, small, *options], capture_output=True, check=True)
    command = [program, tmp_path / "videos", tmp_path / "silent.mp4", *options]
    limited = traced.start([*command, "--timeout", "4", "--memory-limit", "0.25"])
    output, complaints = limited.communicate(timeout=120)
    assert limited.returncode == 1
    assert traced.leavings() == set()
    assert {failure["id"]: failure["reason"] for failure in json.loads(output)["failures"]} == {
        "large.avi": "out_of_memory",
        "silent.mp4": "timeout",
    }
    assert "silent.mp4 was not decoded after 4 s" in complaints
    assert "large.avi takes more than 0.25 GiB" in complaints

    (tmp_path / "silent.mp4").unlink()
    write_video(tmp_path / "silent.mp4", 10)
    unchanged = subprocess.run(command, capture_output=True, check=False)
    assert (unchanged.returncode, json.loads(unchanged.stdout)["embedded"]) == (1, 0)
    again = json.loads(subprocess.run([*command, "--retry-failed"], capture_output=True, check=True).stdout)
    assert (again["embedded"], again["skipped"], again["failed"]) == (2, 1, 0)
    assert EmbeddingStore(store).failures == []

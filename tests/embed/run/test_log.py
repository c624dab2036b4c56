import json
import os
from pathlib import Path

import numpy as np
import pytest

from embed.decode_pool.worker import DecodedVideo
from embed.errors import EmbedError
from embed.run.encoding import EncodedVideo
from embed.run.log import RunLog
from embed.store.records import Failure, VideoRecord


def test_one_object_per_video_is_appended_to_the_file(tmp_path: Path) -> None:
    decoded = DecodedVideo(VideoRecord("a", "/a.mp4", duration_s=2.0), np.empty(0, np.uint8), np.zeros(3), decode_s=0.5)
    with RunLog(tmp_path / "run.jsonl") as log:
        log.embedded(EncodedVideo(decoded, np.zeros((3, 10), np.float32), encoded_count=2))
    with RunLog(tmp_path / "run.jsonl") as log:
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s", attempts=2))
    embedded, failed = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert embedded.items() >= {"id": "a", "status": "embedded", "vectors": 3, "encoded": 2, "decode_s": 0.5}.items()
    assert failed.items() >= {"id": "b", "status": "failed", "reason": "timeout", "attempts": 2}.items()
    assert failed["time"].endswith("+00:00")


def test_a_file_name_that_is_not_utf8_can_be_read_from_the_log(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    with RunLog(tmp_path / "run.jsonl") as log:
        log.failed(Failure(name, f"/{name}", "timeout", "300 s"))
    assert json.loads((tmp_path / "run.jsonl").read_text(encoding="utf-8"))["id"] == name


def test_without_a_path_nothing_is_logged() -> None:
    with RunLog(None) as log:
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s"))


def test_a_log_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbedError, match=r"run.jsonl cannot be written: No such file.*Name another file with --log"):
        RunLog(tmp_path / "absent" / "run.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk_says_that_the_run_can_be_continued() -> None:
    with (
        RunLog("/dev/full") as log,
        pytest.raises(EmbedError, match=r"/dev/full cannot be written: No space left.*run the same command again"),
    ):
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s"))

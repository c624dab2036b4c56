import json
import os
from pathlib import Path

import numpy as np
import pytest

from embed import EmbedConfig, embed_videos
from embed.decode_pool import DecodedVideo
from embed.errors import EmbedError
from embed.run.encoding import EncodedVideo
from embed.run.log import RunLog, refuse_log
from embed.store.records import Failure, VideoRecord


def test_one_object_per_video_is_appended_to_the_file(tmp_path: Path) -> None:
    record = VideoRecord("a", "/a.mp4", duration_s=2.0)
    nothing, places = np.empty(0, np.uint8), np.zeros((3, 1), np.int64)
    decoded = DecodedVideo(record, nothing, places, np.zeros(3), np.zeros((3, 2)), decode_s=0.5)
    with RunLog(tmp_path / "run.jsonl") as log:
        log.embedded(EncodedVideo(decoded, np.zeros((3, 10), np.float32), encoded_count=2))
    with RunLog(tmp_path / "run.jsonl") as log:
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s", attempts=2))
    embedded, failed = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert embedded.items() >= {"id": "a", "status": "embedded", "vectors": 3, "encoded": 2, "decode_s": 0.5}.items()
    assert failed.items() >= {"id": "b", "status": "failed", "reason": "timeout", "attempts": 2}.items()
    assert failed["time"].endswith("+00:00")


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_video_that_is_stored_while_ctrl_c_comes_is_logged_once(tmp_path: Path, is_taken: bool) -> None:
    decoded = DecodedVideo(VideoRecord("a", "/a.mp4"), *(np.zeros(0),) * 4)  # type: ignore[arg-type]
    encoded = EncodedVideo(decoded, np.zeros((3, 10), np.float32), encoded_count=2)
    with (
        RunLog(tmp_path / "run.jsonl") as log,
        pytest.raises(KeyboardInterrupt),
        log.embedding(encoded, lambda: is_taken),
    ):
        raise KeyboardInterrupt
    assert (tmp_path / "run.jsonl").read_text().count("embedded") == is_taken


def test_a_file_name_that_is_not_utf8_can_be_read_from_the_log(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    with RunLog(tmp_path / "run.jsonl") as log:
        log.failed(Failure(name, f"/{name}", "timeout", "300 s"))
    assert json.loads((tmp_path / "run.jsonl").read_text(encoding="utf-8"))["id"] == name


def test_without_a_path_nothing_is_logged() -> None:
    with RunLog(None) as log:
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s"))


def test_a_log_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbedError, match=r"run.jsonl' cannot be written: Not a directory.*name another file"):
        RunLog(tmp_path / "file" / "run.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk_says_that_the_run_can_be_continued() -> None:
    with (
        RunLog("/dev/full") as log,
        pytest.raises(EmbedError, match=r"/dev/full cannot be written: No space left.*run the same command again"),
    ):
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s"))


@pytest.mark.parametrize("content", [b"RIFF\0\0AVI ", b'{"id": "a.mp4"}\n', b"id,label\na.mp4,hug\n"])
def test_a_file_that_is_no_log_is_not_appended_to(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)

    with pytest.raises(
        EmbedError, match=r"notes.txt exists, and is not a log as an earlier run wrote it\..*Name another file\.$"
    ):
        RunLog(tmp_path / "notes.txt")

    assert (tmp_path / "notes.txt").read_bytes() == content


def test_a_log_that_a_kill_has_cut_off_in_its_first_line_is_continued(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run.jsonl") as log:
        log.failed(Failure("b", "/b.mp4", "timeout", "300 s"))
    os.truncate(tmp_path / "run.jsonl", 30)

    RunLog(tmp_path / "run.jsonl").close()


@pytest.mark.parametrize(
    ("store", "log"),
    [
        ("s.h5", "s.h5"),
        ("s.h5", "./s.h5"),
        ("s.h5", "s.h5.parts"),
        ("s.h5", "s.h5.parts/lock"),
        ("s.h5", "s.h5.parts/log"),
        ("s.h5", "s.h5.12.tmp"),
        ("shards", "shards"),
        ("shards", "shards/log.jsonl"),
        ("new/s.h5", "new"),
        ("link.h5", "real.h5"),
    ],
)
def test_a_log_is_not_the_store_nor_in_it_nor_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, log: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.h5").symlink_to("real.h5")

    with pytest.raises(EmbedError, match=rf"The log {log} would be in the place of the store {store}, or in it"):
        embed_videos("videos", store, EmbedConfig(log=log))

    assert [path.name for path in tmp_path.iterdir()] == ["link.h5"]


def test_a_log_may_lie_beside_the_store(tmp_path: Path) -> None:
    refuse_log(tmp_path / "s.h5.jsonl", tmp_path / "s.h5")
    refuse_log("/dev/null", tmp_path / "s.h5")


def test_a_log_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EmbedError, match=r"An address \(https://\.\.\.\) is no place for a log") as refused:
        RunLog("https://me:PW@h/log?token=T")
    assert "PW" not in str(refused.value)
    assert not list(tmp_path.iterdir())

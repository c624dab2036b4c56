"""Files that change while they are decoded: stored vectors always belong to the stored hash."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.decode_pool import DecodedVideo, DecodePlan
from embed.decode_pool.pool import decode_videos
from embed.decode_pool.worker import decode_video
from embed.run.changes import may_succeed_now
from embed.sources import Video, hash_content
from embed.store import Failure
from embed.video import UniformFrames
from tests.media import BarReader, spelled_numbers, write_video

PREPROCESSING = BarReader().identity.preprocessing


@dataclass(frozen=True)
class Changing(UniformFrames):
    """A sampling during which a file is replaced, by its clock: between reading the packets and decoding them."""

    how: str = "rename"
    target: str = ""
    fresh: str = ""
    times: int = 1

    def choose(self, frame_count: int) -> NDArray[np.int64]:
        """Choose frames as `UniformFrames` does, and change the file, the first `times` times."""
        count = Path(self.target + ".count")
        done = len(count.read_bytes()) if count.exists() else 0
        if done < self.times:
            count.write_bytes(b"x" * (done + 1))
            _CHANGES[self.how](Path(self.target), Path(self.fresh))
        return super().choose(frame_count)


def replace_by_rename(target: Path, fresh: Path) -> None:
    beside = target.with_suffix(".tmp")
    beside.write_bytes(fresh.read_bytes())
    beside.replace(target)


def rewrite_in_place(target: Path, fresh: Path) -> None:
    target.write_bytes(fresh.read_bytes())


def rewrite_with_the_old_time(target: Path, fresh: Path) -> None:
    before = target.stat()
    target.write_bytes(fresh.read_bytes())
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


_CHANGES: dict[str, Any] = {
    "rename": replace_by_rename,
    "in place": rewrite_in_place,
    "old time": rewrite_with_the_old_time,
}


def plan_that_changes(target: Path, fresh: Path, how: str, times: int) -> DecodePlan:
    return DecodePlan(Changing(3, how=how, target=str(target), fresh=str(fresh), times=times), PREPROCESSING)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return a video whose frames count from 0, and one whose frames count from 100."""
    return write_video(tmp_path / "a.mp4", 9), write_video(tmp_path / "b.bin.mp4", 9, numbers=range(100, 109))


@pytest.mark.parametrize("how", _CHANGES)
def test_a_file_replaced_while_it_is_decoded_is_decoded_again(files: tuple[Path, Path], how: str) -> None:
    target, fresh = files
    decoded = decode_video(Video("a", str(target)), str(target), plan_that_changes(target, fresh, how, 1))
    assert isinstance(decoded, DecodedVideo)
    assert spelled_numbers(BarReader().encode(decoded.rgb)) == [101, 104, 107]
    record, now = decoded.record, target.stat()
    assert (record.content_hash, record.size_bytes, record.modified_s) == (
        hash_content(str(fresh)),
        now.st_size,
        now.st_mtime,
    )


def test_a_file_that_goes_on_changing_is_a_failure_of_its_own(files: tuple[Path, Path]) -> None:
    target, fresh = files
    (failure,) = decode_videos([Video("a", str(target))], plan_that_changes(target, fresh, "in place", 99), workers=1)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.attempts) == ("changed_while_read", 1)
    assert "was written or replaced while it was decoded" in failure.detail
    assert failure.size_bytes
    with target.open("ab") as file:
        file.write(b"the rest")
    assert may_succeed_now(failure)  # so the next run tries it by itself


def test_a_file_that_changed_is_tried_again_after_all_others(files: tuple[Path, Path], tmp_path: Path) -> None:
    target, fresh = files
    other = write_video(tmp_path / "c.mp4", 9)
    plan = plan_that_changes(target, fresh, "rename", 4)  # three files call for frames: a, a again, and c
    videos = [Video("a", str(target)), Video("c", str(other))]
    results = list(decode_videos(videos, plan, workers=1))
    assert [result.record.id for result in results if isinstance(result, DecodedVideo)] == ["c", "a"]


def test_a_copy_under_way_never_gives_vectors_of_half_a_file(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.ts", 120, codec="mpeg2video")
    content, target = whole.read_bytes(), tmp_path / "copy.ts"
    target.write_bytes(content[:4096])

    def copy() -> None:
        with target.open("r+b") as file:
            for start in range(0, len(content), max(1, len(content) // 100)):
                file.seek(start)
                file.write(content[start : start + max(1, len(content) // 100)])
                file.flush()
                time.sleep(0.002)

    writer, plan, results = threading.Thread(target=copy), DecodePlan(UniformFrames(3), PREPROCESSING), []
    writer.start()
    while writer.is_alive():
        results.append(decode_video(Video("copy", str(target)), str(target), plan))
    writer.join()
    results.append(decode_video(Video("copy", str(target)), str(target), plan))
    decoded = [result for result in results if isinstance(result, DecodedVideo)]
    assert decoded[-1].record.content_hash == hash_content(str(whole))
    for result in decoded:  # a pause between two writes is a whole file for as long as it lasts
        part = tmp_path / "part.ts"
        part.write_bytes(content[: result.record.size_bytes])
        again = decode_video(Video("part", str(part)), str(part), plan)
        assert isinstance(again, DecodedVideo)
        assert again.record.content_hash == result.record.content_hash
        np.testing.assert_array_equal(again.rgb, result.rgb)


def test_a_file_that_is_removed_while_it_is_decoded_does_not_exist(files: tuple[Path, Path]) -> None:
    target, fresh = files
    _CHANGES["remove"] = lambda path, _: path.unlink()
    failure = decode_video(Video("a", str(target)), str(target), plan_that_changes(target, fresh, "remove", 1))
    assert isinstance(failure, Failure)
    assert failure.reason == "not_found"


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    path = str(tmp_path / "a.mp4")
    failure = decode_video(Video("a", path), path, DecodePlan(UniformFrames(3), PREPROCESSING))
    assert isinstance(failure, Failure)
    assert failure.reason == "unreadable"


def test_a_file_of_which_only_the_entry_changes_is_decoded(files: tuple[Path, Path]) -> None:
    target, fresh = files
    _CHANGES["entry"] = lambda path, _: path.chmod(0o600 if path.stat().st_mode & 0o40 else 0o644)
    decoded = decode_video(Video("a", str(target)), str(target), plan_that_changes(target, fresh, "entry", 9))
    del _CHANGES["entry"]
    assert isinstance(decoded, DecodedVideo)
    assert decoded.record.content_hash == hash_content(str(target))

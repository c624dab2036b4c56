import os
import time
from dataclasses import replace
from pathlib import Path

from embed.decode_pool.pool import DecodeLimits, DecodePlan, decode_videos
from embed.decode_pool.worker import decode_video
from embed.sources.videos import Video
from embed.store.records import Failure
from embed.video.sampling import UniformFrames
from tests.embed.decode_pool.test_pool import reasons, video_of
from tests.media import BarReader

PLAN = DecodePlan(UniformFrames(4), BarReader().identity.preprocessing)


def test_a_pipe_in_a_list_is_a_failure_at_once_not_after_two_time_limits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    began = time.monotonic()
    found = list(decode_videos([Video("pipe", str(tmp_path / "pipe.mp4")), video_of(tmp_path, 5)], PLAN))
    assert reasons(found) == {"pipe": "unreadable", "5": "decoded"}
    assert time.monotonic() - began < DecodeLimits().timeout_s / 10


def test_a_playlist_is_played_only_if_the_plan_says_so(tmp_path: Path) -> None:
    video_of(tmp_path, 5)
    (tmp_path / "a.ffconcat").write_text("ffconcat version 1.0\nfile 5.mp4\n")
    named = Video("a", str(tmp_path / "a.ffconcat"))
    assert reasons(list(decode_videos([named], PLAN))) == {"a": "unreadable"}
    assert reasons(list(decode_videos([named], replace(PLAN, playlists=True)))) == {"a": "decoded"}


def test_a_copy_of_a_remote_file_is_never_a_playlist(tmp_path: Path) -> None:
    video_of(tmp_path, 5)
    (tmp_path / "a.ffconcat").write_text("ffconcat version 1.0\nfile 5.mp4\n")
    remote = Video("a", "https://host.example/a.ffconcat")
    found = decode_video(remote, str(tmp_path / "a.ffconcat"), replace(PLAN, playlists=True))
    assert isinstance(found, Failure)
    assert found.reason == "unreadable"

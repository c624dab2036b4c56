"""Videos without an end, from a server that never stops sending."""

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from embed.errors import VideoError
from embed.sources import transfers
from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.videos import Video
from embed.video.timeline import read_timeline
from tests.media import write_video
from tests.servers import FaultyServer, faulty_server

LIVE = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:4,\n0.ts\n"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as state:
        yield state


def fetch(folder: Path, address: str, *, ahead_bytes: int = 4 << 30, stall_s: float = 5.0) -> int:
    """Fetch a video and return its frame count."""
    config = FetchConfig(folder=str(folder), ahead_bytes=ahead_bytes, backoff_s=0.01, stall_s=stall_s)
    with Fetcher(config) as fetcher, fetcher.local_file(Video("a", address)) as path:
        assert isinstance(path, str)
        return read_timeline(path).frame_count


def failure_of(folder: Path, address: str, *, ahead_bytes: int = 4 << 30, reason: str = "refused") -> str:
    """Return why a video cannot be fetched, after checking that nothing is left of it."""
    with pytest.raises(VideoError) as caught:
        fetch(folder, address, ahead_bytes=ahead_bytes)
    assert caught.value.reason == reason
    assert list(folder.iterdir()) == []
    return caught.value.detail


def test_a_link_without_end_stops_at_the_limit_and_is_not_tried_again(server: FaultyServer, tmp_path: Path) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = b"x" * 100_000, "endless"
    detail = failure_of(tmp_path, f"{server.url}/a.mp4", ahead_bytes=3_000_000)
    assert "its server states no size and sent more than 3,000,000 bytes. It may be a live stream" in detail
    assert server.requests["/a.mp4"] == 2  # one of them asks for the size


def test_a_link_without_end_stops_before_the_disk_is_full(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = b"x" * 100_000, "endless"
    usage = namedtuple("usage", "free")(free=999_999)
    monkeypatch.setattr(transfers, "_LEAST_FREE_BYTES", 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "bytes nearly fill the disk. It may be a live stream" in failure_of(tmp_path, f"{server.url}/a.mp4")


def test_a_page_of_a_video_without_end_stops_at_the_limit(server: FaultyServer, tmp_path: Path) -> None:
    content = write_video(tmp_path / "a.mp4", 12).read_bytes()
    (tmp_path / "a.mp4").unlink()
    server.files["/clip.mp4"], server.faults["/clip.mp4"] = content, "endless"
    server.files["/page.html"] = f'<html><title>t</title><video src="{server.url}/clip.mp4"></video></html>'.encode()
    detail = failure_of(tmp_path, f"{server.url}/page.html", ahead_bytes=3_000_000)
    assert "sent more than 3,000,000 bytes" in detail


def test_a_live_stream_is_refused(server: FaultyServer, tmp_path: Path) -> None:
    server.files["/live.m3u8"] = LIVE.encode()
    detail = failure_of(tmp_path, f"{server.url}/live.m3u8?token=hush", reason="fetch_error")
    way_out = "Embed it after its end: --retry-failed"
    assert detail == f"{server.url}/live.m3u8 is a live stream, which has no end. {way_out}"


def test_a_transfer_from_a_page_may_take_longer_than_the_limit_of_silence(server: FaultyServer, tmp_path: Path) -> None:
    content = write_video(tmp_path / "a.mp4", 12).read_bytes() + bytes(200_000)
    server.files["/clip.mp4"], server.faults["/clip.mp4"] = content, "slow"
    server.files["/page.html"] = f'<html><title>t</title><video src="{server.url}/clip.mp4"></video></html>'.encode()
    assert fetch(tmp_path, f"{server.url}/page.html", stall_s=1.0) == 12

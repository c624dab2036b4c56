"""Remote videos that are refused: trying again cannot help, so they are asked for once."""

from pathlib import Path

import pytest

from embed.errors import VideoError
from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.videos import Video
from tests.buckets import bucket
from tests.servers import faulty_server


def refusal_of(folder: Path, address: str) -> str:
    """Return why a video is refused."""
    config = FetchConfig(folder=str(folder), attempts=3, backoff_s=0.01, stall_s=10)
    with Fetcher(config) as fetcher, pytest.raises(VideoError) as caught, fetcher.local_file(Video("a", address)):
        pass
    assert caught.value.reason == "refused"
    assert "attempts" not in caught.value.detail
    return caught.value.detail


def test_a_name_that_no_bucket_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bucket({"a.mp4": b"x"}, monkeypatch):
        detail = refusal_of(tmp_path, "s3://~bucket/a.mp4")
    assert detail == (
        "s3://~bucket/a.mp4 was not fetched: its address, or one that it leads to, is not valid. Correct the address"
    )


@pytest.mark.parametrize(
    "goal", ["gopher://host/a.mp4", "file:///etc/passwd", "http://host:99999/a.mp4", "http://[::bad/"]
)
def test_a_redirection_to_what_is_no_web_address(tmp_path: Path, goal: str) -> None:
    with faulty_server() as server:
        server.redirects["/a.mp4"] = goal
        assert "one that it leads to, is not valid" in refusal_of(tmp_path, f"{server.url}/a.mp4")
        assert server.requests["/a.mp4"] == 1


@pytest.mark.parametrize("status", ["401", "403", "451"])
def test_a_status_that_stays(tmp_path: Path, status: str) -> None:
    with faulty_server() as server:
        server.files["/a.mp4"], server.faults["/a.mp4"] = b"x", status
        assert f"was refused (HTTP {status})" in refusal_of(tmp_path, f"{server.url}/a.mp4")


def test_a_scheme_that_is_not_allowed(tmp_path: Path) -> None:
    assert "has the scheme gopher, which is not allowed" in refusal_of(tmp_path, "gopher://host/a.mp4")

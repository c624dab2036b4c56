"""Which remote videos are fetched over the same connections."""

import threading
import time
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.videos import Video
from tests.servers import faulty_server


def test_web_servers_share_one_pool_of_connections(tmp_path: Path) -> None:
    with faulty_server() as server, Fetcher(FetchConfig(folder=str(tmp_path), stall_s=5)) as fetcher:
        server.files["/a.mp4"] = b"x"
        here, there = (Video("a", f"{url}/a.mp4") for url in (server.url, server.url.replace("127.0.0.1", "localhost")))
        with fetcher.local_file(here) as one, fetcher.local_file(there) as other:
            assert Path(one).read_bytes() == Path(other).read_bytes() == b"x"
        assert len(fetcher._filesystems) == 1


class OneConnection(MemoryFileSystem):
    """A server's folder behind a connection that only one thread may use at a time, as with FTP."""

    protocol = "ftp"
    store: dict[str, object] = {}  # noqa: RUF012 (fsspec's own way)

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.is_busy = threading.Lock()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("ftp://").lstrip("/")

    def get_file(self, *arguments: object, **options: object) -> None:
        if not self.is_busy.acquire(blocking=False):
            raise OSError("the answer to another question came")
        time.sleep(0.05)
        super().get_file(*arguments, **options)
        self.is_busy.release()


def test_a_connection_that_serves_one_thread_is_not_shared_between_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_registry, "ftp", OneConnection)
    names = [f"host/{number}.mp4" for number in range(6)]
    for name in names:
        OneConnection().pipe(f"/{name}", name.encode())
    with Fetcher(FetchConfig(folder=str(tmp_path), attempts=1)) as fetcher:
        for video in fetcher.ahead([Video(name, f"ftp://{name}") for name in names]):
            with fetcher.local_file(video) as path:
                assert Path(path).read_bytes() == video.id.encode()

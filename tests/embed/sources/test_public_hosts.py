import asyncio
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from embed.errors import VideoError
from embed.sources import public_hosts
from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.public_hosts import PrivateHost, is_public, public_client, public_connections
from embed.sources.videos import Video
from tests.servers import FaultyServer, faulty_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with faulty_server() as state:
        yield state


def failure_of(folder: Path, address: str) -> str:
    config = FetchConfig(folder=str(folder), attempts=2, backoff_s=0.01, stall_s=3, public_only=True)
    with Fetcher(config) as fetcher, pytest.raises(VideoError) as caught, fetcher.local_file(Video("a", address)):
        pass
    assert caught.value.reason == "refused"
    return caught.value.detail


ISATAP_AND_TEREDO = ("2606:4700::200:5efe:8.8.8.8", "2001:0:808:808:0:0:f7f7:f7f7")
PRIVATE = """
127.0.0.1 127.8.8.8 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 255.255.255.255
240.0.0.1 192.0.2.1 198.18.0.1 :: ::1 fe80::1%eth0 fc00::1 ff02::1 2001:db8::1 ::127.0.0.1 ::ffff:10.0.0.1
::ffff:7f00:1 64:ff9b::7f00:1 2002:7f00:1:: localhost host.example 127.1 0x7f000001
192.0.0.8 192.0.0.170 192.88.99.1 fec0::1 feff::1 3fff::1 3fff:fff::1 5f00::1 100::1 64:ff9b:1::808:808 4000::1
2001:470::5efe:7f00:1 2606:4700::200:5efe:10.0.0.1 2606:4700::300:5efe:10.0.0.1 ::ffff:192.0.0.8 2002:c058:6301::1
2001:0:7f00:1:0:0:f7f7:f7f7 2001:0:808:808:0:0:80ff:fffe fec0::5efe:808:808 64:ff9b::c000:8 ::8.8.8.8
"""


@pytest.mark.parametrize("host", PRIVATE.split())
def test_a_private_address_is_not_public(host: str) -> None:
    assert not is_public(host)


@pytest.mark.parametrize(
    "host",
    [
        "93.184.216.34",
        "8.8.8.8",
        "2606:4700::6810:84e5",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        *ISATAP_AND_TEREDO,
    ],
)
def test_an_address_of_the_internet_is_public(host: str) -> None:
    assert is_public(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1"])
def test_a_link_into_this_network_is_refused_before_anything_is_sent(
    server: FaultyServer, tmp_path: Path, host: str
) -> None:
    server.files["/a.mp4"] = b"x"
    detail = failure_of(tmp_path, f"{server.url.replace('127.0.0.1', host)}/a.mp4")
    assert "which is no public address. Leave out --public-only to allow that" in detail
    assert not server.requests


def test_a_page_in_this_network_is_refused(server: FaultyServer, tmp_path: Path) -> None:
    assert "is no public address" in failure_of(tmp_path, f"{server.url}/page.html")
    assert not server.requests


def allow(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Count one more address as public: a test has no server in the internet."""
    monkeypatch.setattr(public_hosts, "is_public", lambda found: found == host or is_public(found))


def test_a_redirection_into_this_network_is_refused(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, "127.0.0.1")
    server.files["/inside.mp4"] = b"x"
    server.redirects["/a.mp4"] = f"{server.url.replace('127.0.0.1', '127.0.0.2')}/inside.mp4"
    assert "it leads to 127.0.0.2, which is no public address" in failure_of(tmp_path, f"{server.url}/a.mp4")
    assert not server.requests["/inside.mp4"]


def test_a_name_that_resolves_to_this_network_only_when_it_is_used_is_refused(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostbyname", lambda _: "93.184.216.34")  # what an earlier check would have seen

    async def ask() -> None:
        async with await public_client() as client, client.get(server.url.replace("127.0.0.1", "localhost")):
            pass

    with pytest.raises(PrivateHost):
        asyncio.run(ask())


def test_what_a_page_of_a_public_host_shows_is_checked_too(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, "127.0.0.1")
    inside = f"{server.url.replace('127.0.0.1', '127.0.0.2')}/clip.mp4"
    server.files["/clip.mp4"] = b"x" * 1000
    server.files["/page.html"] = f'<html><title>t</title><video src="{inside}"></video></html>'.encode()
    assert "it leads to 127.0.0.2" in failure_of(tmp_path, f"{server.url}/page.html")
    assert not server.requests["/clip.mp4"]


def test_a_thread_that_is_not_checked_connects_as_ever(server: FaultyServer) -> None:
    server.files["/a"] = b"x"
    with pytest.raises(PrivateHost), public_connections():
        urllib.request.urlopen(f"{server.url}/a", timeout=5)
    assert urllib.request.urlopen(f"{server.url}/a", timeout=5).read() == b"x"


def test_a_proxy_which_would_hide_the_host_is_refused(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    assert "a proxy (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY)" in failure_of(tmp_path, "http://host.example/a.mp4")
    assert not server.requests


def test_ftp_is_refused_since_it_is_not_checked(tmp_path: Path) -> None:
    assert "does not check ftp://" in failure_of(tmp_path, "ftp://127.0.0.1/a.mp4")

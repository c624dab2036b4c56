import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from embed import EmbedConfig, embed_videos
from embed.decode_pool.pool import DecodeLimits
from embed.errors import EmbedError, VideoError
from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.videos import Video, find_videos
from embed.store import EmbeddingStore
from embed.video.sampling import UniformFrames
from embed.video.timeline import read_timeline
from tests.buckets import bucket
from tests.media import BarReader, spelled_numbers, write_video
from tests.servers import FaultyServer, faulty_server

MakeFetcher = Callable[..., Fetcher]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as state:
        yield state


@pytest.fixture
def make_fetcher(tmp_path: Path) -> Iterator[MakeFetcher]:
    made: list[Fetcher] = []

    def make(**changes: object) -> Fetcher:
        made.append(Fetcher(FetchConfig(**{"folder": str(tmp_path), "backoff_s": 0.01, "stall_s": 0.3, **changes})))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


def copies_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*-*.*"))


def fetch_error(fetcher: Fetcher, address: str) -> VideoError:
    with pytest.raises(VideoError) as caught, fetcher.local_file(Video("a", address)):
        pass
    return caught.value


def test_a_local_video_is_used_without_a_copy(make_fetcher: MakeFetcher, tmp_path: Path) -> None:
    with make_fetcher().local_file(Video("a", str(tmp_path / "a.mp4"))) as path:
        assert path == str(tmp_path / "a.mp4")


def test_a_remote_video_is_a_local_file_while_it_is_used(
    make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path
) -> None:
    server.files["/v/a%20cat.mp4"] = b"frames" * 100_000
    with make_fetcher().local_file(Video("a", f"{server.url}/v/a cat.mp4")) as path:
        assert Path(path).read_bytes() == b"frames" * 100_000
        assert Path(path).suffix == ".mp4"
    assert copies_in(tmp_path) == []


@pytest.mark.parametrize("name", ["🎬" * 80, "a." + "b" * 300], ids=["name", "ending"])
def test_a_name_that_is_too_long_for_a_file_is_cut(make_fetcher: MakeFetcher, server: FaultyServer, name: str) -> None:
    server.files[f"/{quote(name)}"] = b"x" * 1000
    with make_fetcher().local_file(Video(name, f"{server.url}/{name}")) as path:
        assert Path(path).stat().st_size == 1000


def test_a_fetched_video_has_all_its_frames(make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path) -> None:
    server.files["/a.mp4"] = write_video(tmp_path / "a.mp4", 12).read_bytes()
    with make_fetcher().local_file(Video("a", f"{server.url}/a.mp4")) as path:
        assert read_timeline(path).frame_count == 12


@pytest.mark.parametrize(
    ("fault", "requests"),
    [pytest.param("503 twice", 3, id="busy"), pytest.param("no length", 2, id="of unknown length")],
)
def test_a_server_that_recovers_loses_no_video(
    make_fetcher: MakeFetcher, server: FaultyServer, fault: str, requests: int
) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = b"x" * 1000, fault
    with make_fetcher().local_file(Video("a", f"{server.url}/a.mp4")) as path:
        assert Path(path).stat().st_size == 1000
    assert server.requests["/a.mp4"] >= requests


def test_an_absent_video_is_requested_once(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    error = fetch_error(make_fetcher(), f"{server.url}/gone.mp4")
    assert (error.reason, error.detail) == ("not_found", f"{server.url}/gone.mp4 does not exist. Check the address")
    assert server.requests["/gone.mp4"] == 1


def test_a_refusal_says_what_to_check_and_shows_no_secret(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = b"x", "403"
    address = f"{server.url}/a.mp4?X-Amz-Signature=hush".replace("//", "//me:hush@")
    error = fetch_error(make_fetcher(), address)
    assert error.reason == "refused"
    assert error.detail.startswith(f"{server.url}/a.mp4 was refused (HTTP 403). Check the credentials")
    assert "hush" not in repr(error)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param("cut", "connection ended before the whole file was here", id="cut"),
        pytest.param("longer", "connection ended before the whole file was here", id="shorter than stated"),
        pytest.param("stall", "server stopped responding", id="silent"),
        pytest.param("trickle", "less than 1,024 bytes a second", id="slower than a modem"),
    ],
)
def test_a_video_that_does_not_arrive_whole_is_a_failure(
    make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path, fault: str, message: str
) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = b"x" * 100_000, fault
    error = fetch_error(make_fetcher(attempts=2), f"{server.url}/a.mp4")
    assert error.reason == "fetch_error"
    assert message in error.detail
    assert error.detail.endswith(" (2 attempts). Try it again later with --retry-failed")
    assert server.requests["/a.mp4"] == 2
    assert copies_in(tmp_path) == []


def test_a_server_that_is_down_is_a_failure(make_fetcher: MakeFetcher) -> None:
    error = fetch_error(make_fetcher(attempts=2), "http://127.0.0.1:1/a.mp4")
    assert error.reason == "fetch_error"
    assert "(2 attempts)" in error.detail


def test_videos_are_fetched_before_they_are_needed(
    make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path
) -> None:
    server.files.update({f"/{number}.mp4": b"x" * 1000 for number in range(9)})
    ahead = make_fetcher(ahead_files=3).ahead([Video(f"{n}", f"{server.url}/{n}.mp4") for n in range(9)])
    assert next(ahead).id == "0"
    wait_until(lambda: len(copies_in(tmp_path)) == 4)
    assert sum(server.requests.values()) == 4


def test_copies_take_no_more_disk_than_the_limit(
    make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path
) -> None:
    server.files.update({f"/{number}.mp4": b"x" * 1000 for number in range(12)})
    fetcher = make_fetcher(ahead_files=8, ahead_bytes=2500)
    most = 0
    for video in fetcher.ahead([Video(f"{n}", f"{server.url}/{n}.mp4") for n in range(12)]):
        with fetcher.local_file(video) as path:
            assert Path(path).stat().st_size == 1000
            if not most:
                wait_until(lambda: len(copies_in(tmp_path)) == 2)  # the limit's copies, even on a slow machine
            time.sleep(0.02)  # a third copy would appear now
            most = max(most, len(copies_in(tmp_path)))
    assert most == 2
    assert copies_in(tmp_path) == []


def test_a_video_larger_than_the_limit_is_fetched_alone(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    server.files.update({"/a.mp4": b"x" * 10, "/b.mp4": b"x" * 9000, "/c.mp4": b"x" * 10})
    fetcher = make_fetcher(ahead_bytes=100)
    sizes = []
    for video in fetcher.ahead([Video(name, f"{server.url}/{name}.mp4") for name in "abc"]):
        with fetcher.local_file(video) as path:
            sizes.append(Path(path).stat().st_size)
    assert sizes == [10, 9000, 10]


def test_a_video_that_fails_does_not_block_the_next_ones(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    server.files.update({"/b.mp4": b"x" * 10})
    fetcher = make_fetcher(ahead_bytes=1)
    first, second = list(fetcher.ahead([Video("a", f"{server.url}/a.mp4"), Video("b", f"{server.url}/b.mp4")]))
    with pytest.raises(VideoError, match="not_found"), fetcher.local_file(first):
        pass
    with fetcher.local_file(second) as path:
        assert Path(path).stat().st_size == 10


def test_closing_ends_a_silent_transfer_at_once(
    make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path
) -> None:
    server.files["/a.mp4"], server.faults["/a.mp4"] = b"x" * 100_000, "stall"
    fetcher = make_fetcher()
    list(fetcher.ahead([Video("a", f"{server.url}/a.mp4")]))
    wait_until(lambda: server.requests["/a.mp4"] > 0)
    fetcher.close()
    assert list(tmp_path.iterdir()) == []


def test_the_next_run_removes_what_a_killed_run_left(
    make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path
) -> None:
    server.files["/a.mp4"] = b"x" * 1000
    code = f"""
        import os, signal
        from embed.sources.fetching import FetchConfig, Fetcher
        from embed.sources.videos import Video
        with Fetcher(FetchConfig(folder={str(tmp_path)!r})).local_file(Video("a", "{server.url}/a.mp4")):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert copies_in(left) == ["0-a.mp4"]
    os.utime(left, (0, 0))
    with make_fetcher().local_file(Video("a", f"{server.url}/a.mp4")):
        assert not left.exists()


def test_the_folder_of_a_live_run_is_not_removed(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    server.files["/a.mp4"] = b"x"
    with make_fetcher().local_file(Video("a", f"{server.url}/a.mp4")) as path:
        os.utime(Path(path).parent, (0, 0))
        with make_fetcher().local_file(Video("a", f"{server.url}/a.mp4")):
            assert Path(path).exists()


def test_a_folder_that_cannot_be_written_says_so(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    server.files["/a.mp4"] = b"x"
    fetcher = make_fetcher(folder="/proc/nowhere")
    with (
        pytest.raises(EmbedError, match=r"cannot be kept in /proc/nowhere.*Set TMPDIR to another folder"),
        fetcher.local_file(Video("a", f"{server.url}/a.mp4")),
    ):
        pass


def test_a_page_gives_the_video_that_it_shows(make_fetcher: MakeFetcher, server: FaultyServer, tmp_path: Path) -> None:
    server.files["/clip.mp4"] = write_video(tmp_path / "a.mp4", 12).read_bytes()
    server.files["/page.html"] = f'<html><title>t</title><video src="{server.url}/clip.mp4"></video></html>'.encode()
    with make_fetcher(stall_s=5).local_file(Video("a", f"{server.url}/page.html")) as path:
        assert read_timeline(path).frame_count == 12
    assert copies_in(tmp_path) == []


def test_a_page_without_a_video_is_a_failure(make_fetcher: MakeFetcher, server: FaultyServer) -> None:
    server.files["/page.html"] = b"<html><title>t</title>no video here</html>"
    error = fetch_error(make_fetcher(stall_s=5), f"{server.url}/page.html?token=hush")
    assert error.reason == "not_found"
    assert error.detail.startswith(f"{server.url}/page.html gives no video: ")
    assert "hush" not in repr(error)


def test_without_the_extra_a_page_says_how_to_install_it(
    make_fetcher: MakeFetcher, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    server.files["/page.html"] = b"<html></html>"
    error = fetch_error(make_fetcher(), f"{server.url}/page.html")
    assert error.reason == "refused"
    assert "pip install '.[download]' in framehead's folder" in error.detail


def test_a_list_of_links_is_embedded_and_its_dead_links_are_failures(server: FaultyServer, tmp_path: Path) -> None:
    server.files["/v/a.mp4"] = write_video(tmp_path / "a.mp4", 12).read_bytes()
    links = [f"{server.url}/v/{name}.mp4?Signature=hush" for name in ("a", "gone")]
    rows = "".join(f'{link},a title,"two lines,\none with a ""quote""",food\n' for link in links)
    (tmp_path / "topics.csv").write_text(f"link,title,description,category\n{rows}")
    config = EmbedConfig(sampling=UniformFrames(3))
    summary = embed_videos([tmp_path / "topics.csv"], tmp_path / "v.h5", config, encoder=BarReader())
    assert [(failure.id, failure.reason) for failure in summary.failures] == [("v/gone.mp4", "not_found")]
    assert b"hush" not in (tmp_path / "v.h5").read_bytes()
    video = EmbeddingStore(tmp_path / "v.h5").read("v/a.mp4")
    assert spelled_numbers(video.vectors) == [2, 6, 10]


def test_the_time_limit_of_a_run_also_holds_for_a_silent_server(server: FaultyServer, tmp_path: Path) -> None:
    server.files["/v/a.mp4"], server.faults["/v/a.mp4"] = b"x" * 100_000, "stall"
    (tmp_path / "links.csv").write_text(f"link\n{server.url}/v/a.mp4\n")
    config = EmbedConfig(limits=DecodeLimits(timeout_s=2))
    summary = embed_videos([tmp_path / "links.csv"], tmp_path / "v.h5", config, encoder=BarReader())
    assert summary.failures[0].reason == "fetch_error"
    assert "a.mp4 was not fetched: its server stopped responding. Try it again" in summary.failures[0].detail
    assert server.requests["/v/a.mp4"] == 1
    assert 2 < summary.seconds < 30


def test_a_remote_video_that_cannot_be_decoded_is_named_by_its_location(server: FaultyServer, tmp_path: Path) -> None:
    server.files["/v/a.mp4"] = b"no video"
    (tmp_path / "links.csv").write_text(f"link\n{server.url}/v/a.mp4?Signature=hush\n")
    summary = embed_videos([tmp_path / "links.csv"], tmp_path / "v.h5", encoder=BarReader())
    detail = summary.failures[0].detail
    assert detail.startswith(f"{server.url}/v/a.mp4 cannot be read as a video: ")


@pytest.fixture
def videos_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    keys = ("videos/cats/a.mp4", "videos/b?#%20.mkv", "videos/notes.md")
    with bucket({key: key.encode() * 1000 for key in keys}, monkeypatch) as address:
        yield address


def test_a_buckets_prefix_is_embedded_like_a_folder(make_fetcher: MakeFetcher, videos_bucket: str) -> None:
    videos = find_videos([f"{videos_bucket}/videos/"])
    assert [video.id for video in videos] == ["b?#%20.mkv", "cats/a.mp4"]
    fetcher = make_fetcher(stall_s=10)
    for video in fetcher.ahead(videos):
        with fetcher.local_file(video) as path:
            assert Path(path).read_bytes() == f"videos/{video.id}".encode() * 1000


def test_a_pattern_finds_videos_in_a_bucket(videos_bucket: str) -> None:
    assert [video.id for video in find_videos([f"{videos_bucket}/videos/**/*.mp4"])] == ["cats/a.mp4"]


def test_videos_of_a_bucket_give_the_same_vectors_as_local_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = tmp_path / "videos"
    (near / "cats").mkdir(parents=True)
    files = [write_video(near / "cats" / "a.mp4", 40), write_video(near / "b.mkv", 12, numbers=range(500, 512))]
    config = EmbedConfig(sampling=UniformFrames(5))
    objects = {f"videos/{file.relative_to(near)}": file.read_bytes() for file in files}
    with bucket(objects, monkeypatch) as address:
        summary = embed_videos([f"{address}/videos/"], tmp_path / "far.h5", config, encoder=BarReader())
    assert (summary.embedded, summary.failed) == (2, 0)
    embed_videos([near], tmp_path / "near.h5", config, encoder=BarReader())
    here, far = EmbeddingStore(tmp_path / "near.h5"), EmbeddingStore(tmp_path / "far.h5")
    assert far.ids == here.ids == ["b.mkv", "cats/a.mp4"]
    assert far.video("b.mkv").location == f"{address}/videos/b.mkv"
    np.testing.assert_array_equal(far.read("b.mkv").vectors, here.read("b.mkv").vectors)
    np.testing.assert_array_equal(far.read("cats/a.mp4").vectors, here.read("cats/a.mp4").vectors)
    assert spelled_numbers(far.read("b.mkv").vectors) == [501, 503, 506, 508, 510]


def test_an_absent_object_is_not_found(make_fetcher: MakeFetcher, videos_bucket: str) -> None:
    assert fetch_error(make_fetcher(stall_s=10), f"{videos_bucket}/videos/gone.mp4").reason == "not_found"


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)

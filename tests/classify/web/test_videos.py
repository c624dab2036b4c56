"""The list of videos, one video, its frames and its file."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classify.web import ServeConfig
from embed import EmbeddingStore, StoreWriter, VideoRecord
from tests.classify.web.serving import Served, served
from tests.media import number_of

VIDEO = "numbered/1.mp4"


def test_the_list_has_every_video_with_what_the_head_and_people_say(server: Served) -> None:
    found = server.get("/api/videos").json()
    assert found["total"] == len(found["videos"]) == 8
    first = found["videos"][0]
    assert first["id"] == "moving/0.mp4"
    assert first["given"] == ["moving"]
    assert first["human"] is None
    assert first["predicted"][0]["label"] == "moving"
    assert first["predicted"][0]["given"] is True
    assert first["duration_s"] == pytest.approx(1.2)
    assert 0 <= first["doubt"] <= 1
    assert 0 <= first["novelty"] <= 1


def test_a_page_of_the_list_is_what_lies_there(server: Served) -> None:
    found = server.get("/api/videos", params={"offset": 3, "limit": 2}).json()
    assert [one["id"] for one in found["videos"]] == ["moving/3.mp4", "numbered/0.mp4"]
    assert found["total"] == 8


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        pytest.param({"labels": "numbered", "limit": "1"}, ["numbered/0.mp4"], id="label"),
        pytest.param({"path": "MOVING/2"}, ["moving/2.mp4"], id="path"),
        pytest.param({"unlabelled": "true"}, [], id="unlabelled"),
        pytest.param({"labels": "unknown"}, [], id="unknown label"),
        pytest.param({"ids": ["numbered/2.mp4", "none", "moving/1.mp4"]}, ["numbered/2.mp4", "moving/1.mp4"], id="ids"),
    ],
)  # fmt: skip
def test_the_list_is_filtered(server: Served, params: dict[str, str], ids: list[str]) -> None:
    assert [one["id"] for one in server.get("/api/videos", params=params).json()["videos"]] == ids


@pytest.mark.parametrize("order", ["confidence", "doubt"])
def test_the_list_is_sorted_both_ways(server: Served, order: str) -> None:
    def values(**more: str) -> list[float]:
        videos = server.get("/api/videos", params={"sort": order, **more}).json()["videos"]
        return [one["doubt"] if order == "doubt" else one["predicted"][0]["probability"] for one in videos]

    assert values() == sorted(values())
    assert values(descending="true") == sorted(values(), reverse=True)


def test_one_video_has_a_timeline_and_moments(server: Served) -> None:
    found = server.get("/api/video", params={"id": VIDEO}).json()
    timeline = found["timeline"]
    assert (found["width"], found["height"]) == (160, 64)
    assert timeline["labels"] == ["numbered", "moving"]
    assert np.array(timeline["scores"]).shape == (2, len(timeline["timestamps_s"])) == (2, 4)
    assert timeline["how"] == "exact"
    assert found["moments"][0]["label"] == "numbered"


def test_a_frame_is_the_one_that_is_shown_at_that_moment(server: Served) -> None:
    answer = server.get("/api/video/frame", params={"id": VIDEO, "at_s": 0.41, "width": 640})
    assert answer.headers["content-type"] == "image/jpeg"
    frame = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert number_of(frame) == 10
    again = server.get(
        "/api/video/frame",
        params={"id": VIDEO, "at_s": 0.41, "width": 640},
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304


@pytest.mark.parametrize("at_s", [-5, 1e5])
def test_a_moment_beyond_the_video_is_its_first_or_last_frame(server: Served, at_s: float) -> None:
    answer = server.get("/api/video/frame", params={"id": VIDEO, "at_s": at_s, "width": 80})
    assert Image.open(io.BytesIO(answer.content)).size == (80, 32)


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        pytest.param("bytes=0-9", 206, slice(0, 10), id="first bytes"),
        pytest.param("bytes=100-", 206, slice(100, None), id="from a place on"),
        pytest.param("bytes=-7", 206, slice(-7, None), id="last bytes"),
        pytest.param("bytes=0-99999999", 206, slice(0, None), id="beyond the end"),
        pytest.param("bytes=99999999-", 416, None, id="behind the end"),
    ],
)
def test_a_player_gets_the_ranges_that_it_asks_for(
    server: Served, collection: Path, wanted: str, status: int, part: slice | None
) -> None:
    content = (collection / "videos" / VIDEO).read_bytes()
    answer = server.get("/api/video/file", params={"id": VIDEO}, headers={"Range": wanted})
    assert answer.status_code == status
    if part is None:
        assert answer.headers["content-range"] == f"bytes */{len(content)}"
    else:
        assert answer.content == content[part]
        assert answer.headers["content-range"].endswith(f"/{len(content)}")


def test_a_range_of_a_file_that_has_changed_is_the_whole_file(server: Served, collection: Path) -> None:
    content = (collection / "videos" / VIDEO).read_bytes()
    whole = server.get("/api/video/file", params={"id": VIDEO})
    assert (whole.headers["content-type"], whole.headers["accept-ranges"]) == ("video/mp4", "bytes")
    for tag, status in ((whole.headers["etag"], 206), ('"another"', 200)):
        answer = server.get("/api/video/file", params={"id": VIDEO}, headers={"Range": "bytes=0-3", "If-Range": tag})
        assert answer.status_code == status
    assert whole.content == content


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "moving", "", "moving/0.mp4/..", "a\0b"])
@pytest.mark.parametrize("path", ["/api/video", "/api/video/frame", "/api/video/file"])
def test_only_videos_of_the_store_are_reached(server: Served, path: str, name: str) -> None:
    answer = server.get(path, params={"id": name})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "no_such_video"


@pytest.mark.parametrize("path", ["/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page//etc/passwd"])
def test_only_files_of_the_page_are_reached(server: Served, path: str) -> None:
    with server.client.stream("GET", f"{server.url}{path}") as answer:
        assert answer.status_code == 404


def test_files_that_are_gone_elsewhere_or_no_videos_are_told_apart(collection: Path, tmp_path: Path) -> None:
    with EmbeddingStore(collection / "embeddings.h5") as store:
        made_by, vectors = store.provenance, store.read(VIDEO)
    (tmp_path / "secret.mp4").write_text("root:x:0:0")
    shutil.copy(collection / "videos" / VIDEO, tmp_path / "odd\udce9.mp4")
    places = {
        "gone.mp4": f"{tmp_path}/gone.mp4",
        "far.mp4": "https://example.org/far.mp4",
        "secret.mp4": f"{tmp_path}/secret.mp4",
        "folder.mp4": f"{tmp_path}",
        "nowhere.mp4": "",
        "odd\udce9.mp4": f"{tmp_path}/odd\udce9.mp4",
    }
    with StoreWriter(tmp_path / "embeddings.h5", made_by) as writer:
        for name, location in places.items():
            writer.append(VideoRecord(name, location=location), vectors.vectors, vectors.timestamps_s)
    with served(ServeConfig(collection / "head", tmp_path / "embeddings.h5", port=0, device="cpu")) as server:
        ids = [one["id"] for one in server.get("/api/videos").json()["videos"]]
        found = {name: server.get("/api/video/file", params={"id": name}) for name in ids}
    codes = {
        name: (answer.status_code, answer.json()["error"]["code"]) for name, answer in found.items() if answer.is_error
    }
    assert codes == {
        "gone.mp4": (410, "gone"),
        "far.mp4": (404, "not_on_this_machine"),
        "secret.mp4": (415, "no_video"),
        "folder.mp4": (403, "unreadable"),
        "nowhere.mp4": (404, "not_on_this_machine"),
    }
    (odd,) = set(ids) - set(codes)
    assert found[odd].status_code == 200

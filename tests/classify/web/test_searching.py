"""Search over the API: words, pictures, videos and moments, and what is refused."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from embed import Term, search_store
from tests.classify.web.serving import Served

VIDEO = "moving/1.mp4"


def ids(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return list(dict.fromkeys(hit["id"] for hit in answer["hits"]))


def test_videos_like_one_are_those_of_search_store(server: Served, collection: Path) -> None:
    found = server.get("/api/video/similar", params={"id": VIDEO, "count": 5}).json()
    same = search_store(collection / "embeddings.h5", [Term(video=VIDEO)])
    assert [hit["best_s"] for hit in found["hits"]] == [round(hit.best_s, 3) for hit in same.hits[:5]]
    assert set(ids(found)[:3]) == {"moving/0.mp4", "moving/2.mp4", "moving/3.mp4"}
    assert found["how"] == same.how


def test_a_frame_as_a_picture_finds_its_own_video(server: Served) -> None:
    jpeg = server.get("/api/video/frame", params={"id": VIDEO, "at_s": 0.5, "width": 640}).content
    image = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    found = server.post("/api/search", json={"terms": [{"image": image}], "count": 3}).json()
    assert {one.split("/")[0] for one in ids(found)} == {"moving"}


def test_words_say_which_class_names_stood_for_them(server: Served) -> None:
    pytest.importorskip("wordllama")
    assert server.get("/api/status").json()["search"] == {"text": "imagenet words", "image": True}
    found = server.post(
        "/api/search", json={"terms": [{"text": "a dog"}, {"id": VIDEO, "at_s": 0.1, "sign": -1}]}
    ).json()
    assert found["words"]
    assert "ImageNet words" in found["how"]


def test_hits_are_filtered_by_label_and_path(server: Served) -> None:
    asked = {"terms": [{"id": VIDEO}], "labels": ["numbered"], "path": "/2.mp4"}
    assert ids(server.post("/api/search", json=asked).json()) == ["numbered/2.mp4"]


def bomb() -> str:
    content = io.BytesIO()
    Image.new("1", (8000, 8000)).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


@pytest.mark.parametrize(
    ("term", "status"),
    [
        pytest.param({}, 422, id="nothing"),
        pytest.param({"text": "a", "id": VIDEO}, 422, id="two things"),
        pytest.param({"text": "  "}, 422, id="no words"),
        pytest.param({"id": "/etc/passwd"}, 404, id="a path"),
        pytest.param({"id": "../numbered/0.mp4"}, 404, id="a way up"),
        pytest.param({"image": "!!"}, 422, id="no base64"),
        pytest.param({"image": base64.b64encode(b"<svg/>").decode()}, 422, id="no picture"),
        pytest.param({"image": bomb()}, 413, id="a picture of 64 million pixels"),
        pytest.param({"id": VIDEO, "sign": -1}, 422, id="only subtracted"),
        pytest.param({"id": VIDEO, "at_s": "NaN"}, 422, id="no moment"),
    ],
)
def test_what_cannot_be_searched_is_refused(server: Served, term: dict[str, object], status: int) -> None:
    answer = server.post("/api/search", json={"terms": [term]})
    assert answer.status_code == status
    assert answer.json()["error"]["message"].endswith(".")


def test_a_body_that_would_fill_the_memory_is_refused(server: Served) -> None:
    answer = server.post("/api/search", content=b"[" * (25 << 20), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    endless = (b"[" * (1 << 20) for _ in range(25))
    answer = server.post("/api/search", content=endless, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413)

"""Uploads: their labels, their limits, and what is left of them."""

import io
import json
import os
import signal
import socket
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from classify.web import ServeConfig, UploadLimits
from tests.classify.web.serving import Served, served
from tests.media import write_moving_video, write_video

FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nabc'


def left_over() -> list[Path]:
    """Return the uploads that lie on disk."""
    folders = Path(tempfile.gettempdir()).glob("framehead-serve-*")
    return [path for folder in folders for path in folder.iterdir() if path.name != "lock"]


def send(server: Served, content: bytes, name: str = "a.mp4", **params: Any) -> Any:
    return server.post("/api/predict", files={"file": (name, content)}, params=params)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video that is not in the collection."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 41).read_bytes()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert left_over() == []


def test_an_upload_gets_the_labels_that_embedding_and_predicting_it_give(
    server: Served, clip: bytes, tmp_path: Path
) -> None:
    from classify import PredictConfig, predict_videos

    found = send(server, clip, "my clip.mp4").json()["videos"][0]
    (tmp_path / "clip.mp4").write_bytes(clip)
    (same,) = predict_videos(server.config.head, tmp_path / "clip.mp4", config=PredictConfig(device="cpu")).videos
    assert found["name"] == "my clip.mp4"
    assert {one["label"]: one["probability"] for one in found["predicted"]} == pytest.approx(
        {**same.probabilities}, abs=1e-4
    )
    assert found["predicted"][0]["label"] == "numbered"
    assert len(found["timeline"]["timestamps_s"]) == 4
    assert found["moments"][0]["label"] == "numbered"
    assert (found["width"], found["height"]) == (160, 64)
    assert {hit["id"].split("/")[0] for hit in found["similar"][:4]} == {"numbered"}
    assert found["similar"][0]["start_s"] <= found["similar"][0]["best_s"] <= found["similar"][0]["end_s"]


def test_a_video_that_the_store_knows_is_not_decoded_again(server: Served, collection: Path) -> None:
    content = (collection / "videos" / "moving" / "2.mp4").read_bytes()
    found = send(server, content, "renamed.mp4").json()["videos"][0]
    assert found["id"] == "moving/2.mp4"
    assert found["predicted"][0]["label"] == "moving"


def test_a_job_is_followed_until_it_is_done(server: Served, clip: bytes) -> None:
    answer = send(server, clip, wait="false")
    job = answer.json()["job"]
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/jobs/{job}")
    with server.client.stream("GET", f"/api/jobs/{job}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        states = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
    assert states[-1]["state"] == "done"
    assert states[-1]["files"][0]["result"]["predicted"][0]["label"] == "numbered"
    assert server.get(f"/api/jobs/{job}").json() == states[-1]


def test_several_files_are_answered_each(server: Served, clip: bytes) -> None:
    files = [("file", ("a.mp4", clip)), ("file", ("b.mp4", clip[:2000])), ("other", (None, "x"))]
    good, bad = server.post("/api/predict", files=files).json()["videos"]
    assert good["predicted"][0]["label"] == "numbered"
    assert bad["name"] == "b.mp4"
    assert "b.mp4" in bad["error"]["message"]


def page() -> bytes:
    return b"<!doctype html><script>alert(1)</script>"


def archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("clip.mp4", b"x" * 100)
    return content.getvalue()


def picture() -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(content, format="PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b"", 415, "no_video", id="empty"),
        pytest.param(page(), 415, "no_video", id="page"),
        pytest.param(archive(), 415, "no_video", id="zip"),
        pytest.param(picture(), 415, "no_video", id="picture"),
        pytest.param(b"#EXTM3U\n/etc/passwd\n", 415, "no_video", id="playlist"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", 415, "no_video", id="list of files"),
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(1000), 422, "unreadable", id="nothing but a header"),
        pytest.param(b"\0\0\0\x18ftypmp42" + bytes(4 << 20), 413, "too_large", id="large"),
    ],
)
def test_what_is_no_video_of_ours_is_refused(server: Served, content: bytes, status: int, code: str) -> None:
    answer = send(server, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_long_video_is_refused(server: Served, tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", 40, fps=1)
    answer = send(server, path.read_bytes(), "long.mp4")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "refused")
    assert "lasts 40 s, but uploads may last 30 s" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"{}", "application/json", 400, id="JSON"),
        pytest.param(b"", "multipart/form-data", 400, id="no boundary"),
        pytest.param(b"--x\r\n", FORM, 422, id="cut"),
        pytest.param(b"--x--\r\n", FORM, 422, id="no part"),
        pytest.param(b"nonsense", FORM, 400, id="nonsense"),
        pytest.param(PART, FORM, 400, id="no end"),
        pytest.param(b"--x\r\n" + b"a" * 20_000 + b": b\r\n\r\n--x--", FORM, 400, id="header"),
    ],
)
def test_a_body_that_is_no_form_is_refused(server: Served, body: bytes, kind: str, status: int) -> None:
    answer = server.post("/api/predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status


def test_too_many_files_are_refused(server: Served, clip: bytes) -> None:
    answer = server.post("/api/predict", files=[("file", (f"{number}.mp4", clip)) for number in range(5)])
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_files")


@pytest.mark.parametrize(
    "name", ["../../../tmp/evil.mp4", "/etc/passwd", "a\r\nX-Evil: 1.mp4", "..\\..\\x.mp4", "é" * 300]
)
def test_a_name_is_for_people_alone(server: Served, clip: bytes, name: str) -> None:
    shown = send(server, clip, name).json()["videos"][0]["name"]
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable()
    assert len(shown) <= 200


def test_an_upload_that_stands_still_is_ended(server: Served) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + PART
        )
        line.settimeout(20)
        assert line.recv(100).startswith(b"HTTP/1.1 408")


def test_an_upload_that_is_broken_off_leaves_nothing(server: Served) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + PART
        )
        wait_until(lambda: bool(left_over()))
    wait_until(lambda: not left_over())


def wait_until(is_so: Any, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    assert is_so()


def decoders() -> set[int]:
    """Return the processes of this one that decode uploads, of whatever server."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and "decode_pool" in (folder / "cmdline").read_text():
                found.add(int(folder.name))
    return found


def test_others_finish_while_one_upload_hangs_its_decoder_and_a_full_queue_is_honest(
    collection: Path, tmp_path: Path, clip: bytes
) -> None:
    (tmp_path / "embeddings.h5").write_bytes((collection / "embeddings.h5").read_bytes())
    limits = UploadLimits(waiting=3, timeout_s=3, workers=2)
    config = ServeConfig(collection / "head", tmp_path / "embeddings.h5", port=0, device="cpu", limits=limits)
    slow = write_moving_video(tmp_path / "slow.mp4", 200, codec="libx264", options={}).read_bytes()
    others = decoders()
    with served(config) as server:
        os.kill(min(decoders() - others), signal.SIGSTOP)  # a decoder that hangs
        jobs = [
            send(server, slow + bytes([number]), f"{number}.mp4", wait="false").json()["job"] for number in range(3)
        ]
        full = send(server, clip)
        assert (full.status_code, full.json()["error"]["code"]) == (503, "queue_full")
        assert int(full.headers["retry-after"]) >= 1
        wait_until(lambda: all(server.get(f"/api/jobs/{job}").json()["state"] in ("done", "failed") for job in jobs))
        files = [server.get(f"/api/jobs/{job}").json()["files"][0] for job in jobs]
        assert sorted(file["state"] for file in files) == ["done", "done", "failed"]
        (error,) = [file["error"] for file in files if "error" in file]
        assert error["code"] == "timeout"
        assert send(server, clip).status_code == 200


def test_a_cancelled_job_ends_at_once_and_gives_its_place_back(server: Served, clip: bytes) -> None:
    job = send(server, clip + b"another", wait="false").json()["job"]
    assert server.client.delete(f"/api/jobs/{job}").json()["state"] in ("cancelled", "done")
    metrics = "framehead_uploads_held 0"
    wait_until(lambda: metrics in server.get("/metrics").text)


def test_many_at_once_are_all_answered(server: Served, clip: bytes) -> None:
    statuses: list[int] = []

    def ask(number: int) -> None:
        statuses.append(send(server, clip + bytes([number])).status_code)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


def test_an_unknown_job_is_told(server: Served) -> None:
    assert server.get("/api/jobs/none").json()["error"]["code"] == "no_such_job"

"""Hostile uploads: the server answers each, goes on, its memory returns, and nothing of them is left on disk."""

import io
import random
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from classify.web import ServeConfig, UploadLimits
from tests.classify.web.serving import Served, served
from tests.classify.web.test_tagging import left_over
from tests.media import write_moving_video, write_video
from tests.mutations import write_mutants, write_originals

MOST_KEPT_BYTES = 300 << 20
ANSWERS = {200, 400, 408, 413, 415, 422}


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


def archive(video: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("../../evil.mp4", video)
    return content.getvalue()


def made_by_hand(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield kind, name and content of uploads that are no damaged videos."""
    video = write_video(folder / "good.mp4", 12).read_bytes()
    yield "page", "page.mp4", b"<!doctype html><script>alert(1)</script>" * 100
    yield "archive", "archive.mp4", archive(video)
    yield "playlist", "list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    yield "list of files", "list.ffconcat", b"ffconcat version 1.0\nfile '/etc/passwd'\n"
    yield "empty", "empty.mp4", b""
    yield "noise", "noise.mp4", random.Random(0).randbytes(100_000)
    yield "video and page", "both.mp4", video + b"<script>alert(1)</script>"
    for name in ("../../../../tmp/evil.mp4", "/etc/cron.d/evil", "a\0b.mp4", "con\r\nX: y.mp4", "." * 300, "‮gpj.mp4"):
        yield "name", name, video


def outcomes(server: Served, uploads: Iterator[tuple[str, str, bytes]]) -> dict[str, Counter[str]]:
    """Return, for each kind of upload, how often it got which answer."""
    found: dict[str, Counter[str]] = {}
    for kind, name, content in uploads:
        answer = server.post("/api/predict", files={"file": (name, content)})
        assert answer.status_code in ANSWERS, (kind, name, answer.text)
        code = answer.json()["error"]["code"] if answer.is_error else "labels"
        found.setdefault(kind, Counter())[f"{answer.status_code} {code}"] += 1
    return found


@pytest.fixture(scope="module")
def careful(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with short limits."""
    folder = tmp_path_factory.mktemp("careful")
    (folder / "embeddings.h5").write_bytes((collection / "embeddings.h5").read_bytes())
    limits = UploadLimits(timeout_s=10, duration_s=600, memory_bytes=1 << 30, workers=1)
    with served(
        ServeConfig(collection / "head", folder / "embeddings.h5", port=0, device="cpu", limits=limits)
    ) as found:
        yield found


def survives(server: Served, folder: Path) -> None:
    good = write_video(folder / "last.mp4", 20).read_bytes()
    answer = server.post("/api/predict", files={"file": ("last.mp4", good)})
    assert answer.json()["videos"][0]["predicted"][0]["label"] == "numbered"
    assert left_over() == []
    assert "framehead_uploads_held 0\n" in server.get("/metrics").text


def test_what_is_no_video_does_no_harm(careful: Served, tmp_path: Path) -> None:
    found = outcomes(careful, made_by_hand(tmp_path))
    refused = {kind: {*answers} for kind, answers in found.items() if kind not in ("name", "video and page")}
    assert set().union(*refused.values()) == {"415 no_video"}
    assert found["name"] == {"200 labels": 6}
    survives(careful, tmp_path)


def test_damaged_videos_do_no_harm(careful: Served, tmp_path: Path) -> None:
    originals = [
        write_video(tmp_path / "a.mp4", 12),
        write_moving_video(tmp_path / "b.mkv", 12, codec="libx264", options={}),
    ]
    write_mutants(tmp_path / "mutants", originals, 12, seed=3)
    paths = sorted((tmp_path / "mutants").iterdir())
    outcomes(careful, (("damaged", path.name, path.read_bytes()) for path in paths))
    survives(careful, tmp_path)


@pytest.mark.nightly
def test_two_hundred_hostile_uploads_do_no_harm(careful: Served, tmp_path: Path, odd_videos: Path) -> None:
    """Real files that break readers, damaged files of 15 kinds, and a frame of 10,000 x 10,000 pixels."""
    write_mutants(tmp_path / "mutants", write_originals(tmp_path / "originals"), 150, seed=1)
    large = write_moving_video(
        tmp_path / "large.avi", 1, codec="mjpeg", options={}, pixel_format="yuvj420p", width_px=10_000, height_px=10_000
    )

    def uploads() -> Iterator[tuple[str, str, bytes]]:
        yield from made_by_hand(tmp_path)
        yield "10,000 x 10,000", large.name, large.read_bytes()
        for path in sorted((tmp_path / "mutants").iterdir()):
            yield "damaged", path.name, path.read_bytes()
        for path in sorted(odd_videos.rglob("*")):
            if path.is_file() and path.stat().st_size < 32 << 20:
                yield "odd videos", path.name, path.read_bytes()

    survives(careful, tmp_path)
    before = resident_bytes()  # the files of this test were made in this process, too
    found = outcomes(careful, uploads())
    for kind, answers in found.items():
        print(f"{kind}: {dict(answers.most_common())}")
    assert sum(answers.total() for answers in found.values()) >= 200
    survives(careful, tmp_path)
    assert resident_bytes() - before < MOST_KEPT_BYTES

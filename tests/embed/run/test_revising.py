"""A store that cannot be revised, because its disk is read-only or full or another run writes to it, stays as it is."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embed import EmbedConfig, EmbedSummary, embed_videos
from embed.errors import StoreBusy, StoreError
from embed.store import EmbeddingStore, StoreWriter
from embed.video import UniformFrames
from tests.media import BarReader, write_video
from tests.processes import mounted_disk

PRUNING = EmbedConfig(sampling=UniformFrames(2), is_pruning=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "disk").mkdir()
    with mounted_disk(tmp_path / "disk", "5m") as mounted:
        yield mounted


def change(base: Path, store: Path) -> Path:
    """Embed four videos, then move one and remove one; return their folder."""
    videos = base / "videos"
    for number in range(4):
        (videos / "hug").mkdir(parents=True, exist_ok=True)
        write_video(videos / "hug" / f"{number}.mp4", 5 + number)
    embed(videos, store)
    (videos / "hug" / "0.mp4").rename(videos / "0.mp4")
    (videos / "hug" / "1.mp4").unlink()
    return videos


def embed(videos: Path, store: Path) -> EmbedSummary:
    return embed_videos(videos, store, PRUNING, encoder=BarReader())


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("name", ["s.h5", "shards"])
@pytest.mark.parametrize("what", ["read-only", "full"])
def test_a_disk_that_takes_nothing(disk: Path, tmp_path: Path, name: str, what: str) -> None:
    videos = change(tmp_path, disk / name)
    if what == "full":
        free = os.statvfs(disk)
        (disk / "fill").write_bytes(bytes((free.f_bavail - 2) * free.f_bsize))  # a block is left for the first check
    before = content(disk)
    remount = ["mount", "-o", "remount,{}", str(disk)]
    if what == "read-only":
        subprocess.run([word.format("ro") for word in remount], check=True)
    with pytest.raises(StoreError, match=r"cannot be written: (Read-only file system|No space left on device)\. "):
        embed(videos, disk / name)
    assert content(disk) == before
    subprocess.run([word.format("rw,size=10m") for word in remount], check=True)
    summary = embed(videos, disk / name)
    assert (summary.embedded, dict(summary.moved), summary.dropped) == (0, {"hug/0.mp4": "0.mp4"}, ("hug/1.mp4",))
    assert EmbeddingStore(disk / name).ids == ["0.mp4", "hug/2.mp4", "hug/3.mp4"]


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_store_that_another_run_writes(tmp_path: Path, name: str) -> None:
    videos = change(tmp_path, tmp_path / name)
    with StoreWriter(tmp_path / name, EmbeddingStore(tmp_path / name).provenance), pytest.raises(StoreBusy):
        embed(videos, tmp_path / name)
    assert embed(videos, tmp_path / name).dropped == ("hug/1.mp4",)


def test_a_link_to_a_store_stays_a_link(tmp_path: Path) -> None:
    videos = change(tmp_path, tmp_path / "s.h5")
    (tmp_path / "link.h5").symlink_to("s.h5")
    assert embed(videos, tmp_path / "link.h5").dropped == ("hug/1.mp4",)
    assert (tmp_path / "link.h5").is_symlink()
    assert EmbeddingStore(tmp_path / "s.h5").ids == ["0.mp4", "hug/2.mp4", "hug/3.mp4"]

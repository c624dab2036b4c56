"""A full disk is reported, the store stays undamaged, and the run can be continued when there is space again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embed.decode_pool.pool import DecodedVideo, DecodePlan, decode_videos
from embed.errors import StoreError
from embed.sources.fetching import FetchConfig, Fetcher
from embed.sources.videos import Video
from embed.store import EmbeddingStore, Failure, StoreWriter
from embed.store.inspection import inspect_embeddings
from embed.video.sampling import UniformFrames
from tests.embed.stores import PROVENANCE, append, vectors_of
from tests.media import BarReader, write_video
from tests.processes import mounted_disk
from tests.servers import faulty_server

NAMES = [f"{number:03}" for number in range(60)]
LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.embed.run.test_full_disk import write

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as on a full disk, writing fails and the process continues
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
write(Path(sys.argv[1]))
"""


def write(path: Path) -> None:
    """Write those of 60 videos of 6 KB that are missing, and commit each."""
    with StoreWriter(path, PROVENANCE) as writer:
        for number, name in enumerate(NAMES):
            if name not in writer.embedded:
                append(writer, name, number, count=300)
                writer.commit()


def check_is_undamaged_and_continues(path: Path, expected: int) -> None:
    assert EmbeddingStore(path).ids == NAMES[:expected]
    assert not inspect_embeddings(path, is_verifying=True).problems
    write(path)
    store = EmbeddingStore(path)
    assert store.ids == NAMES
    wanted = np.concatenate([vectors_of(number, 300) for number in range(60)])
    np.testing.assert_array_equal(store.read_many(store.ids)[0], wanted)


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_file_that_may_not_grow_ends_the_run_and_nothing_is_lost(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "StoreError" in done.stderr
    assert "cannot be written: File too large. " in done.stderr
    assert "Allow larger files (ulimit -f unlimited), and run the same command again" in done.stderr
    check_is_undamaged_and_continues(tmp_path / name, 32)  # the first 32 could not be merged into one part


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 500 KB, if that is allowed."""
    with mounted_disk(tmp_path, "500k") as mounted:
        yield mounted


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_full_disk_ends_the_run_and_nothing_is_lost(small_disk: Path, name: str) -> None:
    with pytest.raises(StoreError, match=r"(?s)cannot be written: .*No space left on device.* Free some disk space"):
        write(small_disk / name)
    stored = len(EmbeddingStore(small_disk / name))
    assert 0 < stored < 60
    disk = os.statvfs(small_disk)
    files = sum(path.stat().st_blocks * 512 for path in small_disk.rglob("*") if path.is_file())
    assert (disk.f_blocks - disk.f_bfree) * disk.f_frsize - files < 16_384  # no unfinished file is held open
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    check_is_undamaged_and_continues(small_disk / name, stored)


def test_a_full_disk_ends_the_command_with_its_message_while_the_next_batch_is_encoded(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    videos = tmp_path_factory.mktemp("videos")
    for number in range(12):
        write_video(videos / f"{number}.mp4", 30, numbers=range(number, number + 30))
    subprocess.run(["mount", "-o", "remount,size=200k", str(small_disk)], check=True)
    command = ["-m", "embed", "embed-videos", videos, "--model", "efficientnet-lite0", "--frames-count", "30"]

    done = subprocess.run(
        [sys.executable, *map(str, command), "-o", str(small_disk / "s.h5")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert "No space left on device. What was stored before is undamaged. Free some disk space" in done.stderr
    assert "terminate" not in done.stderr


@pytest.mark.parametrize("free", ["500k", "2500k"], ids=["for its ends", "for what is asked for later"])
def test_a_disk_too_full_for_parts_of_a_remote_video_loses_only_that_video(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory, free: str
) -> None:
    subprocess.run(["mount", "-o", f"remount,size={free}", str(small_disk)], check=True)
    local = Video("local", str(write_video(tmp_path_factory.mktemp("videos") / "a.mp4", 5)))
    plan = DecodePlan(UniformFrames(4), BarReader().identity.preprocessing)
    with faulty_server() as server, Fetcher(FetchConfig(folder=str(small_disk), sparse_bytes=1 << 20)) as fetcher:
        # Boxes: some bytes that are not needed, and an index, which is needed completely.
        boxes = {b"free": bytes(1000), b"moov": bytes(4 << 20)}
        server.files["/far.mp4"] = b"".join((len(c) + 8).to_bytes(4, "big") + kind + c for kind, c in boxes.items())
        videos = fetcher.ahead([Video("far", f"{server.url}/far.mp4"), local])
        failure, decoded = decode_videos(videos, plan, workers=1, fetch=fetcher.local_file)
    assert isinstance(failure, Failure)
    assert failure.reason == "fetch_error"
    assert failure.detail.endswith("was not fetched: the disk is full. Set TMPDIR to a folder on another disk")
    assert isinstance(decoded, DecodedVideo)

"""SIGKILL at random moments, on one growing store: nothing is lost or doubled, and the final rows are the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from embed.store import EmbeddingStore
from embed.store.inspection import verify_store
from embed.store.parts import parts_folder, piece_files
from tests.media import write_video
from tests.processes import Traced

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RUN = """
import sys
from dataclasses import replace
from embed.store import writing
from embed import Clips, EmbedConfig, embed_videos
from embed.video.sampling import UniformFrames
from tests.embed.clip_reader import ClipReader
from tests.media import BarReader
writing._COMMIT_INTERVAL_S = 0.0  # commit every video, so that kills meet as many commits as possible
encoder, sampling, stop_before = BarReader(), UniformFrames(5), None
if sys.argv[4] == "clips":
    encoder, sampling = ClipReader(3), Clips(3, 1)
elif sys.argv[4] == "activations":
    stop_before = "block.1"
    encoder.identity = replace(encoder.identity, stop_before=stop_before, shape=(5, encoder.identity.dimension // 5))
config = EmbedConfig(sampling=sampling, log=sys.argv[3], stop_before=stop_before)
embed_videos([sys.argv[1]], sys.argv[2], config, encoder=encoder)
"""
NEW_VIDEOS = 4  # at each start
LONGEST_RUN_S = 300  # the last run after 200 kills embeds and merges hundreds of videos
VICTIMS = ("the command", "its process group", "all its processes")


class GrowingRun:
    """Runs on one store, started again and again with more and more videos."""

    def __init__(self, folder: Path, store: Path, kind: str) -> None:
        self.kind = kind  # of rows: frames, clips or activations
        self.folder, self.store, self.log = folder, store, folder.with_name(f"{folder.name}.jsonl")
        folder.mkdir()
        self.traced = Traced()
        self.stored: set[str] = set()
        self.lines_checked = 0

    def add_videos(self) -> None:
        """Add videos whose frames are in no other video."""
        first = len(list(self.folder.iterdir()))
        for number in range(first, first + NEW_VIDEOS):
            write_video(self.folder / f"{number:04}.mp4", 8, numbers=range(number % 1000, number % 1000 + 8))

    def start(self) -> "subprocess.Popen[str]":
        (parts_folder(self.store) / "lock").unlink(missing_ok=True)  # left by a killed run, which no longer holds it
        return self.traced.start([sys.executable, "-c", RUN, self.folder, self.store, self.log, self.kind])

    def finish(self) -> tuple[float, float]:
        """Run to the end; return the seconds until the store is opened for writing, and the seconds after that."""
        started = time.monotonic()
        run = self.start()
        opened = self.wait_until_writing(run)
        _, complaints = run.communicate(timeout=LONGEST_RUN_S)
        assert (run.returncode, complaints) == (0, "")
        return opened - started, time.monotonic() - opened

    def wait_until_writing(self, run: "subprocess.Popen[str]") -> float:
        while run.poll() is None and not (parts_folder(self.store) / "lock").exists():
            time.sleep(0.001)
        return time.monotonic()

    def kill(self, seconds: float, victim: str, *, is_starting: bool) -> bool:
        """Kill a run some time after it started, or after it began to write; return True if it was still running."""
        run = self.start()
        if not is_starting:
            self.wait_until_writing(run)
        with suppress(subprocess.TimeoutExpired):
            run.wait(seconds)
        if run.poll() is None:
            self.kill_now(run.pid, victim)
        _, complaints = run.communicate(timeout=LONGEST_RUN_S)
        assert complaints == ""
        return run.returncode == -signal.SIGKILL

    def kill_now(self, pid: int, victim: str) -> None:
        if victim == "its process group":
            os.killpg(pid, signal.SIGKILL)
        for target in self.traced.running() if victim == "all its processes" else [pid]:
            with suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)

    def logged(self) -> list[str]:
        """Return the videos that runs logged as embedded; the last line of a killed run may be cut off."""
        lines = self.log.read_text().split("\n")[:-1] if self.log.exists() else []
        return [json.loads(line)["id"] for line in lines]

    def check(self) -> None:
        """Check the last run: the files are whole and hold all that was logged, and no process is left."""
        assert self.traced.leavings() == set()
        logged = self.logged()
        assert self.stored.isdisjoint(logged[self.lines_checked :])  # what the store held is not embedded again
        self.lines_checked = len(logged)
        if piece_files(self.store):
            with EmbeddingStore(self.store) as store:
                assert verify_store(store) == []
                assert store.failures == []
                assert self.stored | set(logged) <= set(store.ids)
                self.stored = set(store.ids)
        else:
            assert logged == []


def check_each_is_there_once(store: Path) -> None:
    """Check a finished run's files with h5py alone: no video is there twice, and each row belongs to one video."""
    ids: list[bytes] = []
    for path in [store] if store.is_file() else sorted(store.glob("*.h5")):
        with h5py.File(path) as file:
            ids += file["videos/id"][()].tolist()
            counts, firsts = file["videos/row_count"][()], file["videos/first_row"][()]
            np.testing.assert_array_equal(firsts, np.cumsum(counts) - counts)
            assert len(file["embeddings"]) == len(file["timestamps_s"]) == counts.sum()
    assert ids
    assert len(set(ids)) == len(ids)


def check_equal(one: Path, other: Path) -> None:
    """Check that two stores hold the same videos: vectors, timestamps and records."""
    with EmbeddingStore(one) as killed, EmbeddingStore(other) as whole:
        assert killed.ids == whole.ids
        for video_id in whole.ids:
            here, there = killed.read(video_id), whole.read(video_id)
            np.testing.assert_array_equal(here.vectors, there.vectors)
            np.testing.assert_array_equal(here.timestamps_s, there.timestamps_s)
            np.testing.assert_array_equal(here.spans_s, there.spans_s)
            assert killed.video(video_id) == whole.video(video_id)


def check_kills(tmp_path: Path, name: str, count: int, kind: str) -> None:
    """Kill runs on one growing store until `count` kills met a live run; compare the store with an unkilled run's.

    Every third kill comes while the run starts: it imports, lists the videos and opens the store.
    """
    growing = GrowingRun(tmp_path / "videos", tmp_path / name, kind)
    growing.add_videos()
    start_s, write_s = growing.finish()
    longest_s = write_s * 1.2
    growing.check()
    draw = random.Random(0)
    kills = kills_that_kept_some = 0
    while kills < count or (not kills_that_kept_some and kills < 5 * count):
        growing.add_videos()
        stored_before, is_starting = growing.stored, kills % 3 == 1
        moment_s = draw.uniform(0, start_s if is_starting else longest_s)
        is_met = growing.kill(moment_s, draw.choice(VICTIMS), is_starting=is_starting)
        if not is_starting:
            longest_s *= 1.01 if is_met else 0.9  # the machine may be more or less busy now than at the first run
        kills += is_met
        growing.check()
        kills_that_kept_some += is_met and growing.stored > stored_before
    growing.finish()
    growing.check()
    assert len(growing.stored) == len(list(growing.folder.iterdir()))
    assert kills_that_kept_some  # else a store that commits nothing before the end would pass
    check_each_is_there_once(growing.store)

    unkilled = GrowingRun(tmp_path / "none", tmp_path / "unkilled" / name, kind)
    unkilled.folder = growing.folder
    unkilled.finish()
    check_equal(growing.store, unkilled.store)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [name, "none", "none.jsonl", "unkilled", "videos", "videos.jsonl"]
    )
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("s.h5", "frames"), ("shards", "clips"), pytest.param("s.h5", "activations", marks=pytest.mark.nightly)],
)
def test_after_five_kills_the_rows_are_those_of_an_unkilled_run(tmp_path: Path, name: str, kind: str) -> None:
    check_kills(tmp_path, name, 5, kind)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["frames", "clips", "activations"])
@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_after_200_kills_the_rows_are_those_of_an_unkilled_run(tmp_path: Path, name: str, kind: str) -> None:
    check_kills(tmp_path, name, 200, kind)

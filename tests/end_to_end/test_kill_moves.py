"""SIGKILL before every system call that makes, moves or removes a name, while a store follows moved and removed files.

Shards are revised one after another, so a kill may leave some under old ids and some under new ones. What must hold at
any moment: the store is undamaged, each id has the vectors that were right for it before or are right now, and the same
run again ends as one that was never killed.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embed.store import EmbeddingStore, inspect_embeddings
from tests.media import spelled_numbers, write_video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a library is loaded before others, as Linux does it")

SOURCE = Path(__file__).parents[1] / "kill_at.c"
MOST_CALLS = 200
PART = re.compile(r"\d{8}-\d{8}\.h5")
FIRST = {f"{label}/{number}.mp4": 100 * number for number, label in enumerate(("hug", "hug", "hug", "kick", "kick"))}
RUN = """
import json, os, sys
from embed import EmbedConfig, UniformFrames, embed_videos
from embed.store.writing import StoreWriter
from tests.media import BarReader

StoreWriter.__init__.__kwdefaults__["shard_bytes"] = 1  # so that each run adds a shard, which no other is merged with
for line in sys.stdin:
    videos, store, kill_at = json.loads(line)
    child = os.fork()
    if not child:
        if kill_at:
            os.environ |= {"KILL_AT": str(kill_at), "KILL_PID": str(os.getpid()), "KILL_IN": os.path.dirname(store)}
        done = embed_videos(videos, store, EmbedConfig(sampling=UniformFrames(3), is_pruning=True), encoder=BarReader())
        os._exit(100 + done.embedded)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
Run = Callable[..., int]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library that kills."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to build the library that kills")
    built = tmp_path_factory.mktemp("library") / "kill_at.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], check=True)
    return built


@contextmanager
def runs(library: Path) -> Iterator[Run]:
    """Yield a function that embeds videos, in a fork, and returns how many were decoded; -SIGKILL if it was killed."""
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(videos: Path, store: Path, kill_at: int = 0) -> int:
            process.stdin.write(json.dumps([str(videos), str(store), kill_at]) + "\n")
            process.stdin.flush()
            code = int(process.stdout.readline())
            assert code in range(100, 200) or (kill_at and code == -signal.SIGKILL)
            return code - 100 if code > 0 else code

        yield run
        process.stdin.close()


def numbers_in(store: Path) -> dict[str, int]:
    """Return the number that the first vector of each video shows, less one."""
    assert inspect_embeddings(store, is_verifying=True).problems == ()
    with EmbeddingStore(store) as opened:
        return {video_id: spelled_numbers(opened.read(video_id).vectors)[0] - 1 for video_id in opened.ids}


def files(folder: Path) -> list[str]:
    """Return the files and folders of a folder without its shards: what is decoded again is in one more of them."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(str(path) for path in found if path.parent.name != "shards" or not PART.fullmatch(path.name))


def move(videos: Path) -> None:
    """Correct a label, rename a file, exchange the names of two, and remove one."""
    (videos / "hug" / "0.mp4").rename(videos / "kick" / "0.mp4")
    (videos / "kick" / "3.mp4").rename(videos / "kick" / "9.mp4")
    (videos / "hug" / "1.mp4").rename(videos / "x")
    (videos / "kick" / "4.mp4").rename(videos / "hug" / "1.mp4")
    (videos / "x").rename(videos / "kick" / "4.mp4")
    (videos / "hug" / "2.mp4").unlink()


MOVED = {"hug/1.mp4": 400, "kick/0.mp4": 0, "kick/4.mp4": 100, "kick/9.mp4": 300}


@pytest.mark.parametrize("name", ["s.h5", pytest.param("shards", marks=pytest.mark.nightly)])
def test_a_kill_at_any_call_leaves_old_or_new_ids_and_the_same_run_again_ends_it(
    library: Path, tmp_path: Path, name: str
) -> None:
    work, start = tmp_path / "work", tmp_path / "start"
    with runs(library) as run:
        for number, (video, first) in enumerate(FIRST.items()):
            (work / "videos" / video).parent.mkdir(parents=True, exist_ok=True)
            os.utime(write_video(work / "videos" / video, 9, numbers=range(first, first + 9)), (number, number))
            assert run(work / "videos", work / name) == 1
        move(work / "videos")
        shutil.copytree(work, start)
        assert run(work / "videos", work / name) == 0
        assert numbers_in(work / name) == MOVED
        whole, decoded = files(work), []
        for kill_at in range(1, MOST_CALLS):
            shutil.rmtree(work)
            shutil.copytree(start, work)
            was_killed = run(work / "videos", work / name, kill_at) < 0
            found = numbers_in(work / name)
            assert all(shown in (FIRST.get(video), MOVED.get(video)) for video, shown in found.items()), kill_at
            if not was_killed:
                break
            decoded.append(run(work / "videos", work / name))
            assert numbers_in(work / name) == MOVED, kill_at
            assert files(work) == whole, kill_at
    assert len(decoded) >= 5
    assert max(decoded) <= (0 if name == "s.h5" else 2), decoded  # of an exchange between two shards

"""SIGKILL at random moments, over one growing store: nothing lost, nothing doubled, the same rows in the end."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from embed.inspection import inspect_embeddings
from embed.parts import parts_folder, piece_files
from embed.store import EmbeddingStore
from tests.media import write_video

RUN = """
import sys
from embed import writing
from embed.pipeline import EmbedConfig, embed_videos
from embed.sampling import UniformFrames
from tests.media import BarReader
writing._COMMIT_INTERVAL_S = 0.0  # commit every video, so that kills meet as many commits as can be
summary = embed_videos([sys.argv[1]], sys.argv[2], EmbedConfig(sampling=UniformFrames(5)), encoder=BarReader())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(60):
        write_video(folder / f"{number:02}.mp4", 20 + number)
    return folder


def run(folder: Path, store: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), str(store)])


def kill_after(process: subprocess.Popen[bytes], store: Path, seconds: float) -> bool:
    """Kill a run some time after its first commit; say whether it was still running."""
    before = set(parts_folder(store).glob("*.h5"))
    while process.poll() is None and set(parts_folder(store).glob("*.h5")) <= before:
        time.sleep(0.001)
    time.sleep(seconds)
    process.kill()
    return process.wait() == -signal.SIGKILL


def test_ten_kills_end_in_the_rows_of_an_unkilled_run(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "whole.h5").wait() == 0
    moments = random.Random(0)
    kills = 0
    for _ in range(10):
        kills += kill_after(run(folder, tmp_path / "killed.h5"), tmp_path / "killed.h5", moments.uniform(0, 0.02))
        if piece_files(tmp_path / "killed.h5"):
            assert not inspect_embeddings(tmp_path / "killed.h5", is_verifying=True).problems
    assert kills == 10
    assert 0 < len(EmbeddingStore(tmp_path / "killed.h5")) < 60
    assert run(folder, tmp_path / "killed.h5").wait() == 0
    whole, killed = EmbeddingStore(tmp_path / "whole.h5"), EmbeddingStore(tmp_path / "killed.h5")
    assert killed.ids == whole.ids
    assert len(killed) == 60
    np.testing.assert_array_equal(killed.row_counts, whole.row_counts)
    np.testing.assert_array_equal(killed.read_many(killed.ids)[0], whole.read_many(whole.ids)[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.h5", "whole.h5"]

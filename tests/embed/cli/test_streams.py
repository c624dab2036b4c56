"""Streams that are closed or take nothing: a message and code 2, and the work is done all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from embed.store import EmbeddingStore
from tests.embed.stores import write_store
from tests.media import write_video

PROGRAM = [sys.executable, "-m", "classify"]
EMBEDDING = ["embed-videos", "a.mp4", "--model", "efficientnet-lite0", "--frames-count", "2", "-o", "new.h5"]


def in_shell(folder: Path, words: list[str], redirections: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", "-c", f'"$@" {redirections}', "sh", *PROGRAM, *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ["inspect-embeddings", "s.h5", "--list"],
        ["inspect-embeddings", "s.h5", "--json"],
        ["split-videos", "s.h5"],
        ["train-head", "--help"],
    ],
    ids=" ".join,
)
def test_a_result_that_cannot_be_printed_is_told_in_one_line(tmp_path: Path, words: list[str]) -> None:
    write_store(tmp_path / "s.h5", [f"{label}/{number}.mp4" for label in "ab" for number in range(9)])
    result = in_shell(tmp_path, words, "> /dev/full")
    assert result.returncode == 2, result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: The result cannot be printed: No space left on device.")
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_a_closed_stderr_changes_no_exit_code(tmp_path: Path) -> None:
    assert in_shell(tmp_path, ["embed-videos", "nope", "-o", "s.h5"], "2>&-").returncode == 2
    assert not list(tmp_path.iterdir())


def test_with_all_streams_closed_the_work_is_done(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 9)
    assert in_shell(tmp_path, EMBEDDING, "<&- >&- 2>&-").returncode == 0
    assert EmbeddingStore(tmp_path / "new.h5").ids == ["a.mp4"]

"""A pipe, or a link that leads to itself, in the place of any file is refused at once."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from classify.cli import framehead
from tests.embed.stores import write_store
from tests.media import write_video

LITE0 = ["--model", "efficientnet-lite0"]
COMMANDS = {
    "a list": ["embed-videos", "ODD.csv"],
    "a source": ["inspect-embeddings", "ODD"],
    "a store": ["split-videos", "ODD.h5", "-o", "split.csv"],
    "a store to continue": ["embed-videos", "a.mp4", *LITE0, "-o", "ODD.h5"],
    "labels": ["split-videos", "s.h5", "--labels", "ODD.csv"],
    "labels of a description": ["describe-dataset", "s.h5", "--labels", "ODD.csv"],
    "a vocabulary": ["split-videos", "s.h5", "--vocabulary", "ODD.txt"],
    "a split": ["train-head", "s.h5", "--split", "ODD.csv"],
    "a head": ["predict-videos", "ODD", "s.h5"],
    "a head to export": ["export-head", "ODD"],
    "a folder to learn from": ["learn", "ODD"],
    "a split to write": ["split-videos", "s.h5", "-o", "ODD.csv"],
    "a head to write": ["train-head", "s.h5", "--split", "gone.csv", "-o", "ODD"],
    "a merged store": ["inspect-embeddings", "s.h5", "--merge", "ODD.h5"],
}


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [make_pipe, make_loop])
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_no_command_waits_for_a_pipe_or_trips_over_a_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "s.h5", ["a/1.mp4", "b/2.mp4"])
    write_video(tmp_path / "a.mp4", 3)
    odd = next(word for word in words if word.startswith("ODD"))
    make(tmp_path / odd)
    result = CliRunner().invoke(framehead, words)
    assert result.exit_code == 2, f"{result.output} {result.exception!r}"
    assert "Error: " in result.stderr
    assert os.path.lexists(tmp_path / odd)

import os
from pathlib import Path

import pytest

from classify.data import Split
from classify.measures.evaluation_log import log_evaluation

SPLIT = Split(("a", "b", "c"), ("train", "test", "test"))
OTHER = Split(("a", "b", "c"), ("train", "train", "test"))


def log(path: Path, split: Split = SPLIT) -> int | None:
    return log_evaluation(path / "split.csv", split, head=Path("head"), arch="linear", micro_f1=0.5)


def test_evaluations_on_the_same_test_videos_are_counted(tmp_path: Path) -> None:
    assert [log(tmp_path), log(tmp_path, OTHER), log(tmp_path)] == [1, 1, 2]


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "split.csv.evaluations.jsonl")
    assert log(tmp_path) is None


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_its_place_is_not_followed(exists: bool, tmp_path: Path) -> None:
    if exists:
        (tmp_path / "precious.txt").write_text("kept")
    (tmp_path / "split.csv.evaluations.jsonl").symlink_to(tmp_path / "precious.txt")
    assert log(tmp_path) is None
    assert [path.read_text() for path in tmp_path.glob("precious.txt")] == ["kept"] * exists

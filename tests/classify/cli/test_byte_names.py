"""Names of files that are bytes and no UTF-8, through every command that reads or writes them."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from classify.cli import framehead
from tests.media import write_video

LITE0 = ("--model", "efficientnet-lite0", "--frames-count", "2", "--batch-size", "4")
FEW_TRIALS = ("--arch", "linear,random-frame", "--mixup", "0", "--folds", "2", "--seeds", "1")
STAR = os.fsdecode(b"\xe9toile")
LABELS = ("hug", "kick", STAR)
NAME = os.fsdecode(b"caf\xe9.mp4")
IDS = {f"{label}/{NAME}" for label in LABELS}
Words = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Words:
    """Run a command beside v/, three classes of five videos. One class and one video of each are no UTF-8."""
    monkeypatch.chdir(tmp_path)
    for place, label in enumerate(LABELS):
        (tmp_path / "v" / label).mkdir(parents=True)
        for number in range(5):
            video = write_video(tmp_path / "made.mp4", 4 + 6 * place + number)
            shutil.move(video, tmp_path / "v" / label / (NAME if number == 0 else f"{number}.mp4"))

    def run(*words: object) -> Result:
        result = CliRunner().invoke(framehead, list(map(str, words)))
        assert result.exit_code == 0, (words, result.output, result.exception)
        return result

    return run


def labels_in(path: Path, column: str) -> dict[str, str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {row["id"]: row[column] for row in csv.DictReader(file)}


@pytest.mark.nightly
def test_names_that_are_no_utf_8_go_through_all_commands_byte_by_byte(command: Words, tmp_path: Path) -> None:
    command("embed-videos", "v", *LITE0, "-o", "e.h5")
    command("describe-dataset", "e.h5", "-o", "about")
    command("describe-dataset", "e.h5", "--json")
    command("split-videos", "e.h5", "-o", "split.csv")
    split = labels_in(tmp_path / "split.csv", "labels")
    assert split.keys() > IDS
    assert split[f"{STAR}/{NAME}"] == STAR
    command("describe-dataset", "e.h5", "--split", "split.csv")
    command("train-head", "e.h5", "--split", "split.csv", "-o", "head", "--html")
    (tmp_path / "head" / "report.html").read_bytes().decode("utf-8")  # a browser sees text

    # The label files that we write are read back, corrected or not.
    own = "".join(f"{video_id},{label}\n" for video_id, label in split.items())
    (tmp_path / "labels.csv").write_text(f"id,label\n{own}", encoding="utf-8", errors="surrogateescape")
    command("describe-dataset", "e.h5", "--labels", "labels.csv")
    command("split-videos", "e.h5", "--labels", "labels.csv", "--keep", "split.csv", "-o", "again.csv")
    assert labels_in(tmp_path / "again.csv", "labels") == split
    command("train-head", "e.h5", "--labels", "labels.csv", "--split", "again.csv", "-o", "other")
    command("evaluate-head", "head", "e.h5", "--labels", "labels.csv", "-o", "judged", "--html")

    command("predict-videos", "head", "v", "-o", "p.csv")
    command("predict-videos", "head", "e.h5", "-o", "quoted.csv", "--spreadsheet-safe")
    assert labels_in(tmp_path / "p.csv", "labels").keys() > IDS
    command("predict-videos", "head", "v")
    shown = json.loads(command("predict-videos", "head", "v", "--json").stdout)
    assert {video["id"] for video in shown["videos"]} > IDS
    command("compare-heads", "e.h5", "--labels", "labels.csv", *FEW_TRIALS, "-o", "c")


def test_learn_takes_names_that_are_no_utf_8(command: Words, tmp_path: Path) -> None:
    command("learn", "v", *LITE0[:4], "--budget", "2", "-o", "made")
    assert labels_in(tmp_path / "made" / "split.csv", "labels").keys() > IDS


def test_a_label_file_in_another_encoding_is_still_refused(command: Words, tmp_path: Path) -> None:
    command("embed-videos", "v", *LITE0, "-o", "e.h5")
    (tmp_path / "labels.csv").write_text("path,label\nhug/caf\u00e8.mp4,x\nhug/1.mp4,y\n", encoding="latin-1")
    result = CliRunner().invoke(framehead, ["split-videos", "e.h5", "--labels", "labels.csv"])
    assert result.exit_code == 2
    assert "labels.csv is not a CSV file in UTF-8 (line 2)" in result.output

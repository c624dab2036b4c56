"""From a folder of real clips to micro-F1, with the commands that a user types."""

import csv
import json
import subprocess
import sys
from pathlib import Path

CHANCE = 1 / 6  # 20 clips of each of six classes


def run(command: str, *arguments: str | Path) -> str:
    path = Path(sys.executable).with_name(command)
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def test_120_clips_run_from_folder_to_predictions_and_beat_chance(ut_interaction6: Path, tmp_path: Path) -> None:
    labels, store, split = ut_interaction6 / "labels.csv", tmp_path / "embeddings.h5", tmp_path / "split.csv"

    embedding = ("--model", "efficientnet-lite0", "--frames-count", "4", "-o", store, "--json")
    embedded = json.loads(run("embed-videos", ut_interaction6, *embedding))
    assert (embedded["embedded"], embedded["failed"], embedded["vectors"]) == (120, 0, 480)

    grouping = ("--group-by", "group", "--test-size", "0.25", "--validation-size", "0")
    run("split-videos", store, "--labels", labels, *grouping, "-o", split)
    with split.open(encoding="utf-8") as file:
        tested = [row for row in csv.DictReader(file) if row["part"] == "test"]

    training = ("-o", tmp_path / "head", "--json")
    figures = json.loads(run("train-head", store, "--labels", labels, "--split", split, *training))
    assert figures["test_videos"] == len(tested)
    assert figures["micro_f1"] > 2.5 * CHANCE

    clips = [ut_interaction6 / row["id"] for row in tested[:2]]
    predictions = json.loads(run("predict-videos", tmp_path / "head", *clips, "--json"))
    assert [video["id"] for video in predictions["videos"]] == [clip.name for clip in clips]

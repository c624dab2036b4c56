"""`predict-videos` with thresholds, moments, formats and a watched folder, as people type it."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from classify import cli
from tests.classify.streaming.conftest import clips as clips

Run = Callable[..., Result]


def rows_of(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_top_and_thresholds_choose_the_labels(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("label,threshold\nhug,0\n")
    top = rows_of(trained("predict_videos", "head", "embeddings.h5", "--top", 2))
    assert {row["labels"].count("|") for row in top} == {1}
    with_hug = rows_of(trained("predict_videos", "head", "embeddings.h5", "--threshold", "t.csv"))
    assert all("hug" in row["labels"] for row in with_hug)
    none = rows_of(trained("predict_videos", "head", "embeddings.h5", "--threshold", "1", "--threshold", "hug=1"))
    assert {row["labels"] for row in none} == {""}


def test_moments_are_a_row_each_on_stdout_and_in_the_file(trained: Run, tmp_path: Path) -> None:
    printed = trained("predict_videos", "head", "embeddings.h5", "--moments")
    trained("predict_videos", "head", "embeddings.h5", "--moments", "-o", "m.csv")
    assert (tmp_path / "m.csv").read_text() == printed.stdout
    assert {row["how"] for row in rows_of(printed)} == {"exact"}
    assert len({row["id"] for row in rows_of(printed)}) == 60


def test_json_on_stdout_is_that_of_the_format(trained: Run) -> None:
    by_format = json.loads(trained("predict_videos", "head", "embeddings.h5", "--moments", "--format", "json").stdout)
    assert by_format == json.loads(trained("predict_videos", "head", "embeddings.h5", "--moments", "--json").stdout)
    assert by_format["videos"][0]["moments"][0].keys() == {"label", "start_s", "end_s", "best_s", "score"}


def test_a_terminal_shows_moments_and_how_they_were_found(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    monkeypatch.setenv("NO_COLOR", "1")
    result = trained("predict_videos", "head", "embeddings.h5", "--moments", "--threshold", "0.9")
    assert "at 0:0" in result.stdout
    assert "Moments are exact: what the head says of each moment alone" in result.stdout
    assert "predict-videos head embeddings.h5 --threshold 0.9 --moments -o predictions.csv" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "hugg=0.5"], "the head has no label 'hugg'. Did you mean 'hug'?"),
        (["--threshold", "2"], "--threshold is 2.0. Use a probability from 0 to 1."),
        (["--top", "0"], "Invalid value for '--top'"),
        (["--format", "parquet"], "--format parquet is for files. Name one with -o"),
        (["--format", "jsonl", "--json"], "--format jsonl has no effect on --json"),
        (["--watch", "--json"], "Use --format jsonl"),
        (["--watch"], "--watch is for folders, and embeddings.h5 is none"),
        (["--sheets", "head"], "lies in head, an input of this command"),
        (["--format", "yt8m", "--top", "3"], "--format yt8m writes the 20 likeliest labels"),
        (["--format", "json", "--spreadsheet-safe"], "--spreadsheet-safe is for CSV files"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(trained: Run, words: list[str], message: str) -> None:
    result = trained("predict_videos", "head", "embeddings.h5", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.nightly
def test_a_watch_prints_each_video_and_ends_well_with_ctrl_c(clips: Path, tmp_path: Path) -> None:
    os.utime(shutil.copy(clips / "new" / "red.avi", tmp_path / "a.avi"), (1, 1))
    words = [
        sys.executable,
        "-m",
        "classify",
        "predict-videos",
        clips / "head",
        tmp_path,
        "--watch",
        "--format",
        "jsonl",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    with subprocess.Popen(words, stdout=-1, stderr=-1, text=True, env=environment) as run:
        assert run.stdout is not None
        line = json.loads(run.stdout.readline())
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert (line["id"], line["labels"]) == ("a.avi", ["red"])
    assert run.returncode == 0
    assert said.startswith(f"Watching {tmp_path}. Ctrl-C ends it.\n")
    assert "1 video labelled, 0 failed" in said
    assert "Traceback" not in said

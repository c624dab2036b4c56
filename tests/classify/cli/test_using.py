"""`predict-videos` and `export-head` as people and programs see them."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from embed import Failure


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have click's runner say that a terminal shows what it collects, of 80 columns."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def mixed_store(make_store: Callable[..., Path]) -> Path:
    """A store of one video and one failure."""
    failure = Failure("broken.mp4", "/videos/broken.mp4", "no_frames", "it is empty")
    return make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", failures=[failure])


@pytest.mark.usefixtures("on_a_terminal", "mixed_store")
def test_a_terminal_shows_a_table_a_count_the_failures_and_the_command_that_writes_a_file(
    trained: Callable[..., Result],
) -> None:
    result = trained("predict_videos", "head", "other.h5", "--batch-size", 8)

    header, row, _, counts = result.stdout.splitlines()
    assert result.exit_code == 1
    assert header.split() == ["path", "labels", "probability", "top", "3"]
    assert row.startswith("videos/a.mp4  hug ")
    assert counts == "1 video labelled, 1 failed"
    assert "  broken.mp4" in result.stderr
    assert "  no_frames: it is empty\n" in result.stderr
    assert result.stderr.endswith("Next:\npredict-videos head other.h5 --batch-size 8 -o predictions.csv\n")


@pytest.mark.usefixtures("on_a_terminal")
def test_a_dash_writes_csv_to_stdout_also_on_a_terminal_and_counts_on_stderr(
    trained: Callable[..., Result], mixed_store: Path, tmp_path: Path
) -> None:
    result = trained("predict_videos", "head", mixed_store, "-o", "-")

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["id"], row["error"]) for row in rows] == [("a.mp4", ""), ("broken.mp4", "no_frames: it is empty")]
    assert "1 video labelled, 1 failed\n" in result.stderr
    assert not (tmp_path / "-").exists()


@pytest.mark.usefixtures("on_a_terminal")
def test_json_is_all_that_a_terminal_gets_on_stdout(trained: Callable[..., Result], mixed_store: Path) -> None:
    result = trained("predict_videos", "head", mixed_store, "--json")

    assert json.loads(result.stdout)["failures"][0]["path"] == "/videos/broken.mp4"
    assert "Next:" not in result.stderr


def test_stdout_that_is_no_terminal_gets_the_csv_alone(trained: Callable[..., Result], mixed_store: Path) -> None:
    result = trained("predict_videos", "head", mixed_store)

    assert len(list(csv.DictReader(io.StringIO(result.stdout)))) == 2
    assert result.stderr.startswith("1 video labelled, 1 failed\n")
    assert "Next:" not in result.stderr


def test_a_file_gets_the_rows_that_stdout_would_get(
    trained: Callable[..., Result], mixed_store: Path, tmp_path: Path
) -> None:
    result = trained("predict_videos", "head", mixed_store, "-o", "p.csv")

    assert result.stdout == "1 video labelled, 1 failed -> p.csv\n"
    assert (tmp_path / "p.csv").read_text() == trained("predict_videos", "head", mixed_store).stdout


def test_json_and_csv_on_one_stdout_are_refused(trained: Callable[..., Result], mixed_store: Path) -> None:
    result = trained("predict_videos", "head", mixed_store, "--json", "-o", "-")

    assert result.exit_code == 2
    assert "--json and -o - both write to stdout. Leave one of them out." in result.stderr


def test_of_many_failures_the_first_are_listed_and_the_others_counted(
    trained: Callable[..., Result], make_store: Callable[..., Path]
) -> None:
    failures = [Failure(f"{number}.mp4", "", "no_frames", "it is empty") for number in range(23)]
    store = make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", failures=failures)

    result = trained("predict_videos", "head", store)

    assert result.stderr.count("no_frames: it is empty\n") == 20
    assert result.stderr.endswith("  ... and 3 more: the CSV has a row for each\n")


@pytest.mark.parametrize(
    ("command", "first"),
    [("predict_videos", ["-o", "--store"]), ("export_head", ["-o"])],
)
def test_help_shows_first_what_everybody_sets_and_says_what_each_value_is(
    run: Callable[..., Result], command: str, first: list[str]
) -> None:
    lines = run(command, "--help").stdout.splitlines()

    options = lines[lines.index("Options:") + 1 :]
    everybody = [line.split()[0].rstrip(",") for line in options[: options.index("")] if line.startswith("  -")]
    assert everybody == first
    assert max(map(len, lines)) <= 80
    assert not {"TEXT", "PATH", "INTEGER", "FLOAT"} & {word for line in lines for word in line.split()}

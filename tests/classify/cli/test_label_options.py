import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

FOLDERS = ("hug/may", "hug/june", "kick/may", "kick/june")
IDS = tuple(f"{folder}/{index}.mp4" for folder in FOLDERS for index in range(6))


@pytest.fixture
def dated_store(make_store: Callable[..., Path]) -> Path:
    """Two classes of 12 videos, each class with two folders inside."""
    rng = np.random.default_rng(0)
    return make_store(
        {name: np.eye(2, 16)[[int(name.startswith("hug"))] * 3] + rng.normal(0, 0.1, (3, 16)) for name in IDS}
    )


@pytest.fixture
def label_file(tmp_path: Path) -> Path:
    """Labels as a spreadsheet in Europe writes them."""
    rows = [f"{name.replace('/', chr(92))};{name.split('/')[0]}" for name in IDS]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["Aufnahme;Art", *rows]), encoding="utf-16")
    return path


def labels_in(path: Path) -> set[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["labels"] for row in csv.DictReader(file)}


def next_command(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return shlex.split(result.stderr.rpartition("train-head")[2].replace("\\\n", ""))


def test_columns_are_named_by_options_and_known_to_the_next_command(
    run: Callable[..., Result], dated_store: Path, label_file: Path
) -> None:
    columns = ["--labels", label_file.name, "--path-column", "Aufnahme", "--label-column", "Art"]

    split = run("split_videos", dated_store.name, *columns)
    trained = run("train_head", *next_command(split))

    assert next_command(split) == [dated_store.name, "--split", "split.csv"]  # which knows the columns
    assert labels_in(Path("split.csv")) == {"hug", "kick"}
    assert trained.exit_code == 0, trained.output


@pytest.mark.parametrize(("level", "labels"), [("outermost", {"hug", "kick"}), ("2", {"may", "june"})])
def test_a_folder_is_chosen_by_an_option_and_known_to_the_next_command(
    run: Callable[..., Result], dated_store: Path, level: str, labels: set[str]
) -> None:
    split = run("split_videos", dated_store.name, "--label-folder", level)
    trained = run("train_head", *next_command(split))

    assert next_command(split) == [dated_store.name, "--split", "split.csv"]  # which knows the folder
    assert labels_in(Path("split.csv")) == labels
    assert trained.exit_code == 0, trained.output


def test_a_head_of_other_folders_than_its_split_is_refused(run: Callable[..., Result], dated_store: Path) -> None:
    assert run("split_videos", dated_store, "--label-folder", "outermost").exit_code == 0

    result = run("train_head", dated_store, "--label-folder", "innermost", "--split", "split.csv")

    assert result.exit_code == 2
    assert "Use the same --labels, or --label-folder, as with split-videos" in " ".join(result.stderr.split())


def test_rows_add_up_by_an_option(run: Callable[..., Result], dated_store: Path, tmp_path: Path) -> None:
    rows = [f"{name},{label}" for name in IDS for label in ("a", "b" if name.startswith("hug") else "c")]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label", *rows]))

    refused = run("split_videos", dated_store, "--labels", "labels.csv")
    split = run("split_videos", dated_store, "--labels", "labels.csv", "--multi-label")

    assert refused.exit_code == 2
    assert "and 21 more. The column 'label' is for one label of each video" in " ".join(refused.stderr.split())
    assert split.exit_code == 0, split.output
    assert labels_in(Path("split.csv")) == {"a|b", "a|c"}
    assert run("describe_dataset", dated_store, "--split", "split.csv").exit_code == 0


@pytest.mark.parametrize("command", ["split_videos", "train_head", "compare_heads", "describe_dataset"])
def test_every_command_that_takes_labels_takes_their_columns(run: Callable[..., Result], command: str) -> None:
    shown = run(command, "--help").stdout

    assert all(option in shown for option in ("--path-column", "--label-column", "--multi-label", "--label-folder"))


def test_folders_of_parts_name_the_option_that_follows_them(
    run: Callable[..., Result], make_store: Callable[..., Path]
) -> None:
    folders = [f"{part}/{name}" for part in ("train", "test") for name in "ab"]
    store = make_store({f"{folder}/{index}.mp4": np.eye(1, 16) for folder in folders for index in range(9)})

    by_shares, by_folder = run("split_videos", store), run("split_videos", store, "--by-folder")

    assert "folders such as train/ and test/, which this split does not follow. --by-folder" in " ".join(
        by_shares.stderr.split()
    )
    assert "does not follow" not in by_folder.stderr

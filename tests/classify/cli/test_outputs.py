"""The rule for files that are written, command by command: inputs and the files of others stay."""

import csv
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def work(trained: Run, tmp_path: Path) -> Run:
    """A folder with a store, a split, a head, labels made by hand, and a video."""
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = [(row["id"], row["labels"]) for row in csv.DictReader(file)]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *rows])
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "clip.avi").write_bytes(b"RIFF\0\0AVI ")
    shutil.copytree(tmp_path / "head", tmp_path / "other")
    return trained


STORE, HEAD = "embeddings.h5", "head"
REFUSED = {
    "split: labels": (["split_videos", STORE, "--labels", "labels.csv", "-o", "labels.csv"], "labels.csv is an input"),
    "split: store": (["split_videos", STORE, "-o", STORE], "embeddings.h5 is an input"),
    "split: video": (["split_videos", STORE, "-o", "videos/clip.avi"], "is named as a video"),
    "split: vocabulary": (
        ["split_videos", STORE, "--vocabulary", HEAD, "-o", "head/head.json"],
        "head/head.json lies in head, an input",
    ),
    "predict: store": (["predict_videos", HEAD, STORE, "-o", STORE], "embeddings.h5 is an input"),
    "predict: head": (["predict_videos", HEAD, STORE, "-o", "head/head.json"], "lies in head, an input"),
    "predict: video": (["predict_videos", HEAD, "videos/clip.avi", "-o", "videos/clip.avi"], "clip.avi is an input"),
    "predict: folder": (["predict_videos", HEAD, "videos", "-o", "videos/clip.avi"], "an input of this command"),
    "predict: new store": (
        ["predict_videos", HEAD, "videos", "--store", "new.h5", "-o", "new.h5"],
        "new.h5 is an input",
    ),
    "predict: labels": (["predict_videos", HEAD, STORE, "-o", "labels.csv"], "exists, and is not a predictions file"),
    "export: head": (["export_head", HEAD, "-o", "head/head.json"], "head/head.json lies in head, an input"),
    "export: video": (["export_head", HEAD, "-o", "videos/clip.avi"], "is named as a video"),
}
"""Commands that would destroy something, and what they say."""
INSISTED = {
    f"{name}, insisted": ([*command, "--overwrite"], said)
    for name, (command, said) in REFUSED.items()
    if "exists, and" not in said
}


@pytest.mark.parametrize(("command", "said"), [*REFUSED.values(), *INSISTED.values()], ids=[*REFUSED, *INSISTED])
def test_no_command_destroys_an_input_or_a_file_of_others(
    work: Run, tmp_path: Path, command: list[str], said: str
) -> None:
    before = hashes(tmp_path)

    result = work(*command)

    assert result.exit_code == 2, result.output
    assert said in result.output
    assert "Name another file" in result.output
    assert ("--overwrite" in result.output) == ("exists, and" in said)
    assert hashes(tmp_path) == before


def test_overwrite_replaces_what_the_command_did_not_write_and_says_so(work: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("mine")

    result = work("split_videos", STORE, "-o", "notes.csv", "--overwrite")

    assert result.exit_code == 0
    assert "notes.csv is replaced: a file that this command did not write, from " in result.output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(
            ["split_videos", STORE, "-o", "s.csv"], "s.csv is replaced: the split of 60 videos, from", id="split"
        ),
        pytest.param(
            ["split_videos", STORE, "-o", "s.csv", "--folds", "3"], "s-2.csv is replaced: the split of 60", id="folds"
        ),
        pytest.param(
            ["predict_videos", HEAD, STORE, "-o", "p.csv"],
            "is replaced: the predictions for 60 videos, from",
            id="predict",
        ),
        pytest.param(
            ["describe_dataset", STORE, "-o", "d"],
            "dataset.json is replaced: the description of 60 videos",
            id="describe",
        ),
        pytest.param(["train_head", STORE, "--split", "split.csv", "-o", "other"], "The linear head of ", id="train"),
    ],
)
def test_an_earlier_output_is_replaced_and_said(work: Run, command: list[str], said: str) -> None:
    first = work(*command)
    second = work(*command)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert said in " ".join(second.output.split())


def test_a_split_whose_parts_were_edited_is_replaced_only_when_told_or_extended(work: Run, tmp_path: Path) -> None:
    assert work("split_videos", STORE, "-o", "s.csv").exit_code == 0
    edited = (tmp_path / "s.csv").read_text().replace(",train,", ",test,", 1)
    (tmp_path / "s.csv").write_text(edited)

    refused = work("split_videos", STORE, "-o", "s.csv")
    assert refused.exit_code == 2
    assert "s.csv exists, and is not a split file as an earlier run wrote it" in refused.output
    assert (tmp_path / "s.csv").read_text() == edited

    kept = work("split_videos", STORE, "--keep", "s.csv", "-o", "s.csv")
    assert kept.exit_code == 0, kept.output
    parts = [[line.split(",")[:2] for line in text.splitlines()] for text in (edited, (tmp_path / "s.csv").read_text())]
    assert parts[0] == parts[1]

    (tmp_path / "s.csv").write_text(edited)
    assert work("split_videos", STORE, "-o", "s.csv", "--overwrite").exit_code == 0


def test_the_head_that_is_replaced_is_named_before_the_training(work: Run) -> None:
    result = work("train_head", STORE, "--split", "split.csv", "-o", "head")

    first = result.output.splitlines()[0]
    assert first.startswith("Note: The linear head of ")
    assert ", micro-F1 " in first
    assert first.endswith(", in head is replaced.")


@pytest.mark.parametrize(
    ("split", "options"),
    [
        ("absent.csv", []),
        ("split.csv", ["--arch", "motoin"]),
        ("notes.csv", []),
        ("split.csv", ["--min-count", "1000"]),
        ("split.csv", ["--patience", "3"]),
        ("absent.csv", ["--arch", "auto"]),
    ],
    ids=["no-split", "no-head", "no-split-file", "no-labels", "no-validation", "auto"],
)
def test_a_head_is_not_said_to_be_replaced_before_all_is_read(work: Run, split: str, options: list[str]) -> None:
    if options[:1] == ["--patience"]:
        work("split_videos", STORE, "-o", "split.csv", "--validation-size", "0")

    result = work("train_head", STORE, "--split", split, "-o", "head", *options)

    assert result.exit_code == 2
    assert "is replaced" not in result.output
    assert "Choosing" not in result.output


FOLDERS = {
    "compare": ["compare_heads", STORE, "--arch", "", "--folds", "2", "--seeds", "1", "-o"],
    "describe": ["describe_dataset", STORE, "-o"],
    "evaluate": ["evaluate_head", HEAD, STORE, "-o"],
    "train": ["train_head", STORE, "--split", "split.csv", "-o"],
}
"""Commands that write a folder, each with its last word missing."""


@pytest.mark.parametrize(
    ("command", "output"),
    [*product(FOLDERS.values(), ["videos", "other", "results", "labels.csv"]), (FOLDERS["evaluate"], "head/within")],
)
def test_a_folder_of_another_kind_is_refused_and_stays(
    work: Run, tmp_path: Path, command: list[str], output: str
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "notes.txt").write_text("mine")
    (tmp_path / "other" / "more.txt").write_text("no head alone")
    before = hashes(tmp_path)

    result = work(*command, output)

    assert result.exit_code == 2, result.output
    said = " ".join(result.stderr.split())
    assert (
        "which is not part of a" in said or f"{output} is a file. Name a folder for" in said or "lies in head" in said
    )
    assert hashes(tmp_path) == before


def test_predictions_whose_labels_were_corrected_are_not_replaced(work: Run, tmp_path: Path) -> None:
    work("predict_videos", HEAD, STORE, "-o", "p.csv")
    text = (tmp_path / "p.csv").read_text()
    (tmp_path / "p.csv").write_text(text.replace(",hug,", ",kick,", 1))

    result = work("predict_videos", HEAD, STORE, "-o", "p.csv")

    assert result.exit_code == 2
    assert "p.csv exists, and is not a predictions file as an earlier run wrote it" in result.output


@pytest.mark.parametrize("name", ["head.json", "report.json", "history.csv"])
def test_a_folder_with_a_file_of_others_that_has_the_name_of_a_heads_file_takes_no_head(
    work: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text('{"accuracy": 0.9}\n')

    result = work("train_head", STORE, "--split", "split.csv", "-o", "mine")

    assert result.exit_code == 2
    assert f"mine holds '{name}', but no head" in result.output
    assert (tmp_path / "mine" / name).read_text() == '{"accuracy": 0.9}\n'
    assert work("train_head", STORE, "--split", "split.csv", "-o", "mine", "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", ["comparison.json", "comparison.png", "runs.csv"])
def test_a_comparison_replaces_no_file_of_others(work: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / name).write_text("mine")

    result = work("compare_heads", STORE, "--folds", "2", "--seeds", "1", "--arch", "linear", "--mixup", "0")

    assert result.exit_code == 2
    assert f"comparison/{name} exists, and is not {name} of compare-heads as an earlier run" in result.output
    assert (tmp_path / "comparison" / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["dataset.json", "durations.png"])
def test_a_description_replaces_no_file_of_others(work: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).write_text("mine")

    result = work("describe_dataset", STORE, "-o", "d")

    assert result.exit_code == 2
    assert f"d/{name} exists, and is not a " in result.output
    assert hashes(tmp_path / "d") == {name: sha256(b"mine").hexdigest()}


WRITERS = {
    "split": ["split_videos", STORE, "-o"],
    "folds": ["split_videos", STORE, "--folds", "2", "-o"],
    "predict": ["predict_videos", HEAD, STORE, "-o"],
    "describe": ["describe_dataset", STORE, "-o"],
    "train": ["train_head", STORE, "--split", "split.csv", "-o"],
    "compare": ["compare_heads", STORE, "-o"],
    "export": ["export_head", HEAD, "-o"],
}


@pytest.mark.parametrize("command", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("output", ["", "/proc/x", "labels.csv/x.csv", "circle/x.csv", "n" * 300])
def test_a_place_that_takes_no_file_is_refused_before_anything_is_read(
    work: Run, tmp_path: Path, command: list[str], output: str
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    before = hashes(tmp_path)
    os.truncate(tmp_path / STORE, 0)  # whoever reads it first says something else
    shutil.rmtree(tmp_path / "head")

    result = work(*command, output)

    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Name the file" in result.output or "cannot be written" in result.output or "Name a folder" in result.output
    assert hashes(tmp_path) == {name: found for name, found in before.items() if not name.startswith("head/")} | {
        STORE: sha256(b"").hexdigest()
    }


@pytest.mark.parametrize("name", [".new-ideas", ".moved-7", ".new-99999999", ".finished"])
def test_a_hidden_folder_of_the_user_in_the_place_of_a_head_is_refused_and_kept(
    run: Callable[..., Result], toy_store: Path, tmp_path: Path, name: str
) -> None:
    notes = tmp_path / "head" / name / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    run("split_videos", toy_store)

    result = run("train_head", toy_store, "--split", "split.csv", "--epochs", 1)

    assert result.exit_code == 2
    assert "which is not part of a head" in " ".join(result.stderr.split())
    assert notes.read_text() == "mine"

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify.data.labels import LabelConfig, LabelTable, read_labels
from classify.data.split_files import Split, describe_split_file, read_split, summarise_split, write_split
from classify.data.splits import SplitConfig, split_table
from classify.errors import SplitError
from classify.report.texts import split_text
from embed import EmbeddingStore


@pytest.fixture
def table() -> LabelTable:
    """60 videos: 30 hug, 20 kick, 10 wave; 20 groups of 3."""
    labels = {f"{index:02d}.mp4": [("hug", "hug", "hug", "kick", "kick", "wave")[index % 6]] for index in range(60)}
    groups = {video_id: f"g{index // 3:02d}" for index, video_id in enumerate(labels)}
    return LabelTable.from_labels(labels, groups=groups)


def test_a_written_split_is_read_back(table: LabelTable, tmp_path: Path) -> None:
    split = split_table(table, SplitConfig())

    write_split(tmp_path / "split.csv", split, table)

    assert read_split(tmp_path / "split.csv", table) == split


def test_a_split_file_can_be_read_by_people(tmp_path: Path) -> None:
    table = LabelTable.from_labels({"a": ["x", "y"], "b": ["x"]}, groups={"a": "g1", "b": "g2"})

    write_split(tmp_path / "split.csv", Split(table.ids, ("train", "test"), table.groups), table)

    mark = "?rows=660375623291bc2e"
    said = f"id,part,labels,group,labels_from\na,train,x|y,g1,{mark}\nb,test,x,g2,{mark}\n"
    assert (tmp_path / "split.csv").read_text() == said


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a,train,", "a,validation,"),
        ("x|y", "x"),
        ("g2", "g3"),
        ("b,test", "c,test"),
        ("labels_from", "notes"),
        ("rows=66", "rows=67"),
        ("id,part,labels,group,labels_from", "id,part,labels,labels_from"),
        ("\nb,", "\nc,test,x,g1,?rows=660375623291bc2e\nb,"),
    ],
    ids=["part", "label", "group", "id", "column", "hash", "no column", "row"],
)
def test_an_edited_split_file_is_not_taken_for_a_written_one(tmp_path: Path, before: str, after: str) -> None:
    table = LabelTable.from_labels({"a": ["x", "y"], "b": ["x"]}, groups={"a": "g1", "b": "g2"})
    path = tmp_path / "split.csv"
    write_split(path, Split(table.ids, ("train", "test"), table.groups), table)
    assert describe_split_file(path) == "the split of 2 videos"

    path.write_text(path.read_text().replace(before, after, 1))

    assert describe_split_file(path) is None


@pytest.mark.parametrize("labels_from", ["", "?min_count=2", "l.csv?sha256=0f3a", "l.csv?sha256=0f3a&min_count=2"])
def test_a_split_file_that_another_program_saved_without_an_edit_is_still_a_written_one(
    tmp_path: Path, labels_from: str
) -> None:
    table = LabelTable.from_labels({'a "1", b.mp4': ["x"], "\udcff\n.mp4": ["x"]})
    path = tmp_path / "split.csv"
    split = Split(table.ids, ("train", "test"), labels_from=labels_from)
    write_split(path, split, table)
    with path.open(newline="", errors="surrogateescape") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="", errors="surrogateescape") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)

    assert describe_split_file(path) == "the split of 2 videos"
    assert read_split(path, table) == split


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,part\na,train\n", r"has no part for 1 video, e.g. 'b'.*split-videos --keep"),
        (
            "id,part\na,train\nb,test\nc,test\n",
            r"split.csv names 1 video without a label in the store, e.g. 'c'.*split-videos --keep",
        ),
        ("id,part,group\na,train,g\nb,test,g\n", r"group 'g' is in test and train.*split again"),
        ("id,part\na,train\nb,holdout\n", "has the part 'holdout'. Parts are: train, validation, test"),
        ("id,part\na,train\nb,test\na,test\n", "names 'a' twice. Keep one line for each video"),
        ("video,part\na,train\n", "has the columns video, part, but needs id and part. Make it with split-videos"),
        ("", r"has the columns \(none\)"),
    ],
    ids=["missing", "extra", "straddling", "part", "twice", "columns", "empty"],
)
def test_a_split_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    table = LabelTable.from_labels({"a": ["x"], "b": ["y"]})
    (tmp_path / "split.csv").write_text(text)

    with pytest.raises(SplitError, match=message):
        read_split(tmp_path / "split.csv", table)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A split of three videos, one of which shows two labels."""
    table = LabelTable.from_labels({"hug/a": ["x", "y"], "hug/b": ["y"], "kick/c": ["z"]})
    write_split(tmp_path / "split.csv", Split(table.ids, ("train", "train", "test")), table)
    return tmp_path / "split.csv"


def test_a_split_that_was_made_with_other_labels_is_refused(written: Path) -> None:
    folders = LabelTable.from_labels({"hug/a": ["hug"], "hug/b": ["hug"], "kick/c": ["kick"]})

    message = (
        r"split.csv has the labels 'x\|y' for 'hug/a', but they are now 'hug'. Use the same --labels, .* split-videos"
    )
    with pytest.raises(SplitError, match=message):
        read_split(written, folders)


def test_labels_that_were_edited_are_refused_and_kept_by_taking_the_column_out(written: Path) -> None:
    edited = LabelTable.from_labels({"hug/a": ["x", "y"], "hug/b": ["y", "z"], "kick/c": ["z"]})

    with pytest.raises(SplitError, match=r"'y' for 'hug/b', .* now 'y\|z'.* keeps the parts: split-videos --keep"):
        read_split(written, edited)

    written.write_text("id,part\nhug/a,train\nhug/b,train\nkick/c,test\n")
    assert read_split(written, edited).parts == ("train", "train", "test")


def test_labels_in_another_order_are_the_same(written: Path) -> None:
    labels = {"hug/a": ["x", "y"], "hug/b": ["y"], "kick/c": ["z"]}

    assert read_split(written, LabelTable.from_labels(labels, vocabulary=["z", "y", "old"])).parts[2] == "test"


def test_accents_of_labels_are_the_same_however_they_were_typed(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("id,part,labels\na,train,cafe\u0301\nb,test,bar\n", encoding="utf-8")
    table = LabelTable.from_labels({"a": ["caf\u00e9"], "b": ["bar"]})

    assert read_split(tmp_path / "split.csv", table).parts == ("train", "test")


def test_labels_that_a_minimum_count_drops_may_differ(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = EmbeddingStore(make_store({name: np.zeros((1, 16), dtype=np.float32) for name in "abcd"}))
    (tmp_path / "labels.csv").write_text("id,labels\na,x|rare\nb,x\nc,y\nd,y\n")
    every, frequent = (read_labels(store, LabelConfig(tmp_path / "labels.csv", min_count=least)) for least in (1, 2))
    split = Split(every.ids, ("train", "train", "train", "test"))

    write_split(tmp_path / "every.csv", split, every)
    write_split(tmp_path / "frequent.csv", split, frequent)

    assert frequent.dropped == {"rare"}
    assert read_split(tmp_path / "every.csv", frequent) == read_split(tmp_path / "frequent.csv", every) == split
    with pytest.raises(SplitError, match=r"has the labels 'rare\|x' for 'a', but they are now 'x'"):
        read_split(tmp_path / "every.csv", replace(frequent, dropped=frozenset()))


def test_a_split_file_that_is_absent_or_no_text_is_refused(table: LabelTable, tmp_path: Path) -> None:
    (tmp_path / "split.h5").write_bytes(b"\x89HDF\xff")

    with pytest.raises(SplitError, match=r"not a CSV file in UTF-8.*Make it with split-videos"):
        read_split(tmp_path / "split.h5", table)
    with pytest.raises(SplitError, match=r"absent.csv cannot be read: No such file.*Make it with split-videos"):
        read_split(tmp_path / "absent.csv", table)


def test_classes_that_a_part_lacks_are_noted() -> None:
    table = LabelTable.from_labels({"a": ["x"], "b": ["y"], "c": ["x"]})

    summary = summarise_split(Path("split.csv"), Split(table.ids, ("train", "test", "test")), table)

    assert summary.notes == ("Classes without a video in train: y. A head cannot learn them.",)


def test_of_very_many_classes_notes_and_text_show_the_first() -> None:
    table = LabelTable.from_labels({f"{index:04d}": [f"c{index:04d}"] for index in range(1000)})

    summary = summarise_split(Path("split.csv"), Split(table.ids, ("test", *("train",) * 999)), table)

    assert "in train: c0000. A" in summary.notes[0]
    assert "in test: c0001, c0002, " in summary.notes[1]
    assert "c0010 and 989 more. Test figures" in summary.notes[1]
    assert split_text(summary).splitlines()[-5].startswith("c0039 ")
    assert split_text(summary).splitlines()[-4] == "... and 960 more"

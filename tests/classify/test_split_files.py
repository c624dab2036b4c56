from pathlib import Path

import pytest

from classify.errors import SplitError
from classify.labels import LabelTable
from classify.split_files import Split, read_split, summarise_split, write_split
from classify.splits import SplitConfig, split_table


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

    assert (tmp_path / "split.csv").read_text() == "id,part,labels,group\na,train,x|y,g1\nb,test,x,g2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,part\na,train\n", r"has no part for 1 video, e.g. 'b'.*split again"),
        ("id,part\na,train\nb,test\nc,test\n", r"store or its labels lack, .* names, 1 video, e.g. 'c'.*split again"),
        ("id,part,group\na,train,g\nb,test,g\n", r"group 'g' lies in test and train.*split again"),
        ("id,part\na,train\nb,holdout\n", "has the part 'holdout'. Parts are: train, validation, test"),
        ("id,part\na,train\nb,test\na,test\n", "names 'a' twice. Keep one line a video"),
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

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.errors import SplitError
from classify.labels import LabelTable
from classify.splits import (
    Split,
    SplitConfig,
    fold_videos,
    read_split,
    split_table,
    split_videos,
    summarise_split,
    write_split,
)


@pytest.fixture
def table() -> LabelTable:
    """60 videos: 30 hug, 20 kick, 10 wave; 20 groups of 3."""
    labels = {f"{index:02d}.mp4": [("hug", "hug", "hug", "kick", "kick", "wave")[index % 6]] for index in range(60)}
    groups = {video_id: f"g{index // 3:02d}" for index, video_id in enumerate(labels)}
    return LabelTable.from_labels(labels, groups=groups)


@pytest.fixture
def ungrouped(table: LabelTable) -> LabelTable:
    return LabelTable(table.ids, table.names, table.targets)


def test_each_part_has_its_size_and_the_classes_in_proportion(ungrouped: LabelTable) -> None:
    split = split_table(ungrouped, SplitConfig(test_size=0.2, validation_size=0.1))

    counts = {part: ungrouped.targets[split.indices(part)].sum(axis=0).tolist() for part in set(split.parts)}
    assert counts == {"train": [21, 14, 7], "validation": [3, 2, 1], "test": [6, 4, 2]}


def test_a_split_of_173_in_1726_videos_is_that_of_a_tenth() -> None:
    table = LabelTable.from_labels({f"{index:04d}": [f"c{index % 4}"] for index in range(1726)})

    split = split_table(table, SplitConfig(test_size=0.1, validation_size=0))

    assert Counter(split.parts) == {"train": 1553, "test": 173}


def test_groups_stay_whole(table: LabelTable) -> None:
    split = split_table(table, SplitConfig(test_size=0.2, validation_size=0.1))

    groups_of = {part: {table.groups[row] for row in split.indices(part)} for part in set(split.parts)}  # type: ignore[index]
    assert sum(map(len, groups_of.values())) == 20
    assert Counter(split.parts) == {"train": 42, "validation": 6, "test": 12}


def test_the_same_seed_gives_the_same_split_and_another_seed_another(table: LabelTable) -> None:
    first, again, other = (split_table(table, SplitConfig(seed=seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_validation_may_be_empty(ungrouped: LabelTable) -> None:
    split = split_table(ungrouped, SplitConfig(validation_size=0))

    assert len(split.indices("validation")) == 0


def test_folds_test_every_video_once_and_keep_groups_whole(table: LabelTable) -> None:
    folds = fold_videos(table, 5, seed=0)

    assert Counter(folds.tolist()) == dict.fromkeys(range(5), 12)
    assert len({(group, fold) for group, fold in zip(table.groups or (), folds.tolist(), strict=True)}) == 20


def test_folds_are_stratified(ungrouped: LabelTable) -> None:
    folds = fold_videos(ungrouped, 5, seed=0)

    assert {tuple(ungrouped.targets[folds == fold].sum(axis=0).tolist()) for fold in range(5)} == {(6, 4, 2)}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0.0, 0.1), r"Part sizes are 0.0 \(test\) and 0.1 \(validation\).*only validation may be 0"),
        ((1.0, 0.0), "Give shares of the videos, such as 0.1"),
        ((0.1, -0.1), "Give shares of the videos, such as 0.1"),
        ((float("nan"), 0.1), "Give shares of the videos, such as 0.1"),
        ((0.5, 0.5), "leave nothing to train on.*sum to less than 1"),
    ],
    ids=["no-test", "all-test", "negative", "nan", "no-train"],
)
def test_sizes_that_make_no_sense_are_refused(sizes: tuple[float, float], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        SplitConfig(*sizes)


def test_too_few_groups_for_the_parts_are_refused() -> None:
    labels = {f"{index}": ["x"] for index in range(10)}
    table = LabelTable.from_labels(labels, groups={video_id: str(int(video_id) % 2) for video_id in labels})

    with pytest.raises(SplitError, match=r"2 labelled groups for 3 parts. Add groups, or ask for fewer parts"):
        split_table(table, SplitConfig())


def test_too_few_videos_to_train_on_are_refused() -> None:
    table = LabelTable.from_labels({"a": ["x"], "b": ["x"], "c": ["y"]})

    with pytest.raises(SplitError, match=r"3 videos leave none to train on.*Ask for smaller parts"):
        split_table(table, SplitConfig(test_size=0.6, validation_size=0.3))


@pytest.mark.parametrize(
    ("folds", "message"),
    [(1, "1 folds were asked for. Give 2 or more"), (21, "20 labelled groups for 21 parts. Add groups")],
)
def test_fold_counts_that_cannot_be_are_refused(table: LabelTable, folds: int, message: str) -> None:
    with pytest.raises(SplitError, match=message):
        fold_videos(table, folds)


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


def test_split_videos_splits_a_store_by_its_folders(toy_store: Path, tmp_path: Path) -> None:
    summary = split_videos(toy_store, tmp_path / "new" / "split.csv")

    assert summary.video_counts == {"train": 48, "validation": 6, "test": 6}
    assert summary.class_counts["test"] == (2, 2, 2)
    assert (tmp_path / "new" / "split.csv").read_text().count("\n") == 61


def test_split_videos_keeps_the_groups_of_the_label_file(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store({f"{index:02d}": np.zeros((1, 16)) for index in range(40)})
    rows = "".join(f"{index:02d},{'xy'[index % 2]},g{index // 4}\n" for index in range(40))
    (tmp_path / "labels.csv").write_text(f"id,label,group\n{rows}")

    summary = split_videos(
        store, tmp_path / "split.csv", labels=tmp_path / "labels.csv", config=SplitConfig(group_by="group")
    )

    assert summary.group_counts == {"train": 8, "validation": 1, "test": 1}
    assert summary.class_counts == {"train": (16, 16), "validation": (2, 2), "test": (2, 2)}

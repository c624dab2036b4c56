from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify.data.labels import LabelTable, read_labels
from classify.data.split_files import read_split
from classify.data.splits import SplitConfig, fold_videos, split_folds, split_table, split_videos
from classify.errors import SplitError
from embed import EmbeddingStore


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


def test_videos_without_a_label_are_shared_out_as_those_of_a_class(ungrouped: LabelTable) -> None:
    targets = ungrouped.targets.copy()
    targets[targets[:, 2]] = False  # the ten of wave

    split = split_table(LabelTable(ungrouped.ids, ungrouped.names, targets), SplitConfig(0.2, 0.1))

    counts = {part: int((~targets[split.indices(part)]).all(axis=1).sum()) for part in set(split.parts)}
    assert counts == {"train": 7, "validation": 1, "test": 2}


def test_a_split_of_173_in_1726_videos_is_that_of_a_tenth() -> None:
    table = LabelTable.from_labels({f"{index:04d}": [f"c{index % 4}"] for index in range(1726)})

    split = split_table(table, SplitConfig(test_size=0.1, validation_size=0))

    assert Counter(split.parts) == {"train": 1553, "test": 173}


def test_groups_stay_whole(table: LabelTable) -> None:
    split = split_table(table, SplitConfig(test_size=0.2, validation_size=0.1))

    groups_of = {part: {table.groups[row] for row in split.indices(part)} for part in set(split.parts)}  # type: ignore[index]
    assert sum(map(len, groups_of.values())) == 20
    assert Counter(split.parts) == {"train": 42, "validation": 6, "test": 12}


@pytest.mark.parametrize("size", [127, 128, 129, 32_768])
def test_a_group_may_have_any_number_of_videos_of_one_label(size: int) -> None:
    ids = [f"{index:05d}" for index in range(size + 20)]
    groups = {video_id: "large" if index < size else video_id for index, video_id in enumerate(ids)}
    table = LabelTable.from_labels({video_id: ["hug"] for video_id in ids}, groups=groups)

    split = split_table(table, SplitConfig(10 / len(ids), 5 / len(ids)))

    assert Counter(split.parts) == {"train": size + 5, "validation": 5, "test": 10}


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
        ((0.0, 0.1), r"Part sizes are 0.0 \(test\) and 0.1 \(validation\).*only validation can be 0"),
        ((1.0, 0.0), "Use shares of the videos, such as 0.1"),
        ((0.1, -0.1), "Use shares of the videos, such as 0.1"),
        ((float("nan"), 0.1), "Use shares of the videos, such as 0.1"),
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

    with pytest.raises(SplitError, match=r"2 labelled groups cannot fill 3 parts. Add groups, or use fewer parts"):
        split_table(table, SplitConfig())


def test_too_few_videos_to_train_on_are_refused() -> None:
    table = LabelTable.from_labels({"a": ["x"], "b": ["x"], "c": ["y"]})

    with pytest.raises(
        SplitError, match=r"3 videos: with 2 to test and 1 to validate, none is left to train on.*parts smaller"
    ):
        split_table(table, SplitConfig(test_size=0.6, validation_size=0.3))


@pytest.mark.parametrize(
    ("folds", "message"),
    [(1, "folds is 1. Use 2 or more"), (21, "20 labelled groups cannot fill 21 parts. Add groups")],
)
def test_fold_counts_that_cannot_be_are_refused(table: LabelTable, folds: int, message: str) -> None:
    with pytest.raises(SplitError, match=message):
        fold_videos(table, folds)


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


def test_folds_are_split_files_that_test_every_video_once_and_keep_groups_whole(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    store = make_store({f"{index:02d}": np.zeros((1, 16)) for index in range(60)})
    rows = "".join(f"{index:02d},{'xy'[index % 2]},g{index // 3}\n" for index in range(60))
    (tmp_path / "labels.csv").write_text(f"id,label,group\n{rows}")
    config = SplitConfig(group_by="group", validation_size=0.1)

    found = split_folds(store, tmp_path / "split.csv", 5, labels=tmp_path / "labels.csv", config=config)

    assert [summary.path.name for summary in found] == [f"split-{fold}.csv" for fold in range(1, 6)]
    assert {tuple(summary.video_counts.values()) for summary in found} == {(42, 6, 12)}
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, tmp_path / "labels.csv", group_by="group")
    tested = [video_id for s in found for video_id, part in _parts(s.path, table).items() if part == "test"]
    assert sorted(tested) == list(table.ids)


def _parts(path: Path, table: LabelTable) -> dict[str, str]:
    """Read a split file, which refuses groups in two parts."""
    split = read_split(path, table)
    return dict(zip(split.ids, split.parts, strict=True))


def _videos_in(folders: dict[str, int]) -> dict[str, np.ndarray]:
    return {
        f"{folder}/{index:02d}.mp4": np.zeros((1, 16)) for folder, count in folders.items() for index in range(count)
    }


def test_folders_named_train_val_and_test_are_the_parts(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store(_videos_in({"train/x": 5, "train/y": 4, "val/x": 2, "val/y": 2, "test/x": 1, "test/y": 3}))

    summary = split_videos(store, tmp_path / "split.csv", config=SplitConfig(by_folder=True))

    assert summary.names == ("x", "y")
    assert summary.class_counts == {"train": (5, 4), "validation": (2, 2), "test": (1, 3)}
    assert summary.notes == ()


@pytest.mark.parametrize(("validation_size", "counts"), [(0, (20, 20)), (0.1, (18, 17))])
def test_without_a_test_folder_val_tests_and_validation_comes_from_train(
    make_store: Callable[..., Path], tmp_path: Path, validation_size: float, counts: tuple[int, int]
) -> None:
    store = make_store(_videos_in({"coin/train/x": 20, "coin/train/y": 20, "coin/val/x": 6, "coin/val/y": 6}))
    config = SplitConfig(by_folder=True, validation_size=validation_size)

    summary = split_videos(store, tmp_path / "split.csv", config=config)

    assert sorted(summary.class_counts["train"]) == sorted(counts)
    assert summary.class_counts["test"] == (6, 6)
    assert "so the validation folder is the test part: choose nothing by its figures" in summary.notes[0]


@pytest.mark.parametrize(
    ("folders", "example"),
    [({"x": 3, "y": 3}, "x/00.mp4"), ({"train/x": 3, "train/y": 3}, "train/x/00.mp4"), ({"val/x": 2, "z": 1}, "z/00")],
    ids=["none", "train-only", "one-outside"],
)
def test_folders_that_name_no_parts_are_refused(
    make_store: Callable[..., Path], tmp_path: Path, folders: dict[str, int], example: str
) -> None:
    with pytest.raises(SplitError, match=rf"ids do not name the parts of the videos, e.g. '{example}.*Embed a folder"):
        split_videos(make_store(_videos_in(folders)), tmp_path / "split.csv", config=SplitConfig(by_folder=True))


def test_copies_in_two_folders_are_named_with_what_to_do(make_store: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = ["train/x/a", "train/x/b", "train/y/c", "val/x/d", "val/y/e"]
    videos = {video_id: rng.standard_normal((8, 16)) for video_id in ids}
    store = make_store(videos | {"val/x/copy-of-b": videos["train/x/b"] * 1.01})

    message = r"'train/x/b' and 'val/x/copy-of-b' belong together.* Move one .* or delete it.* raise --similarity"
    with pytest.raises(SplitError, match=message):
        split_videos(store, tmp_path / "split.csv", config=SplitConfig(by_folder=True, near_duplicates=0.93))


def test_a_group_in_two_folders_is_named_with_what_to_do(make_store: Callable[..., Path], tmp_path: Path) -> None:
    ids = ["train/a", "train/b", "val/c", "val/d"]
    store = make_store({video_id: np.zeros((1, 16)) for video_id in ids})
    rows = [f"{video_id},{label},{group}" for video_id, label, group in zip(ids, "xyxy", "1223", strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,scene", *rows]))
    config = SplitConfig(by_folder=True, group_by="scene")

    with pytest.raises(
        SplitError, match=r"separate groups: 'train/b' and 'val/c' .* Move one .* again with embed-videos --prune\.$"
    ):
        split_videos(store, tmp_path / "split.csv", labels=tmp_path / "labels.csv", config=config)


def test_folds_by_folder_are_refused(toy_store: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="Folders name one split, not folds"):
        split_folds(toy_store, tmp_path / "split.csv", 5, config=SplitConfig(by_folder=True))

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from classify.data.kept_splits import extend_split
from classify.data.labels import LabelTable
from classify.data.splits import SplitConfig, fold_table, make_split, split_table

SEEDS = range(5)
ONCE = ("rare 0", "rare 1", "rare 2")


def table_of(labels: dict[str, list[str]], groups: dict[str, str] | None = None) -> LabelTable:
    return LabelTable.from_labels(labels, groups=groups)


def parts_of(split: object, label: str, table: LabelTable) -> set[str]:
    rows = np.flatnonzero(table.targets[:, table.names.index(label)])
    return {split.parts[row] for row in rows}  # type: ignore[attr-defined]


def single(prefix: str = "") -> dict[str, list[str]]:
    """Forty videos of two labels, and three labels of one video each."""
    common = {f"{prefix}{index:02d}": ["hug" if index % 2 else "kick"] for index in range(40)}
    return common | {f"{prefix}rare {index}": [name] for index, name in enumerate(ONCE)}


def several() -> dict[str, list[str]]:
    """The same, each rare label beside a common one."""
    return {video_id: [*names, "hug"] if names[0] in ONCE else names for video_id, names in single().items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("labels", [single(), several()], ids=["one-label", "several-labels"])
def test_the_only_video_of_a_label_trains(labels: dict[str, list[str]], seed: int) -> None:
    table = table_of(labels)

    split = split_table(table, SplitConfig(0.5, 0.3, seed=seed))

    assert [parts_of(split, name, table) for name in ONCE] == [{"train"}] * 3
    assert [len(split.indices(part)) for part in ("train", "validation", "test")] == [8, 13, 22]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_only_group_of_a_label_trains(seed: int) -> None:
    labels = single() | {"rare again": ["rare 0"]}
    groups = {video_id: f"g{index // 3}" for index, video_id in enumerate(sorted(labels))}
    table = table_of(labels, groups | {"rare again": "g", "rare 0": "g"})

    split = split_table(table, SplitConfig(0.4, 0.3, seed=seed))

    assert [parts_of(split, name, table) for name in ONCE] == [{"train"}] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_only_training_video_of_a_label_is_not_drawn_for_validation(seed: int) -> None:
    labels = single("train/") | {f"test/{index}": ["hug", "rare 0"] for index in range(5)}
    table, config = table_of(labels), SplitConfig(validation_size=0.6, by_folder=True, seed=seed)

    split, _ = make_split(table, config)

    assert [parts_of(split, name, table) for name in ONCE] == [{"train", "test"}, {"train"}, {"train"}]


@pytest.mark.parametrize("seed", SEEDS)
def test_in_folds_the_only_video_of_a_label_tests_once_and_never_validates(seed: int) -> None:
    table = table_of(single())

    splits = fold_table(table, 4, SplitConfig(validation_size=0.6, seed=seed))

    assert sorted(part for split in splits for part in parts_of(split, "rare 1", table)) == ["test", *["train"] * 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_new_label_that_one_new_video_has_trains_in_a_kept_split(seed: int) -> None:
    old = table_of({video_id: names for video_id, names in single().items() if names[0] not in ONCE})
    kept = split_table(old, SplitConfig(0.1, 0.1))
    table = table_of(single())

    split, _ = extend_split(table, [""] * 43, kept, name="split.csv", shares=(0.4, 0.3, 0.3), seed=seed)

    assert {part for name in ONCE for part in parts_of(split, name, table)} == {"train"}


def test_no_part_stays_empty_where_every_video_is_the_only_one_of_its_label() -> None:
    table = table_of({name: [name] for name in "abcdef"})

    split = split_table(table, SplitConfig(0.1, 0.1))

    assert [len(split.indices(part)) for part in ("train", "validation", "test")] == [4, 1, 1]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=6, max_size=30),
    st.integers(0, 99),
)
def test_a_label_of_one_video_never_tests_while_train_holds_others(labels: list[set[str]], seed: int) -> None:
    table = table_of({f"{index:02d}": sorted(names) for index, names in enumerate(labels)})

    split = split_table(table, SplitConfig(0.5, 0.2, seed=seed))

    counts, rows = table.targets.sum(axis=0), np.arange(len(table.ids))
    only = rows[table.targets[:, counts == 1].any(axis=1)]
    train = split.indices("train")
    assert set(only.tolist()) <= set(train.tolist()) or set(train.tolist()) <= set(only.tolist())

from collections import Counter
from collections.abc import Iterable
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings, strategies as st

from classify.data.kept_splits import extend_split
from classify.data.labels import LabelTable
from classify.data.split_files import Split
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

    split, _ = extend_split(
        table, [""] * 43, kept, name="split.csv", shares=(0.4, 0.3, 0.3), seed=seed, is_grouped=True
    )

    assert {part for name in ONCE for part in parts_of(split, name, table)} == {"train"}


def test_no_part_stays_empty_where_every_video_is_the_only_one_of_its_label() -> None:
    table = table_of({name: [name] for name in "abcdef"})

    split = split_table(table, SplitConfig(0.1, 0.1))

    assert [len(split.indices(part)) for part in ("train", "validation", "test")] == [4, 1, 1]


SETS = st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=4, max_size=12)
SINGLE = st.lists(st.sampled_from("abcdefgh").map(lambda name: {name}), min_size=4, max_size=12)
SIZES = st.sampled_from([(0.1, 0.1), (0.5, 0.3), (0.25, 0.0), (0.6, 0.2), (0.8, 0.0)])


def drawn_table(labels: list[set[str]], group_of: list[int] | None = None) -> LabelTable:
    """Return a table of videos 00, 01, ... and, if there are numbers of groups, these groups."""
    ids = [f"{index:02d}" for index in range(len(labels))]
    groups = None if group_of is None else {video_id: str(place) for video_id, place in zip(ids, group_of, strict=True)}
    return table_of({video_id: sorted(names) for video_id, names in zip(ids, labels, strict=True)}, groups)


def labels_in(table: LabelTable, rows: Iterable[int]) -> set[str]:
    return {name for row in rows for name in table.labels_of(row).split("|")}


def units_of(table: LabelTable) -> list[list[int]]:
    """Return the rows of each group or, without groups, of each video."""
    names = table.groups or table.ids
    return [[row for row, other in enumerate(names) if other == name] for name in dict.fromkeys(names)]


def can_train_all(table: LabelTable, left_out: int) -> bool:
    """Return True if some units can validate and test while all labels train, tried one choice after another."""
    units = units_of(table)
    return any(
        labels_in(table, (row for unit in units if unit not in chosen for row in unit)) == set(table.names)
        for chosen in combinations(units, left_out)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_label_of_two_videos_never_loses_both_to_validation_and_test(seed: int) -> None:
    labels = {f"{index:02d}": ["hug"] for index in range(12)}
    pairs = {f"pair {index} {side}": [f"rare {index}", "hug"] for index in range(6) for side in "ab"}
    table = table_of(labels | pairs)

    split = split_table(table, SplitConfig(0.4, 0.3, seed=seed))

    assert labels_in(table, split.indices("train")) == set(table.names)
    assert [len(split.indices(part)) for part in ("train", "validation", "test")] == [7, 7, 10]


def test_train_grows_where_it_has_fewer_videos_than_there_are_labels_and_a_note_says_so() -> None:
    table = table_of({f"{name}{index}": [name] for name in "abcdefgh" for index in range(2)})

    split, notes = make_split(table, SplitConfig(0.5, 0.25))

    assert labels_in(table, split.indices("train")) == set("abcdefgh")
    assert len(split.indices("train")) == 8
    assert notes == ("Train has 8 videos instead of 4, since every label should have one there.",)


@settings(deadline=None, max_examples=200, derandomize=True)
@example([{"a"}, {"a"}, {"b"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}], (0.5, 0.3), 0)
@given(SINGLE | SETS, SIZES, st.integers(0, 99))
def test_every_label_trains_if_any_split_could_train_it(
    labels: list[set[str]], sizes: tuple[float, float], seed: int
) -> None:
    table = drawn_table(labels)
    config = SplitConfig(*sizes, seed=seed)
    assume(sum(max(1, round(size * len(labels))) for size in sizes if size) < len(labels))

    split = split_table(table, config)

    others = 2 if sizes[1] else 1
    assert len(set(split.parts)) == 1 + others
    assert not can_train_all(table, others) or labels_in(table, split.indices("train")) == set(table.names)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.data(), SETS, SIZES, st.integers(0, 99))
def test_every_label_trains_if_any_split_of_the_groups_could_train_it(
    data: st.DataObject, labels: list[set[str]], sizes: tuple[float, float], seed: int
) -> None:
    group_of = data.draw(st.lists(st.integers(0, 5), min_size=len(labels), max_size=len(labels)))
    table, others = drawn_table(labels, group_of), 2 if sizes[1] else 1
    assume(len(set(group_of)) > others)
    assume(sum(max(1, round(size * len(labels))) for size in sizes if size) < len(labels))

    split = split_table(table, SplitConfig(*sizes, seed=seed))

    assert not can_train_all(table, others) or labels_in(table, split.indices("train")) == set(table.names)


@settings(deadline=None, max_examples=100)
@given(SINGLE, st.integers(2, 4), st.integers(0, 99))
def test_in_folds_a_label_of_several_videos_trains_every_head(labels: list[set[str]], folds: int, seed: int) -> None:
    table = drawn_table(labels)
    several = {name for name, count in zip(table.names, table.targets.sum(axis=0), strict=True) if count > 1}

    splits = fold_table(table, folds, SplitConfig(validation_size=0, seed=seed))

    assert all(several <= labels_in(table, split.indices("train")) for split in splits)


def can_fold(table: LabelTable, folds: int) -> bool:
    """Return True if units can go into folds, none empty, so that no label of several units is in one fold alone."""
    units = [labels_in(table, unit) for unit in units_of(table)]
    counts = Counter(name for names in units for name in names)
    several = [name for name, count in counts.items() if count > 1]
    return any(
        len(set(places)) == folds
        and all(
            len({place for place, names in zip(places, units, strict=True) if name in names}) > 1 for name in several
        )
        for places in product(range(folds), repeat=len(units))
    )


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.data(), st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=4, max_size=7))
def test_in_folds_a_label_of_several_groups_trains_every_head_where_that_can_be(
    data: st.DataObject, labels: list[set[str]]
) -> None:
    group_of = data.draw(st.lists(st.integers(0, 5), min_size=len(labels), max_size=len(labels)))
    folds = data.draw(st.integers(2, 3))
    assume(len(set(group_of)) >= folds)
    table = drawn_table(labels, group_of)
    units = [labels_in(table, unit) for unit in units_of(table)]
    several = {name for name in table.names if sum(name in names for names in units) > 1}

    splits = fold_table(table, folds, SplitConfig(validation_size=0))

    assert not can_fold(table, folds) or all(several <= labels_in(table, s.indices("train")) for s in splits)


@settings(deadline=None, max_examples=100)
@given(SINGLE, st.integers(0, 99))
def test_in_folds_validation_takes_no_label_from_train(labels: list[set[str]], seed: int) -> None:
    table = drawn_table(labels)

    splits = fold_table(table, 2, SplitConfig(validation_size=0.2, seed=seed))

    for split in splits:
        rest = [row for row, part in enumerate(split.parts) if part != "test"]
        kept = labels_in(table, rest)
        assert len(kept) == len(rest) or labels_in(table, split.indices("train")) == kept


@settings(deadline=None, max_examples=100)
@given(SETS, st.integers(1, 8), SIZES, st.integers(0, 99))
def test_a_new_label_trains_in_a_kept_split(
    labels: list[set[str]], new: int, sizes: tuple[float, float], seed: int
) -> None:
    table = drawn_table(labels)
    kept_parts = [("train", "validation", "test")[row % 3] for row in range(max(1, len(labels) - new))]
    kept = Split(table.ids[: len(kept_parts)], tuple(kept_parts))
    shares = (1 - sum(sizes), sizes[1], sizes[0])

    split, _ = extend_split(
        table, [""] * len(labels), kept, name="split.csv", shares=shares, seed=seed, is_grouped=True
    )

    placed = labels_in(table, range(len(kept_parts), len(labels)))
    assert split.parts[: len(kept_parts)] == kept.parts
    assert placed <= labels_in(table, split.indices("train"))

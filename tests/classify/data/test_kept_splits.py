from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from classify.data.kept_splits import extend_split
from classify.data.labels import LabelTable
from classify.data.split_files import Split, load_split
from classify.data.splits import SplitConfig, split_folds, split_table, split_videos
from classify.errors import SplitError
from embed.store import Provenance, StoreWriter, VideoRecord
from tests.classify.conftest import DIMENSION


def table_of(labels: Mapping[str, str], groups: Mapping[str, str] | None = None) -> LabelTable:
    return LabelTable.from_labels({video_id: [label] for video_id, label in labels.items()}, groups=groups)


def extend(
    table: LabelTable, kept: Split, *, shares: tuple[float, float, float] = (0.8, 0.1, 0.1), hashes: Sequence[str] = ()
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return id -> part of the extended split, and its notes."""
    hashes = hashes or [""] * len(table.ids)
    is_grouped = table.groups is not None
    found, notes = extend_split(table, hashes, kept, name="split.csv", shares=shares, seed=0, is_grouped=is_grouped)
    return dict(zip(found.ids, found.parts, strict=True)), notes


def write_store(path: Path, provenance: Provenance, hashes: Mapping[str, str]) -> Path:
    """Write a store of id -> content hash."""
    with StoreWriter(path, provenance) as writer:
        for video_id, content_hash in hashes.items():
            record = VideoRecord(video_id, content_hash=content_hash)
            writer.append(record, np.ones((2, DIMENSION), dtype=np.float32), np.arange(2))
    return path


MONTH = {f"{name}/{number:02d}.mp4": name for name in ("hug", "kick") for number in range(20)}
NEXT = {f"{name}/{number:02d}.mp4": name for name in ("hug", "kick") for number in range(40)}


def test_every_video_keeps_its_part_and_the_new_ones_fill_the_shares() -> None:
    kept = split_table(table_of(MONTH), SplitConfig(0.1, 0.1))

    parts, _ = extend(table_of(NEXT), kept)

    assert {video_id: parts[video_id] for video_id in MONTH} == dict(zip(kept.ids, kept.parts, strict=True))
    assert Counter(parts.values()) == {"train": 64, "validation": 8, "test": 8}


def test_new_videos_go_where_videos_of_their_label_are_missing() -> None:
    kept = Split(tuple(MONTH), tuple("test" if label == "hug" else "train" for label in MONTH.values()))

    parts, _ = extend(table_of(NEXT), kept, shares=(0.5, 0, 0.5))

    placed = Counter((label, parts[video_id]) for video_id, label in NEXT.items() if video_id not in MONTH)
    assert placed == {("hug", "train"): 20, ("kick", "test"): 20}


def test_a_full_part_gets_no_new_video() -> None:
    kept = Split(tuple(MONTH), ("test",) * 20 + ("train",) * 20)

    parts, _ = extend(table_of({**MONTH, "hug/90.mp4": "hug", "kick/90.mp4": "kick"}), kept)

    assert {parts["hug/90.mp4"], parts["kick/90.mp4"]} <= {"train", "validation"}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_moved_video_is_known_by_its_content(part: str) -> None:
    kept = Split(("hug/a.mp4", "kick/b.mp4"), (part, "train"), content_hashes=("aaa", "bbb"))
    table = table_of({"kick/a.mp4": "kick", "kick/b.mp4": "kick"})

    parts, notes = extend(table, kept, hashes=["aaa", "bbb"])

    assert parts == {"kick/a.mp4": part, "kick/b.mp4": "train"}
    assert "1 video known by content under a new id, e.g. 'kick/a.mp4'." in notes
    assert "Left out" not in "".join(notes)


def test_a_video_that_took_the_name_of_another_keeps_its_own_part() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("test", "train"), content_hashes=("aaa", "bbb"))

    parts, notes = extend(table_of({"b.mp4": "hug"}), kept, hashes=["aaa"])
    swapped, told = extend(table_of({"a.mp4": "hug", "b.mp4": "hug"}), kept, hashes=["bbb", "aaa"])

    assert parts == {"b.mp4": "test"}
    assert swapped == {"a.mp4": "train", "b.mp4": "test"}
    assert "1 video known by content under a new id, e.g. 'b.mp4'." in notes
    assert "2 videos known by content under a new id, e.g. 'a.mp4'." in told


def test_a_file_that_was_replaced_keeps_the_part_of_its_name() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("test", "train"), content_hashes=("aaa", "bbb"))

    parts, _ = extend(table_of({"a.mp4": "hug", "b.mp4": "hug"}), kept, hashes=["new", "bbb"])

    assert parts == {"a.mp4": "test", "b.mp4": "train"}


def test_of_two_copies_the_one_that_was_moved_decides() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("train", "test"), content_hashes=("same", "same"))

    parts, _ = extend(table_of({"a.mp4": "hug", "c.mp4": "kick"}), kept, hashes=["same", "same"])

    assert parts == {"a.mp4": "train", "c.mp4": "test"}


def test_unknown_content_makes_no_two_videos_one() -> None:
    kept = Split(("a.mp4",), ("test",), content_hashes=("",))

    parts, notes = extend(table_of({"b.mp4": "hug", "c.mp4": "kick"}), kept, shares=(1, 0, 0))

    assert set(parts.values()) == {"train"}
    assert notes[0] == "0 videos kept the parts of split.csv; 2 new: 2 in train, 0 in validation, 0 in test."


def test_a_new_video_of_a_known_group_goes_where_the_group_is_even_if_its_videos_are_gone() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("test", "train"), ("trip 1", "trip 2"))
    groups = {"b.mp4": "trip 2", "c.mp4": "trip 1", "d.mp4": "trip 2"}

    parts, notes = extend(table_of(dict.fromkeys(groups, "hug"), groups), kept)

    assert parts == {"b.mp4": "train", "c.mp4": "test", "d.mp4": "train"}
    assert notes[-2].endswith("now: 1 id of split.csv.")


def test_a_new_group_stays_whole() -> None:
    kept = split_table(table_of(MONTH, groups={video_id: video_id for video_id in MONTH}), SplitConfig(0.2, 0.2))
    groups = {video_id: video_id if video_id in MONTH else f"trip {int(video_id[-6:-4]) // 5}" for video_id in NEXT}

    parts, _ = extend(table_of(NEXT, groups), kept)

    places = {groups[video_id]: set() for video_id in NEXT}
    for video_id, part in parts.items():
        places[groups[video_id]].add(part)
    assert {len(found) for found in places.values()} == {1}


def test_videos_of_two_parts_that_became_one_group_are_refused_with_both_named() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("test", "train"))
    table = table_of({"a.mp4": "hug", "b.mp4": "hug"}, {"a.mp4": "trip", "b.mp4": "trip"})

    with pytest.raises(SplitError, match=r"'a.mp4' \(test\) and 'b.mp4' \(train\) have different parts in split.csv"):
        extend(table, kept)


def test_a_grouped_split_is_not_extended_without_groups() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("test", "train"), ("1", "2"))

    with pytest.raises(SplitError, match=r"keeps groups whole\. Use --group-by"):
        extend(table_of({"a.mp4": "hug", "b.mp4": "hug"}), kept)


def test_a_corrected_label_changes_no_part(tmp_path: Path, provenance: Provenance) -> None:
    store = write_store(tmp_path / "s.h5", provenance, {video_id: video_id for video_id in MONTH})
    first = split_videos(store, tmp_path / "split.csv")
    hashes = {video_id.replace("hug/07", "kick/77"): video_id for video_id in NEXT}
    later = write_store(tmp_path / "later.h5", provenance, hashes)

    split_videos(later, tmp_path / "split.csv", config=SplitConfig(keep=tmp_path / "split.csv"))

    before = {video_id: part for video_id, part in part_of(tmp_path / "split.csv").items() if hashes[video_id] in MONTH}
    assert Counter(before.values()) == first.video_counts


def part_of(path: Path) -> dict[str, str]:
    split, _ = load_split(path)
    return dict(zip(split.ids, split.parts, strict=True))


def test_folds_and_folders_keep_nothing(tmp_path: Path, provenance: Provenance) -> None:
    store = write_store(tmp_path / "s.h5", provenance, dict.fromkeys(MONTH, ""))

    with pytest.raises(SplitError, match="Use --keep or --folds"):
        split_folds(store, tmp_path / "split.csv", 4, config=SplitConfig(keep="split.csv", group_by="trip"))
    with pytest.raises(SplitError, match="Use --by-folder or --keep"):
        SplitConfig(by_folder=True, keep="split.csv")


def test_a_store_named_as_the_split_to_keep_is_told(tmp_path: Path, provenance: Provenance) -> None:
    store = write_store(tmp_path / "s.h5", provenance, dict.fromkeys(MONTH, ""))

    with pytest.raises(SplitError, match=r"s.h5 is not a CSV file in UTF-8\. Make it with split-videos\.$"):
        split_videos(store, tmp_path / "split.csv", config=SplitConfig(keep=store))


def test_the_labels_are_those_of_the_split_that_is_kept(tmp_path: Path, provenance: Provenance) -> None:
    store = write_store(tmp_path / "s.h5", provenance, dict.fromkeys(MONTH, ""))
    rows = [f"{video_id},{'ab'[number % 2]}\n" for number, video_id in enumerate(MONTH)]
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(rows))
    split_videos(store, tmp_path / "old.csv", labels=tmp_path / "labels.csv")

    found = split_videos(store, tmp_path / "new.csv", config=SplitConfig(keep=tmp_path / "old.csv"))

    assert found.names == ("a", "b")
    assert "labels.csv?sha256=" in load_split(tmp_path / "new.csv")[0].labels_from


def test_a_split_that_had_only_copies_for_groups_is_extended_without_them(
    tmp_path: Path, provenance: Provenance
) -> None:
    hashes = {video_id: f"{number:04x}" for number, video_id in enumerate(MONTH)}
    store = write_store(tmp_path / "s.h5", provenance, {**hashes, "hug/copy.mp4": "0000"})
    split_videos(store, tmp_path / "split.csv")
    before = load_split(tmp_path / "split.csv")[0]
    assert before.groups is not None
    store = write_store(tmp_path / "without.h5", provenance, hashes)  # the copy was deleted, as the note says

    split_videos(store, tmp_path / "next.csv", config=SplitConfig(keep=tmp_path / "split.csv"))

    after, parts = load_split(tmp_path / "next.csv")[0], dict(zip(before.ids, before.parts, strict=True))
    assert all(parts[video_id] == part for video_id, part in zip(after.ids, after.parts, strict=True))


def test_groups_that_were_asked_for_are_asked_for_again() -> None:
    kept = Split(("a.mp4", "b.mp4"), ("test", "test"), ("trip", "trip"), content_hashes=("aaa", "bbb"))
    with pytest.raises(SplitError, match=r"split.csv keeps groups whole. Use --group-by, or --group-near-duplicates"):
        extend(table_of({"a.mp4": "hug", "b.mp4": "hug"}), kept)


def test_videos_that_tested_and_are_gone_are_named() -> None:
    kept = Split(("a.mp4", "b.mp4", "c.mp4", "d.mp4"), ("train", "test", "validation", "train"))

    _, notes = extend(table_of({"d.mp4": "hug"}), kept)

    assert notes[-1] == (
        "Of these, 2 validated or tested: b.mp4, c.mp4. When they are back, --keep split.csv places them as before, so "
        "keep that file."
    )

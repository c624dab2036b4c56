"""Videos of equal content: one group in every split, and told where they are torn or differ in labels."""

from pathlib import Path

import numpy as np
import pytest

from classify import TrainConfig, split_videos, train_head
from classify.data.labels import read_labels
from classify.data.split_files import read_split, write_split
from classify.data.splits import SplitConfig, split_folds
from classify.errors import SplitError
from embed import EmbeddingStore, StoreWriter, VideoRecord
from tests.embed.stores import PROVENANCE


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of 20 videos of two classes, of which kick/0 to kick/4 have the content of hug/0 to hug/4."""
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for label in ("hug", "kick"):
            for number in range(10):
                content = f"both {number}" if number < 5 else f"{label} {number}"
                record = VideoRecord(f"{label}/{number}.mp4", content_hash=content)
                writer.append(record, rng.normal(size=(3, 10)), np.arange(3))
    return tmp_path / "s.h5"


@pytest.mark.parametrize("seed", range(5))
def test_equal_videos_are_in_one_part(store: Path, tmp_path: Path, seed: int) -> None:
    summary = split_videos(store, tmp_path / "split.csv", config=SplitConfig(0.2, 0.2, seed=seed))
    with EmbeddingStore(store) as opened:
        split = read_split(tmp_path / "split.csv", read_labels(opened))
    part_of = dict(zip(split.ids, split.parts, strict=True))
    assert all(part_of[f"hug/{number}.mp4"] == part_of[f"kick/{number}.mp4"] for number in range(5))
    told = "5 videos with the content of another stay in its part, e.g. hug/0.mp4 (hug) = kick/0.mp4 (kick)."
    assert told in summary.notes
    assert any(note.startswith("Equal videos have different labels in 5 groups") for note in summary.notes)


def test_equal_videos_are_in_one_fold(store: Path, tmp_path: Path) -> None:
    split_folds(store, tmp_path / "split.csv", 3)
    for number in (1, 2, 3):
        with EmbeddingStore(store) as opened:
            split = read_split(tmp_path / f"split-{number}.csv", read_labels(opened))
        part_of = dict(zip(split.ids, split.parts, strict=True))
        assert all(part_of[f"hug/{copy}.mp4"] == part_of[f"kick/{copy}.mp4"] for copy in range(5))


def test_folders_that_separate_equal_videos_are_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for number, part in enumerate(("train", "train", "val", "val")):
            record = VideoRecord(f"{part}/hug/{number}.mp4", content_hash="both" if number in (1, 2) else str(number))
            writer.append(record, np.ones((1, 10)), np.zeros(1))
    with pytest.raises(SplitError, match=r"'train/hug/1.mp4' and 'val/hug/2.mp4' belong together"):
        split_videos(tmp_path / "s.h5", tmp_path / "split.csv", config=SplitConfig(by_folder=True, validation_size=0))


def test_training_tells_equal_videos_on_both_sides_of_a_split(store: Path, tmp_path: Path) -> None:
    split_videos(store, tmp_path / "split.csv")
    with EmbeddingStore(store) as opened:
        split = read_split(tmp_path / "split.csv", read_labels(opened))
        parts = tuple("test" if video_id.startswith("hug/0") else "train" for video_id in split.ids)
        table = read_labels(opened)
        write_split(tmp_path / "torn.csv", type(split)(split.ids, parts), table)
    report = train_head(store, tmp_path / "torn.csv", tmp_path / "head", config=TrainConfig(epochs=1))
    assert any(
        note.startswith("1 group of videos with the same content in several parts, e.g. hug/0.mp4 (test) = kick/0.mp4")
        for note in report.notes
    )

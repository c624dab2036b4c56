import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classify.data.description import spread
from classify.errors import SplitError
from classify.report.dataset import describe_dataset
from embed import Failure, Provenance, StoreWriter, VideoRecord

PICTURES = {"videos_per_class", "labels_per_video", "labels_together", "durations", "durations_by_class", "resolutions"}


@pytest.fixture
def store(tmp_path: Path, provenance: Provenance) -> Path:
    """Four videos of 1, 2, 4 and 8 s, 64x48 but for the last, and one that failed; labels.csv, split.csv beside it."""
    with StoreWriter(tmp_path / "embeddings.h5", provenance) as writer:
        for number, name in enumerate("abcd"):
            size = (64, 48) if name != "d" else (1080, 1920)
            record = VideoRecord(name, duration_s=2.0**number, width_px=size[0], height_px=size[1])
            writer.append(record, np.zeros((1, 16)), np.zeros(1))
        writer.append_failure(Failure("e", "e", "no_frames", "it is empty"))
    (tmp_path / "labels.csv").write_text("id,labels\na,hug\nb,hug|kick\nc,hug|kick|wave\nd,wave\n")
    (tmp_path / "split.csv").write_text("id,part\na,train\nb,train\nc,test\nd,test\n")
    return tmp_path / "embeddings.h5"


def test_classes_and_labels_are_counted_in_the_whole_and_in_each_part(store: Path) -> None:
    found = describe_dataset(store, labels=store.with_name("labels.csv"), split=store.with_name("split.csv"))

    assert {part: counts.tolist() for part, counts in found.class_counts.items()} == {
        "all": [3, 2, 2],
        "train": [2, 1, 0],
        "test": [1, 1, 2],
    }
    assert found.label_counts == {"all": {1: 2, 2: 1, 3: 1}, "train": {1: 1, 2: 1}, "test": {1: 1, 3: 1}}
    assert found.failure_count == 1
    assert found.notes == ("Classes without a video in train: wave. A head cannot learn them.",)


def test_labels_that_stand_together_are_counted(store: Path) -> None:
    found = describe_dataset(store, labels=store.with_name("labels.csv"))

    assert found.shared_counts.tolist() == [[3, 2, 1], [2, 2, 1], [1, 1, 2]]
    assert found.pairs == [("hug", "kick", 2), ("hug", "wave", 1), ("kick", "wave", 1)]


def test_durations_are_those_of_the_whole_the_parts_and_the_classes(store: Path) -> None:
    found = describe_dataset(store, labels=store.with_name("labels.csv"), split=store.with_name("split.csv"))

    assert {part: row.median_s for part, row in found.durations.items()} == {"all": 3.0, "train": 1.5, "test": 6.0}
    assert found.durations["all"].sum_s == 15.0
    assert found.class_durations["wave"] == spread(np.array([4.0, 8.0]))


def test_resolutions_are_counted_most_first(store: Path) -> None:
    found = describe_dataset(store, labels=store.with_name("labels.csv"))

    assert found.resolutions == {(64, 48): 3, (1080, 1920): 1}
    assert found.shorter_sides == {"32 to 63": 3, "1024 to 2047": 1}


def test_the_spread_of_no_video_is_zeros() -> None:
    assert spread(np.array([])).longest_s == 0


def test_a_split_of_other_videos_is_refused(store: Path) -> None:
    store.with_name("split.csv").write_text("id,part\na,train\n")

    with pytest.raises(SplitError, match=r"has no part for 3 videos, e\.g\. 'b'"):
        describe_dataset(store, labels=store.with_name("labels.csv"), split=store.with_name("split.csv"))


def test_pictures_and_a_file_of_all_figures_are_written(store: Path, tmp_path: Path) -> None:
    found = describe_dataset(store, tmp_path / "out", labels=store.with_name("labels.csv"))

    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{n}.png" for n in PICTURES} | {"dataset.json"}
    assert json.loads((tmp_path / "out" / "dataset.json").read_text()) == json.loads(json.dumps(found.to_json()))
    with Image.open(tmp_path / "out" / "durations.png") as picture:
        assert len(picture.convert("RGB").getcolors(100_000) or ()) > 10


def test_the_same_set_gives_the_same_pictures(store: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        describe_dataset(store, tmp_path / name, labels=store.with_name("labels.csv"))

    one, two = ([(tmp_path / name / f"{p}.png").read_bytes() for p in sorted(PICTURES)] for name in ("one", "two"))
    assert one == two


def test_labels_with_dollar_signs_are_drawn(store: Path, tmp_path: Path) -> None:
    store.with_name("labels.csv").write_text("id,labels\na,cash$$\nb,cash$$|$x_$ y\nc,$x_$ y|$5\nd,$5\n")

    describe_dataset(store, tmp_path / "out", labels=store.with_name("labels.csv"))

    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == PICTURES


def test_if_no_video_has_two_labels_no_picture_shows_labels_together(toy_store: Path, tmp_path: Path) -> None:
    describe_dataset(toy_store, tmp_path / "out")

    assert not (tmp_path / "out" / "labels_together.png").exists()
    assert (tmp_path / "out" / "resolutions.png").exists()  # of videos whose sizes the store does not know


def test_many_classes_and_long_videos_are_drawn(tmp_path: Path, provenance: Provenance) -> None:
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "embeddings.h5", provenance) as writer:
        for number in range(120):
            width_px, height_px = rng.integers(100, 2000, 2).tolist()
            record = VideoRecord(f"{number:03d}", "", "", 1, 0.5 * 1.1**number, 1.0, width_px, height_px)
            writer.append(record, np.zeros((1, 16)), np.zeros(1))
    rows = "".join(f"{number:03d},c{number % 60}|c{number % 7}\n" for number in range(120))
    (tmp_path / "labels.csv").write_text(f"id,labels\n{rows}")

    describe_dataset(tmp_path / "embeddings.h5", tmp_path / "out", labels=tmp_path / "labels.csv")

    with Image.open(tmp_path / "out" / "videos_per_class.png") as picture:
        assert picture.height < 2500  # 40 of 60 classes


def test_without_matplotlib_nothing_is_written_and_the_error_says_what_to_install(store: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        f"from classify import describe_dataset; describe_dataset({str(store)!r}, {str(tmp_path / 'out')!r}, "
        f"labels={str(store.with_name('labels.csv'))!r})"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "Pictures need matplotlib. Install it: pip install '.[plots]' in framehead's folder" in result.stderr
    assert not (tmp_path / "out").exists()

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from tfrecord.writer import TFRecordWriter

from embed.errors import OutputError, SourceError, StoreMismatch
from embed.interchange import ImportConfig, import_youtube8m
from embed.store import EmbeddingStore
from tests.embed.interchange.records import codes_of, dequantised, write_frames, write_means, write_segments

VOCABULARY = "Index,TrainVideoCount,Name\n3,9,Food\n5,8,Travel|Places\n8,7,Game\n9,6,Game\n"


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    (tmp_path / "vocabulary.csv").write_text(VOCABULARY)
    return tmp_path / "vocabulary.csv"


def test_bytes_and_labels_of_each_video_are_kept(tmp_path: Path) -> None:
    videos = [(f"v{number}", [3, number], codes_of(number)) for number in range(4)]
    write_frames(tmp_path / "train00.tfrecord", videos[:2])
    write_frames(tmp_path / "train01.tfrecord", videos[2:], id_name="video_id")
    summary = import_youtube8m(f"{tmp_path}/train*.tfrecord", tmp_path / "s.h5")
    assert (summary.files, summary.imported, summary.vectors, summary.damaged) == (2, 4, 20, 0)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert store.ids == ["v0", "v1", "v2", "v3"]
        assert store.provenance.storage == "uint8"
        for video_id, _, codes in videos:
            stored = store.read(video_id)
            np.testing.assert_array_equal(store.read_stored(video_id).rows, np.concatenate(codes, axis=1))
            np.testing.assert_allclose(stored.vectors, dequantised(codes), atol=1e-3)
            np.testing.assert_array_equal(stored.timestamps_s, np.arange(5))
            assert store.video(video_id).duration_s == 5
    labels = [["id", "labels"], ["v0", "3|0"], ["v1", "3|1"], ["v2", "3|2"], ["v3", "3"]]
    assert rows(tmp_path / "s.labels.csv") == labels


def test_only_wanted_labels_are_taken_under_their_names(tmp_path: Path, vocabulary: Path) -> None:
    videos = [("a", [3, 7], codes_of(0)), ("b", [7], codes_of(1)), ("c", [9, 5], codes_of(2))]
    write_frames(tmp_path / "x.tfrecord", videos)
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5", ImportConfig(labels=(3, 5, 8, 9), vocabulary=vocabulary))
    assert (summary.imported, summary.unlabelled) == (2, 1)
    assert rows(tmp_path / "s.labels.csv")[1:] == [["a", "Food"], ["c", "Game (9)|Travel/Places"]]
    assert summary.label_counts == {"Food": 1, "Game (9)": 1, "Travel/Places": 1}


@pytest.mark.parametrize(
    ("features", "columns"),
    [
        pytest.param(("rgb",), np.arange(1024), id="rgb"),
        pytest.param(("audio",), np.arange(1024, 1152), id="audio"),
        pytest.param(("audio", "rgb"), np.r_[1024:1152, 0:1024], id="audio before rgb"),
    ],
)
def test_kinds_of_features_and_the_first_frames_can_be_chosen(
    features: tuple[str, ...], columns: "np.ndarray", tmp_path: Path
) -> None:
    codes = codes_of(1, frames=50)
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes)])
    config = ImportConfig(features=features, max_frames=45)  # type: ignore[arg-type]
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5", config)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert store.provenance.sampling == {"name": "fps", "fps": 1.0, "first_seconds": 45.0}
        expected = np.concatenate(codes, axis=1)[:45, columns]
        np.testing.assert_array_equal(store.read_stored("a").rows, expected)


def test_where_one_kind_has_more_frames_its_last_are_left_out(tmp_path: Path) -> None:
    rgb, audio = codes_of(0, frames=9)
    write_frames(tmp_path / "x.tfrecord", [("a", [1], (rgb, audio[:7]))])
    assert import_youtube8m(tmp_path, tmp_path / "s.h5").vectors == 7
    with EmbeddingStore(tmp_path / "s.h5") as store:
        np.testing.assert_array_equal(store.read_stored("a").rows, np.concatenate([rgb[:7], audio[:7]], axis=1))


def test_video_level_records_give_one_vector_each(tmp_path: Path) -> None:
    means = np.random.default_rng(0).normal(size=1152).astype(np.float32)
    write_means(tmp_path / "x.tfrecord", [("a", [1, 2], means)])
    assert import_youtube8m(tmp_path, tmp_path / "s.h5").vectors == 1
    with EmbeddingStore(tmp_path / "s.h5") as store:
        np.testing.assert_array_equal(store.read("a").vectors[0], means.astype(np.float16))
    write_frames(tmp_path / "y.tfrecord", [("b", [1], codes_of(0))])
    with pytest.raises(StoreMismatch, match="sampling is"):
        import_youtube8m(tmp_path / "y.tfrecord", tmp_path / "s.h5")


def test_records_of_another_level_are_damaged_ones_of_their_set(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0))])
    write_means(tmp_path / "y.tfrecord", [("b", [1], np.zeros(1152, np.float32))])
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.imported, summary.damaged) == (1, 1)
    assert "it has vectors of the whole video, and the first record of frames" in summary.damage[0]


def test_segments_are_kept_in_a_file_of_their_own(tmp_path: Path) -> None:
    write_segments(tmp_path / "x.tfrecord", "a", [(10, 5, 0.0), (0, 3, 1.0), (10, 3, 1.0)])
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.imported, summary.segments) == (1, str(tmp_path / "s.segments.csv"))
    assert rows(tmp_path / "s.segments.csv") == [
        ["id", "labels", "absent", "video"],
        ["a#t=0,5", "3", "", "a"],
        ["a#t=10,15", "3", "5", "a"],
    ]


def test_segments_can_be_the_videos_of_a_store(tmp_path: Path) -> None:
    codes = np.concatenate(write_segments(tmp_path / "x.tfrecord", "a", [(10, 5, 1.0), (0, 3, 1.0)]), axis=1)
    write_frames(tmp_path / "y.tfrecord", [("b", [3], codes_of(1))])
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5", ImportConfig(segments=True))
    assert (summary.imported, summary.vectors, summary.unlabelled, summary.labels) == (2, 10, 1, "")
    with EmbeddingStore(tmp_path / "s.h5") as store:
        np.testing.assert_array_equal(store.read_stored("a#t=0,5").rows, codes[:5])
        np.testing.assert_array_equal(store.read_stored("a#t=10,15").rows, codes[10:15])
        np.testing.assert_array_equal(store.read("a#t=10,15").timestamps_s, np.arange(10, 15))
        assert store.video("a#t=10,15").start_s == 10


def test_a_second_import_adds_what_is_new_and_keeps_all_labels(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0)), ("b", [2], codes_of(1))])
    write_frames(tmp_path / "y.tfrecord", [("b", [2, 3], codes_of(1)), ("c", [4], codes_of(2))])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5")
    summary = import_youtube8m(tmp_path / "y.tfrecord", tmp_path / "s.h5")
    assert (summary.imported, summary.skipped, summary.changed_count) == (1, 1, 0)
    assert rows(tmp_path / "s.labels.csv")[1:] == [["b", "2|3"], ["c", "4"], ["a", "1"]]


def test_a_later_choice_of_labels_holds_for_all_videos_of_the_files(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1, 2], codes_of(0)), ("b", [2], codes_of(1))])
    import_youtube8m(tmp_path, tmp_path / "s.h5")
    import_youtube8m(tmp_path, tmp_path / "s.h5", ImportConfig(labels=(1,)))
    assert rows(tmp_path / "s.labels.csv")[1:] == [["a", "1"]]


def test_a_video_with_other_vectors_than_in_the_store_is_told_and_not_replaced(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0)), ("b", [2], codes_of(1))])
    import_youtube8m(tmp_path, tmp_path / "s.h5")
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0)), ("b", [2], codes_of(7))])
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.skipped, summary.changed_count, summary.changed) == (2, 1, ("b",))
    with EmbeddingStore(tmp_path / "s.h5") as store:
        np.testing.assert_array_equal(store.read_stored("b").rows, np.concatenate(codes_of(1), axis=1))


def test_a_video_that_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0)), ("a", [2], codes_of(1))])
    shutil.copy(tmp_path / "x.tfrecord", tmp_path / "y.tfrecord")
    sources = [tmp_path, tmp_path / "x.tfrecord"]  # the second names a file of the first
    summary = import_youtube8m(sources, tmp_path / "s.h5")
    assert (summary.files, summary.imported, summary.repeated) == (2, 1, 3)
    assert rows(tmp_path / "s.labels.csv")[1:] == [["a", "1"]]


def test_damaged_records_are_counted_and_the_others_taken(tmp_path: Path) -> None:
    file = write_frames(tmp_path / "x.tfrecord", [(f"v{number}", [1], codes_of(number)) for number in range(5)])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content[:-10])
    summary = import_youtube8m(file, tmp_path / "s.h5")
    assert (summary.imported, summary.damaged) == (3, 2)
    assert "a record's bytes are damaged" in summary.damage[0]
    assert "the file ends within a record" in summary.damage[1]


def test_records_of_other_data_sets_are_told(tmp_path: Path) -> None:
    writer = TFRecordWriter(str(tmp_path / "x.tfrecord"))
    writer.write({"image": (b"png", "byte")})
    writer.close()
    with pytest.raises(SourceError, match=r"No record of YouTube-8M is in 1 file: .*it has neither rgb nor audio"):
        import_youtube8m(tmp_path, tmp_path / "s.h5")
    (tmp_path / "x.tfrecord").write_bytes(b"no record" * 9)
    with pytest.raises(SourceError, match=r"No record of YouTube-8M is in 1 file: .*a record's length is damaged"):
        import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["x.tfrecord"]


def test_a_label_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0))])
    (tmp_path / "s.labels.csv").write_text("path,label\na,hug\n")
    with pytest.raises(OutputError, match=r"s.labels.csv exists, and is not a label file"):
        import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (tmp_path / "s.labels.csv").read_text() == "path,label\na,hug\n"
    assert not (tmp_path / "s.h5").exists()


@pytest.mark.parametrize("store", ["s.h5", "shards"])
def test_labels_that_no_video_has_are_told_and_no_store_is_made(tmp_path: Path, store: str) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0))])
    with pytest.raises(SourceError, match=r"None of 1 video has one of the labels 7. Name other labels"):
        import_youtube8m(tmp_path, tmp_path / store, ImportConfig(labels=(7,)))
    assert [path.name for path in tmp_path.iterdir()] == ["x.tfrecord"]


def test_wrong_options_are_told_before_work(tmp_path: Path, vocabulary: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0))])
    with pytest.raises(SourceError, match=r"has no label 4000, which --labels names"):
        import_youtube8m(tmp_path, tmp_path / "s.h5", ImportConfig(labels=(3, 4000), vocabulary=vocabulary))
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match=r"folder .*none has no \*.tfrecord"):
        import_youtube8m(tmp_path / "none", tmp_path / "s.h5")
    with pytest.raises(SourceError, match=r"--features is 'rgb,rgb'. Use rgb, audio, or rgb,audio"):
        ImportConfig(features=("rgb", "rgb"))
    with pytest.raises(SourceError, match=r"None of 1 video has a segment. Leave out --segments"):
        import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5", ImportConfig(segments=True))
    write_means(tmp_path / "y.tfrecord", [("b", [1], np.zeros(1152, np.float32))])
    with pytest.raises(SourceError, match=r"one vector a video, and no frames. Leave out --max-frames"):
        import_youtube8m(tmp_path / "y.tfrecord", tmp_path / "s.h5", ImportConfig(max_frames=45))
    assert not (tmp_path / "s.h5").exists()


def test_vectors_without_labels_make_a_store_without_a_label_file(tmp_path: Path) -> None:
    write_frames(tmp_path / "test.tfrecord", [("a", [], codes_of(0))])
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.imported, summary.labels) == (1, "")
    assert not (tmp_path / "s.labels.csv").exists()

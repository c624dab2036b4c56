import csv
from pathlib import Path

import numpy as np
import pytest
from tfrecord.reader import sequence_loader
from tfrecord.writer import TFRecordWriter

from embed.errors import OutputError, SourceError, StoreMismatch
from embed.interchange import ImportConfig, export_youtube8m, import_youtube8m
from embed.store import EmbeddingStore
from tests.embed.interchange.records import codes_of, write_frames, write_means

VOCABULARY = "Index,TrainVideoCount,Name\n3,9,Food\n5,8,Travel|Places\n8,7,Game\n9,6,Game\n"


def dequantised(codes: "tuple[np.ndarray, np.ndarray]") -> np.ndarray:
    """Return what bytes stand for, by the formula of YouTube-8M's own reader."""
    joined = np.concatenate(codes, axis=1).astype(np.float64)
    scalar, bias = 4 / 255, 4 / 512 - 2
    return joined * scalar + bias


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_frames_and_labels_of_each_video_are_kept(tmp_path: Path) -> None:
    videos = [(f"v{number}", [3, number], codes_of(number)) for number in range(4)]
    write_frames(tmp_path / "train00.tfrecord", videos[:2])
    write_frames(tmp_path / "train01.tfrecord", videos[2:], id_name="video_id")
    summary = import_youtube8m(f"{tmp_path}/train*.tfrecord", tmp_path / "s.h5")
    assert (summary.files, summary.imported, summary.vectors, summary.damaged) == (2, 4, 20, 0)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert store.ids == ["v0", "v1", "v2", "v3"]
        for video_id, _, codes in videos:
            stored = store.read(video_id)
            np.testing.assert_allclose(stored.vectors, dequantised(codes), atol=1e-3)
            np.testing.assert_array_equal(stored.timestamps_s, np.arange(5))
            assert store.video(video_id).duration_s == 5
    assert rows(tmp_path / "s.labels.csv") == [["path", "labels"], *([f"v{n}", f"3|{n}"] for n in range(4))]


def test_only_wanted_labels_are_taken_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.csv").write_text(VOCABULARY)
    videos = [("a", [3, 7], codes_of(0)), ("b", [7], codes_of(1)), ("c", [9, 5], codes_of(2))]
    write_frames(tmp_path / "x.tfrecord", videos)
    config = ImportConfig(labels=(3, 5, 8, 9), vocabulary=tmp_path / "vocabulary.csv")
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5", config)
    assert (summary.imported, summary.unlabelled) == (2, 1)
    assert rows(tmp_path / "s.labels.csv")[1:] == [["a", "Food"], ["c", "Game (9)|Travel/Places"]]
    assert summary.label_counts == {"Food": 1, "Game (9)": 1, "Travel/Places": 1}


@pytest.mark.parametrize(("features", "first", "end"), [(("rgb",), 0, 1024), (("audio",), 1024, 1152)])
def test_one_kind_of_features_and_the_first_frames_can_be_taken(
    features: tuple[str, ...], first: int, end: int, tmp_path: Path
) -> None:
    codes = codes_of(1, frames=50)
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes)])
    config = ImportConfig(features=features, max_frames=45)  # type: ignore[arg-type]
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5", config)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert store.provenance.sampling == {"name": "fps", "fps": 1.0, "first_seconds": 45.0}
        np.testing.assert_allclose(store.read("a").vectors, dequantised(codes)[:45, first:end], atol=1e-3)


def test_video_level_records_give_one_vector_each(tmp_path: Path) -> None:
    means = np.random.default_rng(0).normal(size=1152).astype(np.float32)
    write_means(tmp_path / "x.tfrecord", [("a", [1, 2], means)])
    assert import_youtube8m(tmp_path, tmp_path / "s.h5").vectors == 1
    with EmbeddingStore(tmp_path / "s.h5") as store:
        np.testing.assert_allclose(store.read("a").vectors[0], means, rtol=1e-3)
    write_frames(tmp_path / "y.tfrecord", [("b", [1], codes_of(0))])
    with pytest.raises(StoreMismatch, match="sampling is"):
        import_youtube8m(tmp_path / "y.tfrecord", tmp_path / "s.h5")


def test_segments_are_kept_in_a_file_of_their_own(tmp_path: Path) -> None:
    rgb, audio = codes_of(0, frames=20)
    writer = TFRecordWriter(str(tmp_path / "x.tfrecord"))
    context = {
        "id": (b"a", "byte"),
        "labels": ([3], "int"),
        "segment_start_times": ([0, 10], "int"),
        "segment_end_times": ([5, 15], "int"),
        "segment_labels": ([3, 5], "int"),
        "segment_scores": ([1.0, 0.0], "float"),
    }
    lists = {"rgb": ([row.tobytes() for row in rgb], "byte"), "audio": ([row.tobytes() for row in audio], "byte")}
    writer.write(context, lists)
    writer.close()
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert summary.segments == str(tmp_path / "s.segments.csv")
    header = ["path", "start_s", "end_s", "label", "shown"]
    assert rows(tmp_path / "s.segments.csv") == [header, ["a", "0", "5", "3", "1"], ["a", "10", "15", "5", "0"]]


def test_a_second_import_adds_what_is_new_and_keeps_all_labels(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0)), ("b", [2], codes_of(1))])
    write_frames(tmp_path / "y.tfrecord", [("b", [2, 3], codes_of(1)), ("c", [4], codes_of(2))])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5")
    summary = import_youtube8m(tmp_path / "y.tfrecord", tmp_path / "s.h5")
    assert (summary.imported, summary.skipped) == (1, 1)
    assert rows(tmp_path / "s.labels.csv")[1:] == [["b", "2|3"], ["c", "4"], ["a", "1"]]


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
    assert not (tmp_path / "s.h5").exists()


def test_a_label_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0))])
    (tmp_path / "s.labels.csv").write_text("path,label\na,hug\n")
    with pytest.raises(OutputError, match=r"s.labels.csv"):
        import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (tmp_path / "s.labels.csv").read_text() == "path,label\na,hug\n"
    assert not (tmp_path / "s.h5").exists()


def test_labels_that_no_video_has_are_told(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [1], codes_of(0))])
    with pytest.raises(SourceError, match=r"None of 1 video has one of the labels 7. Name other labels"):
        import_youtube8m(tmp_path, tmp_path / "s.h5", ImportConfig(labels=(7,)))


def test_an_export_has_the_bytes_that_were_imported(tmp_path: Path) -> None:
    videos = [(f"v{number}", [3, number + 10], codes_of(number)) for number in range(3)]
    write_frames(tmp_path / "x.tfrecord", videos)
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5")
    summary = export_youtube8m(tmp_path / "s.h5", tmp_path / "out.tfrecord", labels=tmp_path / "s.labels.csv")
    assert (summary.videos, summary.vectors, summary.unlabelled) == (3, 15, 0)
    contexts, kinds = {"id": "byte", "labels": "int"}, {"rgb": "byte", "audio": "byte"}
    theirs = list(sequence_loader(str(tmp_path / "out.tfrecord"), None, contexts, kinds))
    for (context, lists), (video_id, labels, (rgb, audio)) in zip(theirs, videos, strict=True):
        assert bytes(context["id"]) == video_id.encode()
        assert context["labels"].tolist() == labels
        np.testing.assert_array_equal(np.stack([np.frombuffer(row, np.uint8) for row in lists["rgb"]]), rgb)
        np.testing.assert_array_equal(np.stack([np.frombuffer(row, np.uint8) for row in lists["audio"]]), audio)

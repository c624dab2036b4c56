from pathlib import Path

import numpy as np
import pytest
from tfrecord.reader import sequence_loader, tfrecord_loader

from embed.errors import OutputError, SourceError
from embed.interchange import ImportConfig, export_youtube8m, import_youtube8m
from embed.store import EmbeddingStore, quantise
from tests.embed.interchange.records import codes_of, write_frames, write_means
from tests.embed.stores import write_store

CONTEXT, KINDS = {"id": "byte", "labels": "int"}, {"rgb": "byte", "audio": "byte"}


def test_another_library_reads_the_bytes_and_labels_that_were_imported(tmp_path: Path) -> None:
    videos = [(f"v{number}", [3, number + 10], codes_of(number)) for number in range(3)]
    write_frames(tmp_path / "x.tfrecord", videos)
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5")
    summary = export_youtube8m(tmp_path / "s.h5", tmp_path / "out")
    assert (summary.files, summary.videos, summary.vectors, summary.unlabelled) == (1, 3, 15, 0)
    theirs = list(sequence_loader(str(tmp_path / "out/videos-0000.tfrecord"), None, CONTEXT, KINDS))
    for (context, lists), (video_id, labels, (rgb, audio)) in zip(theirs, videos, strict=True):
        assert bytes(context["id"]) == video_id.encode()
        assert context["labels"].tolist() == labels
        np.testing.assert_array_equal(np.stack([np.frombuffer(row, np.uint8) for row in lists["rgb"]]), rgb)
        np.testing.assert_array_equal(np.stack([np.frombuffer(row, np.uint8) for row in lists["audio"]]), audio)


@pytest.mark.parametrize("features", [("rgb", "audio"), ("audio", "rgb"), ("audio",)], ids="+".join)
def test_an_export_imports_as_the_same_store(tmp_path: Path, features: tuple[str, ...]) -> None:
    config = ImportConfig(features=features)  # type: ignore[arg-type]
    write_frames(tmp_path / "x.tfrecord", [(f"v{number}", [number], codes_of(number, 4)) for number in range(3)])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "a.h5", config)
    export_youtube8m(tmp_path / "a.h5", tmp_path / "out")
    import_youtube8m(tmp_path / "out", tmp_path / "b.h5", config)
    with EmbeddingStore(tmp_path / "a.h5") as first, EmbeddingStore(tmp_path / "b.h5") as second:
        assert first.provenance.difference(second.provenance) is None
        for video_id in first.ids:
            np.testing.assert_array_equal(first.read_stored(video_id).rows, second.read_stored(video_id).rows)
            assert first.video(video_id).content_hash == second.video(video_id).content_hash
    assert (tmp_path / "a.labels.csv").read_bytes() == (tmp_path / "b.labels.csv").read_bytes()
    export_youtube8m(tmp_path / "b.h5", tmp_path / "again")
    assert Path(tmp_path / "again/videos-0000.tfrecord").read_bytes() == (
        (tmp_path / "out/videos-0000.tfrecord").read_bytes()
    )


def test_means_of_videos_are_written_as_floats(tmp_path: Path) -> None:
    means = np.random.default_rng(0).normal(size=1152).astype(np.float32)
    write_means(tmp_path / "x.tfrecord", [("a", [1, 2], means)])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5")
    assert export_youtube8m(tmp_path / "s.h5", tmp_path / "out").clipped_share is None
    kinds = {**CONTEXT, "mean_rgb": "float", "mean_audio": "float"}
    (record,) = tfrecord_loader(str(tmp_path / "out/videos-0000.tfrecord"), None, kinds)
    found = np.concatenate([record["mean_rgb"], record["mean_audio"]])
    np.testing.assert_array_equal(found, means.astype(np.float16).astype(np.float32))


def test_vectors_of_other_encoders_become_rgb_of_their_length_with_labels_numbered(tmp_path: Path) -> None:
    write_store(tmp_path / "s.h5", ["a.mp4", "b.mp4"])
    (tmp_path / "l.csv").write_text("path,label\nb.mp4,kick\na.mp4,hug|kick\n")
    summary = export_youtube8m(tmp_path / "s.h5", tmp_path / "out", labels=tmp_path / "l.csv")
    assert (tmp_path / "out/vocabulary.csv").read_text() == "Index,TrainVideoCount,Name\n0,1,hug\n1,2,kick\n"
    assert summary.clipped_share is not None
    with EmbeddingStore(tmp_path / "s.h5") as store:
        expected = {video_id: quantise(store.read(video_id).vectors) for video_id in store.ids}
        size = store.dimension
    config = ImportConfig(features=("rgb",), vocabulary=tmp_path / "out/vocabulary.csv")
    import_youtube8m(tmp_path / "out", tmp_path / "b.h5", config)
    with EmbeddingStore(tmp_path / "b.h5") as store:
        assert store.provenance.encoder.model == f"youtube8m:rgb{size}"
        for video_id, codes in expected.items():
            np.testing.assert_array_equal(store.read_stored(video_id).rows, codes)
    assert (tmp_path / "b.labels.csv").read_text() == "id,labels\na.mp4,hug|kick\nb.mp4,kick\n"


def test_names_of_labels_need_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("Index,Name\n3,Food\n")
    write_frames(tmp_path / "x.tfrecord", [("a", [3], codes_of(0))])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5", ImportConfig(vocabulary=tmp_path / "v.csv"))
    with pytest.raises(SourceError, match=r"labels in .*s.labels.csv are names. Name YouTube-8M's vocabulary.csv with"):
        export_youtube8m(tmp_path / "s.h5", tmp_path / "out")
    export_youtube8m(tmp_path / "s.h5", tmp_path / "out", vocabulary=tmp_path / "v.csv")
    ((context, _),) = sequence_loader(str(tmp_path / "out/videos-0000.tfrecord"), None, CONTEXT, KINDS)
    assert context["labels"].tolist() == [3]


def test_only_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [3], codes_of(0))])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "s.h5")
    assert export_youtube8m(tmp_path / "s.h5", tmp_path / "out").replaced is None
    (tmp_path / "out/videos-0007.tfrecord").touch()
    assert "an earlier export of 2 files, is replaced" in str(
        export_youtube8m(tmp_path / "s.h5", tmp_path / "out").replaced
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["videos-0000.tfrecord"]
    (tmp_path / "out/notes.txt").touch()
    with pytest.raises(OutputError, match=r"out holds 'notes.txt', which no export wrote. Name a new folder"):
        export_youtube8m(tmp_path / "s.h5", tmp_path / "out")
    with pytest.raises(OutputError, match=r"holds an input of this command, or lies in one"):
        export_youtube8m(tmp_path / "s.h5", tmp_path)
    with pytest.raises(OutputError, match=r"s.labels.csv is a file. Name a folder"):
        export_youtube8m(tmp_path / "s.h5", tmp_path / "s.labels.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "s.h5", "s.labels.csv", "x.tfrecord"]


def test_nothing_is_written_into_a_store_of_shards(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.tfrecord", [("a", [3], codes_of(0))])
    import_youtube8m(tmp_path / "x.tfrecord", tmp_path / "shards")
    with pytest.raises(OutputError, match=r"shards/out holds an input of this command, or lies in one"):
        export_youtube8m(tmp_path / "shards", tmp_path / "shards/out")
    assert export_youtube8m(tmp_path / "shards", tmp_path / "out").labels == str(tmp_path / "shards.labels.csv")

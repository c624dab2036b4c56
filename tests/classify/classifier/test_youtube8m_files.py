"""Imported YouTube-8M from its records to a competition's file, without a video."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from classify import (
    ClassifyError,
    HeadError,
    PredictConfig,
    Prediction,
    Predictions,
    TrainConfig,
    cli,
    predict_videos,
    split_videos,
    train_head,
)
from classify.classifier.youtube8m_files import describe_pairs_file, number_labels
from embed import EmbeddingStore, Failure, ImportConfig, SourceError, import_youtube8m
from tests.embed.interchange.records import write_frames

NUMBERS = {"Games": 1, "Food": 3, "Travel": 17}
VIDEOS = 45


@pytest.fixture(scope="session")
def yt8m(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of 45 videos whose vectors tell their labels, imported, split, and a head trained on them."""
    root, random = tmp_path_factory.mktemp("yt8m"), np.random.default_rng(0)
    (root / "vocabulary.csv").write_text("Index,Name\n" + "".join(f"{n},{name}\n" for name, n in NUMBERS.items()))
    videos = []
    for number in range(VIDEOS):
        labels = [number % 3] + ([(number + 1) % 3] if number % 5 == 0 else [])
        rgb = np.full((6, 8), 128) + random.integers(-80, 80, (6, 8))
        rgb[:, labels] += 20
        audio = random.integers(100, 150, (6, 2))
        indices = [[*NUMBERS.values()][label] for label in labels]
        videos.append((f"-{number:03}", indices, (rgb.astype(np.uint8), audio.astype(np.uint8))))
    write_frames(root / "train.tfrecord", videos)
    config = ImportConfig(vocabulary=root / "vocabulary.csv")
    import_youtube8m(root / "train.tfrecord", root / "s.h5", config)
    split_videos(root / "s.h5", root / "split.csv", labels=root / "s.labels.csv")
    train_head(root / "s.h5", root / "split.csv", root / "head", config=TrainConfig(learning_rate=0.02))
    return root


def pairs_of(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return id -> pairs of a competition's file."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["VideoId", "LabelConfidencePairs"]
    words = {video_id: pairs.split(" ") for video_id, pairs in rows}
    return {key: [(int(n), float(p)) for n, p in zip(own[::2], own[1::2], strict=True)] for key, own in words.items()}


def gap_at_20(pairs: dict[str, list[tuple[int, float]]], truth: dict[str, set[int]]) -> float:
    """Return Global Average Precision as YouTube-8M defines it: precision at each pair, x change of recall.

    Source: https://www.kaggle.com/c/youtube8m/overview/evaluation.
    """
    every = [(p, number in truth[key]) for key, own in pairs.items() for number, p in own[:20]]
    every.sort(key=lambda pair: -pair[0])
    total, right, gap = sum(map(len, truth.values())), 0, 0.0
    for place, (_, is_right) in enumerate(every, 1):
        right += is_right
        gap += right / place / total if is_right else 0
    return gap


def test_a_store_becomes_a_file_of_the_competition_with_labels_by_number(yt8m: Path, tmp_path: Path) -> None:
    config = PredictConfig(file_format="yt8m", vocabulary=yt8m / "vocabulary.csv")
    found = predict_videos(yt8m / "head", yt8m / "s.h5", tmp_path / "p.csv", config=config)
    pairs = pairs_of(tmp_path / "p.csv")
    assert list(pairs) == [video.video_id for video in found.videos]
    for video in found.videos:
        expected = sorted(((NUMBERS[name], p) for name, p in video.probabilities.items()), key=lambda pair: -pair[1])
        assert [number for number, _ in pairs[video.video_id]] == [number for number, _ in expected]
        np.testing.assert_allclose([p for _, p in pairs[video.video_id]], [p for _, p in expected], rtol=1e-5)
    again = predict_videos(yt8m / "head", yt8m / "s.h5", tmp_path / "p.csv", config=config)
    assert "the predictions for 45 videos" in str(again.replaced)


def test_gap_at_20_of_the_file_is_the_reports(yt8m: Path, tmp_path: Path) -> None:
    config = PredictConfig(file_format="yt8m", vocabulary=yt8m / "vocabulary.csv")
    predict_videos(yt8m / "head", yt8m / "s.h5", tmp_path / "p.csv", config=config)
    with (yt8m / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    test = {row["id"]: {NUMBERS[name] for name in row["labels"].split("|")} for row in rows}
    pairs = {key: own for key, own in pairs_of(tmp_path / "p.csv").items() if key in test}
    report = json.loads((yt8m / "head/report.json").read_text())
    assert report["parts"]["test"]["gap_at_20"] == pytest.approx(gap_at_20(pairs, test), abs=1e-6)
    assert 0.5 < gap_at_20(pairs, test) < 1


def test_only_the_20_likeliest_labels_are_written(tmp_path: Path) -> None:
    names = tuple(str(number) for number in range(30))
    video = Prediction("a,b", (), {name: 1 / (1 + int(name)) for name in names})
    text = Predictions(names, (video,), (), numbers=tuple(range(30))).to_csv()
    (tmp_path / "p.csv").write_text(text)
    assert [number for number, _ in pairs_of(tmp_path / "p.csv")["a,b"]] == list(range(20))
    assert describe_pairs_file(tmp_path / "p.csv") == "the predictions for 1 video"
    (tmp_path / "p.csv").write_text(text.replace(",0 1 ", ",0 0.001 "))
    assert describe_pairs_file(tmp_path / "p.csv") is None


def test_labels_without_a_number_are_named(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("Index,Name\n3,Food\n")
    assert number_labels(["12", "7"], None) == (12, 7)
    assert number_labels(["12", "Food"], tmp_path / "v.csv") == (12, 3)
    with pytest.raises(ClassifyError, match=r"'Food' is a name. Name the file .* with --vocabulary vocabulary.csv"):
        number_labels(["Food"], None)
    with pytest.raises(ClassifyError, match=r"has no label 'Cats', which the head knows"):
        number_labels(["Cats"], tmp_path / "v.csv")
    with pytest.raises(ClassifyError, match=r"Two labels of the head have one number"):
        number_labels(["3", "Food"], tmp_path / "v.csv")
    with pytest.raises(SourceError, match=r"none.csv cannot be read"):
        number_labels(["Food"], tmp_path / "none.csv")
    with pytest.raises(ClassifyError, match=r"--vocabulary has the numbers for --format yt8m. Give both"):
        PredictConfig(vocabulary="v.csv")


def test_new_videos_are_refused_with_what_can_be_done_before_a_store_is_labelled(yt8m: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    with pytest.raises(HeadError, match=r"no encoder here makes such .* Name a store of them, which import-yt8m"):
        predict_videos(yt8m / "head", [yt8m / "s.h5", tmp_path / "videos"])


def test_failed_videos_have_no_row_and_the_command_exits_1(
    yt8m: Path, make_store: Callable[..., Path], tmp_path: Path
) -> None:
    with EmbeddingStore(yt8m / "s.h5") as store:
        made_by, vectors = store.provenance, store.read("-000").vectors
    failure = Failure("broken", "", "damaged", "it is cut off")
    make_store({"a": vectors}, name="o.h5", made_by=made_by, failures=[failure])
    call = [str(yt8m / "head"), str(tmp_path / "o.h5"), "--format", "yt8m"]
    call += ["--vocabulary", str(yt8m / "vocabulary.csv")]
    result = CliRunner().invoke(cli.predict_videos, call)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "VideoId,LabelConfidencePairs"
    assert len(lines) == 2
    assert "damaged: it is cut off" in result.stderr
    refused = CliRunner().invoke(cli.predict_videos, [*call, "--json"])
    assert refused.exit_code == 2
    assert "--format yt8m has no effect on --json" in refused.stderr

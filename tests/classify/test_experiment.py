import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classify import (
    ClassifyError,
    HeadError,
    LabelledSet,
    SplitConfig,
    SplitError,
    TrainConfig,
    VideoClassifier,
    read_labels,
    read_split,
    split_videos,
    train_head,
)
from classify.comparison import list_candidates
from classify.experiment import _note_own
from classify.training.batches import VideoSet
from classify.training.history import EpochRecord
from embed import EmbeddingStore, Failure


@pytest.fixture
def split(toy_store: Path, tmp_path: Path) -> Path:
    split_videos(toy_store, tmp_path / "split.csv")
    return tmp_path / "split.csv"


def test_a_head_is_trained_measured_and_written(toy_store: Path, split: Path, tmp_path: Path) -> None:
    report = train_head(toy_store, split, tmp_path / "head", config=TrainConfig(learning_rate=0.02))

    assert {part: metrics.micro_f1 for part, metrics in report.parts.items()} == {
        "train": 1.0,
        "validation": 1.0,
        "test": 1.0,
    }
    assert sorted(path.name for path in report.folder.iterdir()) == [
        "head.json",
        "head.safetensors",
        "history.csv",
        "learned.txt",
        "report.json",
    ]


def test_the_written_head_labels_the_stores_videos(toy_store: Path, split: Path, tmp_path: Path) -> None:
    train_head(toy_store, split, tmp_path / "head", config=TrainConfig(learning_rate=0.02))

    classifier = VideoClassifier.load(tmp_path / "head")
    with EmbeddingStore(toy_store) as store:
        probabilities = classifier.predict_probabilities(VideoSet.read(store, store.ids))
        found = [classifier.names[index] for index in probabilities.argmax(axis=1)]
        assert found == [video_id.split("/")[0] for video_id in store.ids]


def test_the_report_file_says_what_was_measured_and_how_often(toy_store: Path, split: Path, tmp_path: Path) -> None:
    train_head(toy_store, split, tmp_path / "head", config=TrainConfig(arch="random-frame", seed=4))

    report = json.loads((tmp_path / "head" / "report.json").read_text())
    assert report["test_evaluations"] == 1
    assert report["test_videos"] == 6
    assert report["micro_f1"] == report["parts"]["test"]["micro_f1"]
    assert report["config"]["arch"] == "random-frame"
    assert report["loss"].startswith("softmax and cross-entropy")


def test_every_training_run_that_uses_the_same_test_videos_counts(toy_store: Path, split: Path, tmp_path: Path) -> None:
    quick = TrainConfig(epochs=1)
    train_head(toy_store, split, tmp_path / "first", config=quick)

    report = train_head(toy_store, split, tmp_path / "second", config=quick)

    assert report.to_json()["test_evaluations"] == 2
    assert "looked at 2 times, each after training a head. If you keep the best of these heads, its" in report.test_use
    looks = [json.loads(line) for line in (tmp_path / "split.csv.evaluations.jsonl").read_text().splitlines()]
    assert [look["head"] for look in looks] == [str(tmp_path / "first"), str(tmp_path / "second")]
    assert looks[1]["micro_f1"] == report.parts["test"].micro_f1


def test_looks_at_other_test_videos_do_not_count(toy_store: Path, split: Path, tmp_path: Path) -> None:
    train_head(toy_store, split, tmp_path / "head", config=TrainConfig(epochs=1))
    split_videos(toy_store, split, config=SplitConfig(seed=1))

    assert train_head(toy_store, split, tmp_path / "head", config=TrainConfig(epochs=1)).test_evaluations == 1


@pytest.mark.parametrize("block", [Path.mkdir, lambda path: path.write_text("edited\n")], ids=["unwritable", "edited"])
def test_where_looks_cannot_be_noted_their_number_is_unknown(
    toy_store: Path, split: Path, tmp_path: Path, block: Callable[[Path], object]
) -> None:
    block(tmp_path / "split.csv.evaluations.jsonl")

    report = train_head(toy_store, split, tmp_path / "head", config=TrainConfig(epochs=1))

    assert report.to_json()["test_evaluations"] is None
    assert "is unknown: the log beside the split file cannot be read or written" in report.test_use


def test_the_report_file_has_all_figures_of_each_part(toy_store: Path, split: Path, tmp_path: Path) -> None:
    train_head(toy_store, split, tmp_path / "head", config=TrainConfig(learning_rate=0.02))

    parts = json.loads((tmp_path / "head" / "report.json").read_text())["parts"]
    assert parts["test"]["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    wilson = {"value": 1.0, "low": pytest.approx(6 / (6 + 1.959964**2)), "high": 1.0}  # since all 6 are right
    none = dict.fromkeys(("macro_f1", "mean_average_precision", "gap_at_20"))
    assert parts["test"]["intervals"] == {"micro_f1": wilson, "accuracy": wilson, **none}
    assert parts["train"]["intervals"] == {}
    assert [found["average_precision"] for found in parts["test"]["classes"]] == [1.0, 1.0, 1.0]
    figures = {"micro_precision", "macro_recall", "mean_average_precision", "hit_at_1", "perr", "gap_at_20"}
    assert {name: parts["test"][name] for name in figures} == dict.fromkeys(figures, 1.0)
    assert parts["test"]["is_single_label"]


def test_baselines_are_measured_on_the_same_videos(toy_store: Path, split: Path, tmp_path: Path) -> None:
    report = train_head(toy_store, split, tmp_path / "head", config=TrainConfig(learning_rate=0.02))

    assert report.baselines.keys() == {"validation", "test"}
    test = report.baselines["test"]
    assert test["majority"].metrics.micro_f1 == pytest.approx(2 / 6)  # one of three labels, each of two videos
    assert test["logistic-regression"].metrics.micro_f1 == 1.0
    assert report.over_baselines["majority"].value == pytest.approx(4 / 6)
    assert report.over_baselines["logistic-regression"].value == 0
    written = json.loads((tmp_path / "head" / "report.json").read_text())
    assert written["baselines"]["test"]["majority"]["micro_f1"] == pytest.approx(2 / 6)
    assert written["over_baselines"]["majority"]["value"] == pytest.approx(4 / 6)


def test_a_baseline_is_scikit_learns_logistic_regression_on_standardised_means(
    random_store: Path, tmp_path: Path
) -> None:
    split_videos(random_store, tmp_path / "split.csv", config=SplitConfig(test_size=0.3))
    report = train_head(random_store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=1))

    parts = read_split(tmp_path / "split.csv", read_labels(EmbeddingStore(random_store)))
    with EmbeddingStore(random_store) as store:
        means = np.stack([store.read(video_id).vectors.mean(axis=0, dtype=np.float64) for video_id in store.ids])
    truth = np.array([video_id.split("/")[0] for video_id in parts.ids])
    train, test = parts.indices("train"), parts.indices("test")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(means[train], truth[train])
    expected = (model.predict(means[test]) == truth[test]).mean()
    assert report.baselines["test"]["logistic-regression"].metrics.micro_f1 == pytest.approx(expected)


def test_logistic_regression_is_left_out_of_large_sets_with_a_note(
    toy_store: Path, split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.comparison.baselines._QUICK_WORK", 48 * 16 * 3 - 1)

    report = train_head(toy_store, split, tmp_path / "head", config=TrainConfig(epochs=1))

    assert report.baselines["test"].keys() == report.over_baselines.keys() == {"majority"}
    assert report.notes[-1] == (
        "Left out beside the head: logistic-regression and logistic-statistics. 48 training videos of 16 dimensions "
        "and 3 labels would take long. compare-heads --baselines logistic-regression,logistic-statistics includes them."
    )


def test_the_written_head_gives_probabilities_at_the_temperature_of_the_report(
    toy_store: Path, split: Path, tmp_path: Path
) -> None:
    report = train_head(toy_store, split, tmp_path / "head")

    loaded = VideoClassifier.load(tmp_path / "head")
    assert loaded.temperature == report.evaluations["test"].calibration.temperature != 1.0
    with EmbeddingStore(toy_store) as store:
        videos = VideoSet.read(store, store.ids)
        plain = replace(loaded, temperature=1.0)
        changed = np.abs(loaded.predict_probabilities(videos) - plain.predict_probabilities(videos)).max()
        decided = [head.decide(head.predict_probabilities(videos)) for head in (loaded, plain)]
    assert changed > 0.01
    assert (decided[0] == decided[1]).all()


def test_without_validation_videos_the_temperature_is_fitted_on_folds_of_the_training_part(
    random_store: Path, tmp_path: Path
) -> None:
    split_videos(random_store, tmp_path / "split.csv", config=SplitConfig(validation_size=0))

    report = train_head(random_store, tmp_path / "split.csv", tmp_path / "head")

    calibration = report.evaluations["test"].calibration
    assert calibration.temperature > 1.5  # it learned noise by heart
    assert calibration.error < calibration.error_before


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU takes the videos, instead of saying that it is none")
def test_a_trained_head_is_measured_on_the_device_that_is_asked_for(
    toy_store: Path, split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU appears when training is over, so that auto means it, and measuring finds out that it is none."""

    def appear(_: EpochRecord) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    config = TrainConfig(epochs=1, learning_rate=0.01, weight_decay=0, device="auto")
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
        train_head(toy_store, split, tmp_path / "head", config=config, on_epoch=appear)

    monkeypatch.undo()
    kept = VideoClassifier.load(tmp_path / "head")  # measured or not
    assert (kept.config, kept.metrics) == (config, {})


def test_the_history_file_has_a_row_an_epoch(toy_store: Path, split: Path, tmp_path: Path) -> None:
    train_head(toy_store, split, tmp_path / "head", config=TrainConfig(epochs=3))

    with (tmp_path / "head" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6"), ("3", "9")]
    assert 0 <= float(rows[-1]["validation_f1"]) <= 1


def test_two_runs_write_the_same_weights(toy_store: Path, split: Path, tmp_path: Path) -> None:
    train_head(toy_store, split, tmp_path / "one", config=TrainConfig(arch="transformer", epochs=2))
    train_head(toy_store, split, tmp_path / "two", config=TrainConfig(arch="transformer", epochs=2))

    first, second = ((tmp_path / name / "head.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


def test_videos_with_several_labels_are_trained_with_a_sigmoid_each(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    sets = [("x",), ("y",), ("x", "y")] * 20
    directions = {"x": np.eye(16)[0] * 3, "y": np.eye(16)[1] * 3}
    vectors = [sum(directions[label] for label in labels) + 0.2 * rng.standard_normal((4, 16)) for labels in sets]
    store = make_store({f"{index:02d}": video for index, video in enumerate(vectors)})
    rows = "".join(f"{index:02d},{'|'.join(labels)}\n" for index, labels in enumerate(sets))
    (tmp_path / "labels.csv").write_text(f"id,labels\n{rows}")
    split_videos(store, tmp_path / "split.csv", labels=tmp_path / "labels.csv")

    report = train_head(
        store,
        tmp_path / "split.csv",
        tmp_path / "head",
        labels=tmp_path / "labels.csv",
        config=TrainConfig(mixup=0, epochs=40, learning_rate=0.02),
    )

    assert report.loss.startswith("sigmoid and binary cross-entropy")
    assert report.parts["test"].micro_f1 == report.parts["test"].accuracy == 1.0
    assert report.baselines["test"]["logistic-regression"].metrics.micro_f1 == 1.0
    # Each label is on two videos of three, so the majority gives both to all: 2 TP of 4 for 6 labels given.
    assert report.baselines["test"]["majority"].metrics.micro_f1 == pytest.approx(0.8)


def test_failed_videos_with_a_label_are_noted(make_store: Callable[..., Path], tmp_path: Path) -> None:
    videos = {f"{name}/{index}": np.eye(16)[[index % 2]] for name in "ab" for index in range(10)}
    store = make_store(videos, failures=[Failure("a/broken", "a/broken", "no_frames", "empty")])
    rows = "".join(f"{video_id},{video_id[0]}\n" for video_id in [*videos, "a/broken"])
    (tmp_path / "labels.csv").write_text(f"id,label\n{rows}")
    split_videos(store, tmp_path / "split.csv", labels=tmp_path / "labels.csv")

    report = train_head(
        store,
        tmp_path / "split.csv",
        tmp_path / "head",
        labels=tmp_path / "labels.csv",
        config=TrainConfig(epochs=1),
    )

    assert report.notes == ("1 video labelled but not embedded (inspect-embeddings lists the reasons): a/broken.",)


def test_a_split_without_test_videos_is_refused(toy_store: Path, split: Path, tmp_path: Path) -> None:
    split.write_text(split.read_text().replace(",test,", ",train,"))

    with pytest.raises(SplitError, match=r"has no test video.*Make the split with split-videos"):
        train_head(toy_store, split, tmp_path / "head")


def test_an_output_that_is_no_head_is_refused_before_the_training(toy_store: Path, split: Path) -> None:
    with pytest.raises(HeadError, match=r"not part of a head.*Name another folder"):
        train_head(toy_store, split, toy_store.parent)


def test_an_output_that_cannot_be_written_is_refused_before_the_training(toy_store: Path, split: Path) -> None:
    epochs: list[object] = []

    with pytest.raises(HeadError, match=r"head cannot be written: Not a directory\..*or name another folder"):
        train_head(toy_store, split, split / "below" / "head", on_epoch=epochs.append)

    assert epochs == []


def test_a_run_that_fails_writes_nothing(toy_store: Path, split: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())

    with pytest.raises(ClassifyError):
        train_head(toy_store, split, tmp_path / "head", config=TrainConfig(arch="none"))

    assert sorted(tmp_path.iterdir()) == before


def test_a_note_names_the_settings_that_logistic_regression_has_of_its_own(separable: LabelledSet) -> None:
    asked = TrainConfig(arch="auto", device="cpu", optimizer="adamw", clip_norm=1.0)
    default, _, regression, *_ = list_candidates(separable, np.arange(60), asked)

    assert _note_own(asked, default) == ()
    (note,) = _note_own(asked, regression)
    assert note.endswith(
        "so these have no effect: `optimizer` adamw, `clip_norm` 1.0. To use them, name a head with --arch."
    )

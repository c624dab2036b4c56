"""Fine-tuning a block from stored activations: from a store to a saved head that needs no checkpoint."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from classify import CompareConfig, SplitConfig, TrainConfig, VideoClassifier, compare_heads, split_videos, train_head
from classify.classifier import export_head, predict_videos
from classify.errors import EncoderMismatch, HeadError
from classify.training import RECIPES
from tests.classify.activations import identity_of, write_activations, write_checkpoint
from tests.media import write_video

CONFIG = TrainConfig("last-block", **{**RECIPES["last-block"], "epochs": 3, "batch_size": 8, "learning_rate": 1e-4})


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, a store and its split."""
    folder = tmp_path_factory.mktemp("work")
    write_activations(folder / "a.h5", identity_of(write_checkpoint(folder)))
    split_videos(folder / "a.h5", folder / "split.csv", config=SplitConfig(validation_size=0.2, test_size=0.3))
    return folder


@pytest.fixture(scope="module")
def head(work: Path) -> Path:
    train_head(work / "a.h5", work / "split.csv", work / "head", config=CONFIG)
    return work / "head"


def test_a_block_learns_what_activations_tell_apart(head: Path) -> None:
    assert VideoClassifier.load(head).metrics["test"]["micro_f1"] == 1.0


def test_a_saved_head_needs_no_checkpoint(work: Path, head: Path, tmp_path: Path) -> None:
    before = predict_videos(head, work / "a.h5")
    (work / "s3d.pt").rename(tmp_path / "elsewhere.pt")
    try:
        classifier = VideoClassifier.load(head)
        after = predict_videos(head, work / "a.h5")
    finally:
        (tmp_path / "elsewhere.pt").rename(work / "s3d.pt")
    assert after.to_json() == before.to_json()
    assert sum(own.numel() for own in classifier.head.parameters()) < 2_000_000  # of 8 million


def test_a_new_video_is_stopped_before_the_block_and_labelled(head: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "new.mp4", 20)
    found = predict_videos(head, tmp_path / "new.mp4")
    assert [video.video_id for video in found.videos] == ["new.mp4"]


def test_an_exported_block_gives_what_torch_gives(head: Path, tmp_path: Path) -> None:
    summary = export_head(head, tmp_path / "head.onnx")
    assert summary.largest_difference < 1e-4
    assert (tmp_path / "head.onnx").stat().st_size > 4_000_000


def test_the_same_seed_gives_the_same_block_with_mixup_in_memory_and_from_disk(work: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, mixup=0.4, epochs=1)
    runs = [
        train_head(work / "a.h5", work / "split.csv", tmp_path / name, config=replace(config, stream=stream))
        for name, stream in (("memory", False), ("disk", True))
    ]
    one, two = (run.classifier.head.state_dict() for run in runs)
    assert all(torch.equal(own, two[name]) for name, own in one.items())


def test_activations_are_not_standardised(head: Path) -> None:
    classifier = VideoClassifier.load(head)
    assert not classifier.config.standardise
    assert not classifier.head.mean.any()
    assert (classifier.head.deviation == 1).all()


def test_a_checkpoint_that_moved_can_be_named(work: Path, tmp_path: Path) -> None:
    (work / "s3d.pt").rename(tmp_path / "moved.pt")
    try:
        config = replace(CONFIG, epochs=1, pretrained=str(tmp_path / "moved.pt"))
        train_head(work / "a.h5", work / "split.csv", tmp_path / "head", config=config)
    finally:
        (tmp_path / "moved.pt").rename(work / "s3d.pt")


@pytest.mark.parametrize("arch", ["linear", "auto", "transformer"])
def test_other_heads_refuse_activations(work: Path, tmp_path: Path, arch: str) -> None:
    with pytest.raises(
        HeadError, match=rf"has what enters features\.15 of s3d.*for the {arch} head.*--arch last-block"
    ):
        train_head(work / "a.h5", work / "split.csv", tmp_path / "head", config=TrainConfig(arch))


def test_a_comparison_refuses_activations(work: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadError, match=r"compare-heads does not train encoders\. Use train-head --arch last-block"):
        compare_heads(work / "a.h5", tmp_path / "comparison", config=CompareConfig())


def test_vectors_of_a_whole_encoder_are_refused(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    with pytest.raises(HeadError, match=r"there is no block to train.*--stop-before.*another --arch"):
        train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=CONFIG)


def test_a_head_of_activations_refuses_vectors(head: Path, toy_store: Path) -> None:
    with pytest.raises(EncoderMismatch):
        predict_videos(head, toy_store)

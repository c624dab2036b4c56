"""Heads that learned from reduced vectors label new videos, wherever the PCA and the head are moved."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify import (
    HeadError,
    LabelledSet,
    TrainConfig,
    TrainingReport,
    predict_videos,
    read_labels,
    split_videos,
    train_head,
)
from classify.training import open_videos
from embed import EmbedConfig, EmbeddingStore, PcaConfig, UniformFrames, embed_videos, fit_pca, reduce_store
from tests.classify.classifier.test_prediction import COLOURS, write_clip

CONFIG = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2), batch_size=8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and green clips, embedded whole, their split, and a PCA of the training videos and one of all."""
    base = tmp_path_factory.mktemp("base")
    for seed, (name, colour) in enumerate([*COLOURS.items()] * 6):
        write_clip(base / "videos" / name / f"{seed:02d}.avi", colour, seed)
    write_clip(base / "new" / "unseen.avi", COLOURS["red"], 99)
    embed_videos([base / "videos"], base / "whole.h5", CONFIG)
    split_videos(base / "whole.h5", base / "split.csv")
    fit_pca(base / "whole.h5", base / "pca.safetensors", PcaConfig(4, split=base / "split.csv"))
    fit_pca(base / "whole.h5", base / "leaky.safetensors", PcaConfig(4))
    return base


def trained(base: Path, folder: Path, *, pca: Path) -> TrainingReport:
    """Reduce the store into a folder with its own copy of a PCA, and train a head there."""
    copied = shutil.copy(pca, folder / "pca.safetensors")
    reduce_store(base / "whole.h5", folder / "reduced.h5", pca=copied, is_quantised=True)
    config = TrainConfig(mixup=0, epochs=40, learning_rate=0.02)
    return train_head(folder / "reduced.h5", base / "split.csv", folder / "head", config=config)


def test_a_head_takes_its_pca_along_and_reduces_new_videos_by_it(base: Path, tmp_path: Path) -> None:
    report = trained(base, tmp_path, pca=base / "pca.safetensors")
    assert report.classifier.provenance.storage == "uint8"
    assert not [note for note in report.notes if "PCA" in note]
    shutil.move(tmp_path / "head", tmp_path / "elsewhere")
    (tmp_path / "pca.safetensors").unlink()
    (video,) = predict_videos(tmp_path / "elsewhere", base / "new").videos
    assert video.labels == ("red",)


def test_new_videos_get_the_probabilities_of_the_same_videos_in_a_store(base: Path, tmp_path: Path) -> None:
    trained(base, tmp_path, pca=base / "pca.safetensors")
    config = replace(CONFIG, pca=str(tmp_path / "pca.safetensors"), is_quantised=True)
    embed_videos([base / "new"], tmp_path / "new.h5", config)
    stored = predict_videos(tmp_path / "head", tmp_path / "new.h5").videos[0]
    embedded = predict_videos(tmp_path / "head", base / "new").videos[0]
    assert {**embedded.probabilities} == pytest.approx({**stored.probabilities}, abs=1e-6)


def test_a_pca_that_saw_test_videos_is_noted_with_what_to_do(base: Path, tmp_path: Path) -> None:
    report = trained(base, tmp_path, pca=base / "leaky.safetensors")
    (note,) = [note for note in report.notes if "PCA" in note]
    count = report.evaluations["test"].metrics.videos
    assert f"was fitted on {count} test video" in note
    assert "fit-pca --split" in note


def test_a_lost_pca_is_noted_by_training_and_an_error_only_for_new_videos(base: Path, tmp_path: Path) -> None:
    copied = shutil.copy(base / "pca.safetensors", tmp_path / "pca.safetensors")
    reduce_store(base / "whole.h5", tmp_path / "reduced.h5", pca=copied)
    (tmp_path / "pca.safetensors").unlink()
    config = TrainConfig(mixup=0, epochs=2)
    report = train_head(tmp_path / "reduced.h5", base / "split.csv", tmp_path / "head", config=config)
    assert any("can label stores but no new videos. Copy the file into its folder" in note for note in report.notes)
    assert len(predict_videos(tmp_path / "head", tmp_path / "reduced.h5").videos) == 12
    with pytest.raises(HeadError, match=r"were reduced \(PCA of 1,280 .*Copy the file .*head as pca\.safetensors"):
        predict_videos(tmp_path / "head", base / "new")
    shutil.copy(base / "pca.safetensors", tmp_path / "head" / "pca.safetensors")
    assert len(predict_videos(tmp_path / "head", base / "new").videos) == 1


def test_a_head_of_whole_vectors_replaces_the_pca_of_the_head_before(base: Path, tmp_path: Path) -> None:
    trained(base, tmp_path, pca=base / "pca.safetensors")
    assert (tmp_path / "head" / "pca.safetensors").exists()
    train_head(base / "whole.h5", base / "split.csv", tmp_path / "head", config=TrainConfig(epochs=2))
    assert not (tmp_path / "head" / "pca.safetensors").exists()


def test_codes_that_stay_on_disk_are_the_vectors_that_are_read_into_memory(base: Path, tmp_path: Path) -> None:
    reduce_store(base / "whole.h5", tmp_path / "small.h5", is_quantised=True)
    with EmbeddingStore(tmp_path / "small.h5") as store:
        rows = [open_videos(store, store.ids, stream=stream).rows_of(np.arange(5)) for stream in (False, True)]
    assert rows[0].dtype == np.float16
    np.testing.assert_array_equal(*rows)


def test_a_set_of_a_reduced_store_says_so_also_where_videos_are_taken(base: Path, tmp_path: Path) -> None:
    reduce_store(base / "whole.h5", tmp_path / "reduced.h5", pca=base / "pca.safetensors")
    for path, expected in ((tmp_path / "reduced.h5", True), (base / "whole.h5", False)):
        with EmbeddingStore(path) as store:
            dataset = LabelledSet.read(store, read_labels(store))
            assert dataset.is_reduced is expected
            assert dataset.take(np.arange(3)).is_reduced is expected

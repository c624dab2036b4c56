"""Stores of what enters a block: their rows, their space, and what a run does with them."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from embed import EmbedConfig, EmbeddingStore, Encoder, embed_videos
from embed.encoders.cutting import stop_before
from embed.encoders.torch_encoder import TorchModel
from embed.errors import EncoderError, StoreError, StoreMismatch
from embed.machine import Progress
from embed.run import report_text
from embed.store import inspect_embeddings
from embed.video import Clips, UniformFrames
from tests.embed.encoders.small_models import Chain, small_swin, torch_model
from tests.media import write_damaged_stream, write_video

PATH = "features.2"
CONFIG = EmbedConfig(sampling=Clips(4, "auto", 2), batch_size=2, stop_before=PATH)


@pytest.fixture(scope="module")
def model() -> TorchModel:
    torch.manual_seed(0)
    network, dimension, window, side_px = small_swin()
    return torch_model(network, dimension, window=window, side_px=side_px)


@pytest.fixture
def encoder(model: TorchModel) -> Encoder:
    return stop_before(copy.deepcopy(model), PATH).on("cpu", "float32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three videos of 10 to 30 frames."""
    (tmp_path / "videos").mkdir()
    for number in range(3):
        write_video(tmp_path / "videos" / f"{number}.mp4", 10 + 10 * number)
    return tmp_path / "videos"


def test_a_row_is_what_enters_the_block_and_the_store_says_which(
    folder: Path, tmp_path: Path, encoder: Encoder
) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert (store.provenance.encoder.stop_before, store.provenance.encoder.shape) == (PATH, (2, 4, 4, 16))
        assert store.read("1.mp4").vectors.shape == (2, 512)
        assert np.isfinite(store.read("1.mp4").vectors).all()
    report = inspect_embeddings(tmp_path / "s.h5", is_verifying=True)
    assert report.problems == ()
    assert "what enters features.2, 2 x 4 x 4 x 16" in report_text(report)


def test_a_run_that_was_stopped_goes_on_to_the_same_rows(folder: Path, tmp_path: Path, encoder: Encoder) -> None:
    def stop(progress: Progress) -> None:
        if progress.videos_done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder, on_progress=stop)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert len(store) == 1
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder)
    embed_videos([folder], tmp_path / "whole.h5", CONFIG, encoder=encoder)
    with EmbeddingStore(tmp_path / "s.h5") as store, EmbeddingStore(tmp_path / "whole.h5") as whole:
        assert [*store.ids] == [*whole.ids]
        for video_id in whole.ids:
            np.testing.assert_array_equal(store.read(video_id).vectors, whole.read(video_id).vectors)


def test_activations_before_another_block_and_vectors_do_not_mix(
    folder: Path, tmp_path: Path, model: TorchModel, encoder: Encoder
) -> None:
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder)
    other = stop_before(copy.deepcopy(model), "norm").on("cpu", "float32")
    with pytest.raises(StoreMismatch, match=r"stop before is features\.2, not norm"):
        embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=other)
    with pytest.raises(StoreMismatch, match=r"stop before is features\.2, not nothing"):
        embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=copy.deepcopy(model).on("cpu", "float32"))


def test_a_broken_video_is_a_failure_and_the_others_are_stored(folder: Path, tmp_path: Path, encoder: Encoder) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    write_damaged_stream(folder / "damaged.mp4")
    summary = embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder)
    assert (summary.embedded + summary.failed, summary.failed >= 1) == (5, True)


def test_numbers_beyond_float16_are_a_failure_that_says_so(folder: Path, tmp_path: Path) -> None:
    model = torch_model(Chain(), 6)
    with torch.no_grad():
        norm = model.network.get_submodule("norm")
        assert isinstance(norm, nn.LayerNorm)
        norm.weight.fill_(1e6)
    encoder = stop_before(model, "third").on("cpu", "float32")
    config = EmbedConfig(sampling=UniformFrames(2), stop_before="third")
    summary = embed_videos([folder], tmp_path / "s.h5", config, encoder=encoder)
    assert summary.failed == 3
    assert summary.failures[0].reason == "encode_error"
    assert summary.failures[0].detail == "what enters third holds values beyond float16, which ends at 65,504"


def test_the_space_is_told_once_before_any_is_taken(folder: Path, tmp_path: Path, encoder: Encoder) -> None:
    seen: list[Progress] = []
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder, on_progress=seen.append)
    assert seen[0].note == (
        "What enters features.2 of small takes 1.0 KB a clip: 2 x 4 x 4 x 16 numbers of float16. 3 videos with at "
        "most 6 clips take up to 6.1 KB."
    )
    assert seen[0].frames == 0
    assert not any(progress.note for progress in seen[1:])
    seen.clear()
    write_video(folder / "new.mp4", 20)
    embed_videos([folder], tmp_path / "s.h5", CONFIG, encoder=encoder, on_progress=seen.append)
    assert "1 video with at most 2 clips" in seen[0].note


def test_what_the_disk_cannot_hold_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path, encoder: Encoder
) -> None:
    config = EmbedConfig(sampling=Clips(4, "auto", 10**12), stop_before=PATH)
    with pytest.raises(StoreError, match=r"The disk of .* has .* left\. A store in one file takes twice .* with -o\."):
        embed_videos([folder], tmp_path / "s.h5", config, encoder=encoder)
    with pytest.raises(StoreError, match=r"left\. Embed fewer clips"):
        embed_videos([folder], tmp_path / "shards", config, encoder=encoder)
    assert not (tmp_path / "s.h5").exists()
    assert not (tmp_path / "shards").exists()


def test_activations_are_not_reduced() -> None:
    with pytest.raises(ValueError, match="Leave those out"):
        EmbedConfig(stop_before=PATH, is_quantised=True)
    with pytest.raises(ValueError, match="Leave those out"):
        EmbedConfig(stop_before=PATH, pca="pca.safetensors")


def test_a_model_that_is_no_torch_model_of_ours_cannot_be_stopped(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="int8 changes the layers"):
        embed_videos([folder], tmp_path / "s.h5", EmbedConfig("mvit_v2_s", precision="int8", stop_before="blocks.15"))

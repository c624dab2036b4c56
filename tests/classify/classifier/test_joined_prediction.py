"""A head of several encoders labels new videos: they are embedded with each, and joined as its own were."""

from pathlib import Path

import numpy as np
import pytest

from classify import TrainConfig, predict_videos, split_videos, stream_predictions, train_head
from classify.classifier import PredictConfig
from classify.errors import ClassifyError
from embed import EmbedConfig, UniformFrames, embed_videos, join_stores
from tests.media import write_video

MODELS = ("efficientnet-lite0", "efficientnet-lite1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of two classes, two stores of them, both joined, and a head on these."""
    folder = tmp_path_factory.mktemp("joined")
    for number in range(8):
        name = "odd" if number % 2 else "even"
        (folder / "videos" / name).mkdir(parents=True, exist_ok=True)
        numbers = [900 * (number % 2) + 10 * number + frame for frame in range(4)]
        write_video(folder / "videos" / name / f"{number}.mp4", 4, numbers=numbers)
    for model, count in zip(MODELS, (3, 2), strict=True):
        config = EmbedConfig(model=model, sampling=UniformFrames(count), device="cpu", batch_size=4)
        embed_videos(folder / "videos", folder / f"{model}.h5", config)
    join_stores([folder / f"{model}.h5" for model in MODELS], folder / "both.h5")
    split_videos(folder / "both.h5", folder / "split.csv")
    train_head(folder / "both.h5", folder / "split.csv", folder / "head", config=TrainConfig(epochs=20))
    return folder


def test_new_videos_get_the_labels_that_their_joined_store_gets(folder: Path) -> None:
    of_videos = predict_videos(folder / "head", folder / "videos", config=PredictConfig(device="cpu", batch_size=4))
    of_store = predict_videos(folder / "head", folder / "both.h5")

    assert [video.video_id for video in of_videos.videos] == [video.video_id for video in of_store.videos]
    for one, other in zip(of_videos.videos, of_store.videos, strict=True):
        np.testing.assert_allclose([*one.probabilities.values()], [*other.probabilities.values()], atol=1e-3)


def test_a_video_that_fails_is_told_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("x")

    found = predict_videos(folder / "head", [tmp_path / "broken.mp4", folder / "videos/odd/1.mp4"])

    assert [failure.id for failure in found.failures] == ["broken.mp4"]
    assert len(found.videos) == 1


def test_streamed_predictions_of_new_videos_are_the_same(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("x")
    sources = [tmp_path / "broken.mp4", folder / "videos/odd/1.mp4"]
    predict_videos(folder / "head", sources, tmp_path / "whole.csv")

    stream_predictions(folder / "head", sources, tmp_path / "streamed.csv")

    assert (tmp_path / "streamed.csv").read_text() == (tmp_path / "whole.csv").read_text()


@pytest.mark.parametrize("option", ["pretrained", "store"])
def test_settings_of_one_encoder_are_refused(folder: Path, tmp_path: Path, option: str) -> None:
    config = PredictConfig(**{option: tmp_path / "x"})

    with pytest.raises(ClassifyError, match=rf"--{option} is for heads of one encoder.*lite0 and efficientnet-lite1"):
        predict_videos(folder / "head", folder / "videos", config=config)

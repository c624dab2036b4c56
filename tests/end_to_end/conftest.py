"""A folder with what the commands read, for tests that end them at any moment."""

from pathlib import Path

import numpy as np
import pytest

from classify import TrainConfig, split_videos, train_head
from embed import EncoderIdentity, Provenance, StoreWriter, VideoRecord
from embed.video import Preprocessing
from tests.media import write_video

DIMENSION = 8


def write_store(path: Path, provenance: Provenance, *, first: int = 0, count: int = 24, doubtful: int = 0) -> None:
    """Write a store of two separable classes; the first videos of it, as many as are doubtful, are in the wrong one."""
    rng = np.random.default_rng(first)
    with StoreWriter(path, provenance) as writer:
        for number in range(first, first + count):
            name = ("hug", "kick")[number % 2]
            vectors = rng.standard_normal((3, DIMENSION)) + 3 * ((number + (number - first < doubtful)) % 2)
            writer.append(VideoRecord(f"{name}/{number:02}.mp4", content_hash=f"{number}"), vectors, np.arange(3))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with stores, splits, a head and videos."""
    preprocessing = Preprocessing(224, 224, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    identity = EncoderIdentity("open_clip", "toy-encoder", "toy.pt", "0" * 64, DIMENSION, preprocessing)
    provenance = Provenance(identity, {"name": "uniform", "count": 3})
    folder = tmp_path / "base"
    folder.mkdir()
    for number, name in enumerate("abcd"):
        write_store(folder / f"{name}.h5", provenance, first=100 * number, doubtful=2 if name == "d" else 0)
    for number in range(8):
        label = folder / "videos" / ("hug", "kick")[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        write_video(label / f"{number}.mp4", 8, numbers=range(number, number + 8))
    split_videos(folder / "a.h5", folder / "split.csv")
    split_videos(folder / "d.h5", folder / "split-d.csv")
    train_head(folder / "a.h5", folder / "split.csv", folder / "head", config=TrainConfig(epochs=2))
    return folder

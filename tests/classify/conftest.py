"""Sets of videos with known answers, and stores that hold them."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from torch import Tensor

from classify import LabelledSet, VideoSet, cli
from classify.heads.standardised import StandardisedHead
from classify.training.device_sets import place_videos
from classify.training.logits import head_logits
from classify.training.mixup import Step
from embed import EncoderIdentity, Failure, Provenance, StoreWriter, VideoRecord, load_encoder
from embed.video.preprocessing import Preprocessing
from tests.embed.encoders.frames import SMALL_CLIP

DIMENSION = 16
CLASSES = ("hug", "kick", "wave")

Moments = Callable[[int], NDArray[np.floating]]
"""Returns the timestamps (T,), in seconds, of T vectors."""


def labelled(vectors: NDArray[np.floating], classes: NDArray[np.int64]) -> LabelledSet:
    """Return a set of videos (N, T, D) of two classes."""
    ids = tuple(f"{index:03d}.mp4" for index in range(len(vectors)))
    rows, counts = vectors.reshape(-1, vectors.shape[2]).astype(np.float32), np.full(len(vectors), vectors.shape[1])
    return LabelledSet(VideoSet(ids, rows, counts), ("a", "b"), classes[:, None] == np.arange(2))


def logits_of(head: StandardisedHead, videos: VideoSet) -> Tensor:
    """Return the logits (N, C) of N videos."""
    data = place_videos(videos, head, torch.device("cpu"))
    (batch,) = data.batches([Step(np.arange(len(videos)))])
    return head_logits(head, batch).detach()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny matrices are slower on several threads than on one."""
    torch.set_num_threads(1)


@pytest.fixture
def provenance() -> Provenance:
    """The provenance of the stores' vectors."""
    preprocessing = Preprocessing(224, 224, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    encoder = EncoderIdentity("open_clip", "toy-encoder", "toy.pt", "0" * 64, DIMENSION, preprocessing)
    return Provenance(encoder, {"name": "uniform", "count": 8})


@pytest.fixture
def make_store(tmp_path: Path, provenance: Provenance) -> Callable[..., Path]:
    """Write a store of id -> vectors (T, D), with failures, another provenance, and timestamps as a function of T."""

    def make(
        videos: Mapping[str, NDArray[np.float32]],
        *,
        name: str = "embeddings.h5",
        failures: Sequence[Failure] = (),
        made_by: Provenance = provenance,
        moments: Moments = np.arange,
    ) -> Path:
        with StoreWriter(tmp_path / name, made_by) as writer:
            for video_id, vectors in videos.items():
                record = VideoRecord(video_id, location=str(tmp_path / "videos" / video_id))
                writer.append(record, vectors, moments(len(vectors)))
            for failure in failures:
                writer.append_failure(failure)
        return tmp_path / name

    return make


@pytest.fixture
def toy_store(make_store: Callable[..., Path]) -> Path:
    """Three classes of 20 videos with 3 to 8 vectors around a point of their class. The folder is the class."""
    rng = np.random.default_rng(0)
    centres = np.eye(len(CLASSES), DIMENSION) * 3
    ids = [f"{name}/{index:02d}.mp4" for name in CLASSES for index in range(20)]
    return make_store(
        {
            video_id: centres[CLASSES.index(video_id.split("/")[0])]
            + 0.3 * rng.standard_normal((rng.integers(3, 9), DIMENSION))
            for video_id in ids
        }
    )


@pytest.fixture
def random_store(make_store: Callable[..., Path]) -> Path:
    """Two classes of 30 videos whose vectors do not depend on the class."""
    rng = np.random.default_rng(2)
    ids = [f"{name}/{index:02d}.mp4" for name in ("hug", "kick") for index in range(30)]
    return make_store({video_id: rng.standard_normal((4, DIMENSION)).astype(np.float32) for video_id in ids})


@pytest.fixture
def clip_store(make_store: Callable[..., Path], checkpoint: Path) -> Path:
    """Two classes of 15 videos with 2 to 5 vectors of a small CLIP, random and of random lengths."""
    identity = load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu").identity
    rng = np.random.default_rng(0)
    ids = [f"{name}/{index:02d}.mp4" for name in ("hand_shake", "kick") for index in range(15)]
    videos = {
        video_id: rng.standard_normal((rng.integers(2, 6), identity.dimension)) * rng.uniform(0.2, 5)
        for video_id in ids
    }
    return make_store(videos, made_by=Provenance(identity, {"name": "uniform", "count": 5}))


@pytest.fixture
def separable() -> LabelledSet:
    """Three classes of 40 videos with 2 to 6 vectors, which pass a point of the class in a direction of the class."""
    rng = np.random.default_rng(0)
    classes = np.arange(120) % 3
    counts = rng.integers(2, 7, size=120)
    centres = np.eye(3, DIMENSION) * 3
    directions = np.roll(centres, 3, axis=1)
    moments = np.concatenate([np.linspace(-0.5, 0.5, count) for count in counts])
    class_of = np.repeat(classes, counts)
    rows = centres[class_of] + directions[class_of] * moments[:, None]
    vectors = (rows + 0.3 * rng.standard_normal(rows.shape)).astype(np.float32)
    ids = tuple(f"{index:03d}.mp4" for index in range(120))
    timestamps_s = np.concatenate([7 + np.arange(count, dtype=np.float32) ** 1.5 for count in counts])
    videos = VideoSet(ids, vectors, counts, read_timestamps=lambda: timestamps_s)
    return LabelledSet(videos, CLASSES, classes[:, None] == np.arange(3))


@pytest.fixture
def several_labels() -> LabelledSet:
    """240 videos with any of 3 labels, also none or all. Each label adds a point of its own and a movement past it."""
    rng = np.random.default_rng(0)
    targets = rng.random((240, 3)) < 0.5
    points, moves = np.eye(3, 16) * 3, np.eye(3, 16, 3) * 3
    videos = (targets @ points)[:, None] + (targets @ moves)[:, None] * np.linspace(-0.5, 0.5, 4)[:, None]
    rows = videos.reshape(-1, 16) + 0.2 * rng.standard_normal((960, 16))
    ids = tuple(f"{index:03d}.mp4" for index in range(240))
    return LabelledSet(VideoSet(ids, rows.astype(np.float32), np.full(240, 4)), ("a", "b", "c"), targets)


@pytest.fixture
def noisy() -> LabelledSet:
    """300 videos with 4 vectors, of two classes that overlap."""
    rng, classes = np.random.default_rng(0), np.arange(300) % 2
    return labelled(classes[:, None, None] * 0.25 + rng.normal(size=(300, 4, 16)), classes)


@pytest.fixture
def small_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build heads of millions of weights with fewer, because their steps take long (test_registry.py has full ones)."""
    monkeypatch.setattr("classify.heads.recurrent.UNITS", 64)
    monkeypatch.setattr("classify.heads.recurrent.FALLING_UNITS", (64, 32, 32))
    monkeypatch.setattr("classify.heads.dbof.CLUSTERS", 256)
    monkeypatch.setattr("classify.heads.dbof.HIDDEN", 64)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in the folder of the store."""
    monkeypatch.chdir(tmp_path)

    def call(command: str, *arguments: object) -> Result:
        return CliRunner().invoke(getattr(cli, command), [str(argument) for argument in arguments])

    return call


@pytest.fixture(scope="session")
def first_training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that gets split.csv and head/ of the first test that trains on the toy store: all others get copies."""
    return tmp_path_factory.mktemp("first training")


@pytest.fixture
def trained(run: Callable[..., Result], toy_store: Path, tmp_path: Path, first_training: Path) -> Callable[..., Result]:
    """Split the toy store and train a head on it, in the default folders."""
    if not (first_training / "head").exists():
        assert run("split_videos", toy_store).exit_code == 0
        result = run("train_head", toy_store, "--split", "split.csv", "--learning-rate", "0.02")
        assert result.exit_code == 0, result.output
        shutil.copy2("split.csv", first_training)
        shutil.copytree("head", first_training / "head")
    else:
        shutil.copytree(first_training, tmp_path, dirs_exist_ok=True)
    return run

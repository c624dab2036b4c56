"""Clips of one colour, a head that tells their colours, and a head on toy vectors."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from classify import LabelledSet, TrainConfig, VideoClassifier, fit_head, read_labels
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos

COLOURS = {"green": (30, 160, 60), "red": (200, 30, 40)}


def write_clip(path: Path, colours: list[str], seed: int) -> Path:
    """Write a clip that shows each colour for a second, 64 x 64 pixels with some noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for number in range(10 * len(colours)):
            rgb = np.clip(COLOURS[colours[number // 10]] + rng.integers(-30, 30, (64, 64, 3)), 0, 255)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def save_head(store: Path, folder: Path, *, thresholds: tuple[float, ...] | None = None) -> Path:
    """Train a linear head on all videos of a store, whose folders are their labels, and save it."""
    with EmbeddingStore(store) as opened:
        table = read_labels(opened)
        dataset = LabelledSet.read(opened, table)
        nobody, config = np.array([], dtype=np.int64), TrainConfig(epochs=40, device="cpu")
        run = fit_head(dataset, np.arange(len(table.ids)), nobody, config)
        VideoClassifier(run.head, table.names, thresholds, opened.provenance, config).save(folder)
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, their store and a head; and new clips, one of them broken."""
    root = tmp_path_factory.mktemp("clips")
    for seed in range(6):
        write_clip(root / "videos" / ("green", "red")[seed % 2] / f"{seed}.avi", [("green", "red")[seed % 2]], seed)
    write_clip(root / "new" / "both.avi", ["green", "red", "green"], 10)
    write_clip(root / "new" / "red.avi", ["red"], 11)
    (root / "new" / "broken.avi").write_bytes(b"no video")
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(6), batch_size=8)
    embed_videos([root / "videos"], root / "embeddings.h5", config)
    save_head(root / "embeddings.h5", root / "head")
    return root


@pytest.fixture
def toy_head(toy_store: Path, tmp_path: Path) -> Path:
    """A head on the vectors of the toy store: hug, kick and wave."""
    return save_head(toy_store, tmp_path / "head")


@pytest.fixture
def other_head(toy_store: Path, tmp_path: Path) -> Path:
    """A head of the same labels and other thresholds."""
    return save_head(toy_store, tmp_path / "other-head", thresholds=(0.5, 0.5, 0.5))


@pytest.fixture
def seen() -> Callable[[list[object]], int]:
    """Return how many videos were decoded, by the progress of a run."""
    return lambda progress: max((own.videos_total for own in progress), default=0)  # type: ignore[attr-defined]

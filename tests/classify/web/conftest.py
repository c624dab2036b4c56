"""A small collection of real videos with real vectors, a head for it, and a server over both."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from classify import LabelledSet, TrainConfig, VideoClassifier, fit_head
from classify.training import open_videos
from classify.web import ServeConfig, UploadLimits
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos
from tests.classify.web.serving import Served, served
from tests.classify.web.shown import browser, open_page, shown  # noqa: F401 - fixtures of the tests of the page
from tests.media import write_moving_video, write_video

LABELS = ("moving", "numbered")


@pytest.fixture(scope="module", autouse=True)
def _temporary_files_are_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep uploads where no other process has any: tests look what is left of them."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("t"))
    yield
    tempfile.tempdir = before


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with videos/ of two labels, 4 each, embeddings.h5 of EfficientNet-Lite0, and head/, which tells them
    apart."""
    folder = tmp_path_factory.mktemp("collection")
    for number in range(4):
        for label in LABELS:
            (folder / "videos" / label).mkdir(parents=True, exist_ok=True)
        write_video(folder / "videos" / "numbered" / f"{number}.mp4", 30 + number)
        write_moving_video(folder / "videos" / "moving" / f"{number}.mp4", 30 + number, codec="libx264", options={})
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(4), batch_size=4, device="cpu", workers=1)
    embed_videos(folder / "videos", folder / "embeddings.h5", config)
    with EmbeddingStore(folder / "embeddings.h5") as store:
        targets = np.array([[video_id.startswith(label) for label in LABELS] for video_id in store.ids])
        videos = LabelledSet(open_videos(store, store.ids, device="cpu"), LABELS, targets)
        run = fit_head(videos, np.arange(8), np.arange(0), TrainConfig(arch="linear", epochs=30, device="cpu"))
        head = VideoClassifier(run.head, LABELS, run.thresholds, store.provenance, run.config)
    head.save(folder / "head")
    return folder


@pytest.fixture(scope="module")
def server(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over the collection, whose state is the module's own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "embeddings.h5").write_bytes((collection / "embeddings.h5").read_bytes())
    config = ServeConfig(
        collection / "head",
        folder / "embeddings.h5",
        port=0,
        device="cpu",
        limits=UploadLimits(upload_bytes=4 << 20, duration_s=30, files=4, waiting=6, timeout_s=20, idle_s=1),
    )
    with served(config) as found:
        yield found

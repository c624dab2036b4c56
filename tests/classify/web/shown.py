"""A collection of small coloured clips, a head trained on it, the server that shows both, and a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np
import pytest

from classify import SplitConfig, TrainConfig, split_videos, train_head
from classify.web import ServeConfig
from embed import EmbedConfig, UniformFrames, embed_videos
from tests.browsers import open_browser
from tests.classify.web.serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

COLOURS = {"blue": (20, 40, 220), "green": (20, 200, 60), "red": (220, 30, 30)}
CLIPS_PER_LABEL = 6
SECONDS, FPS = 4, 10
WIDTH_PX, HEIGHT_PX = 160, 96

OpenPage = Callable[..., "Page"]


class Shown(NamedTuple):
    """A served collection: its address, the ids of its videos, a clip that it lacks, and a file that is no video."""

    url: str
    ids: tuple[str, ...]
    new_clip: Path
    broken: Path


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Embed 18 clips of three colours, train a head, and serve both."""
    folder = tmp_path_factory.mktemp("collection")
    for label in COLOURS:
        for index in range(CLIPS_PER_LABEL):
            write_clip(folder / "videos" / label / f"{index:02d}.mp4", label, seed=index)
    write_clip(folder / "new" / "a new red clip.mp4", "red", seed=100)
    (folder / "new" / "broken.mp4").write_text("no video at all")
    store, split, head = (folder / name for name in ("embeddings.h5", "split.csv", "head"))
    embed_videos(folder / "videos", store, EmbedConfig("efficientnet-lite0", sampling=UniformFrames(6), workers=1))
    split_videos(store, split, config=SplitConfig())
    train_head(store, split, head, config=TrainConfig(epochs=10, learning_rate=1e-2))
    ids = tuple(f"{label}/{index:02d}.mp4" for label in COLOURS for index in range(CLIPS_PER_LABEL))
    with served(ServeConfig(head, store, port=0, device="cpu")) as server:
        yield Shown(server.url, ids, folder / "new" / "a new red clip.mp4", folder / "new" / "broken.mp4")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Start one browser for all tests of the page."""
    with open_browser() as running:
        yield running


@pytest.fixture
def open_page(browser: "Browser", shown: Shown) -> Iterator[OpenPage]:
    """Open addresses of the page in new windows; at the end, nothing was complained of and no other host was asked."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    asked: list[str] = []

    def open_one(address: str = "/", *, width: int = 1280, scheme: str = "light", is_broken: bool = False) -> "Page":
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 800},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=width < 600,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if not is_broken:
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(shown.url + address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((shown.url, "blob:", "data:"))] == []


def write_clip(path: Path, label: str, *, seed: int) -> None:
    """Write an H.264 clip: grey noise for its first half, then noise of the label's colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    grey = random.integers(90, 150, (HEIGHT_PX // 8, WIDTH_PX // 8, 1)).repeat(3, axis=2)
    coloured = np.clip(grey - 120 + np.array(COLOURS[label]), 0, 255)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as goal:
        stream = goal.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(SECONDS * FPS):
            small = grey if number < SECONDS * FPS // 2 else coloured
            rgb = np.roll(small, number, axis=1).repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
            goal.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        goal.mux(stream.encode())

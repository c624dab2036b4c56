"""A served collection and a browser that looks at it, for scripts about the page."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from classify import split_videos, train_head
from embed import EmbedConfig, UniformFrames, embed_videos

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_SERVE = "from classify.cli import serve_videos; serve_videos()"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def prepare(videos: Path, folder: Path, *, frames_count: int) -> tuple[Path, Path]:
    """Embed a folder of labelled videos, train a head, and return (head, store); what is there already is kept."""
    store, split, head = folder / "embeddings.h5", folder / "split.csv", folder / "head"
    if not store.exists():
        embed_videos(videos, store, EmbedConfig("efficientnet-lite0", sampling=UniformFrames(frames_count)))
    if not head.exists():
        split_videos(store, split)
        train_head(store, split, head)
    return head, store


@contextmanager
def serving(head: Path, store: Path) -> Iterator[str]:
    """Run serve-videos until the block ends. Yields the page's address as soon as it is there."""
    command = [sys.executable, "-c", _SERVE, str(head), "--store", str(store), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        words = (word for line in server.stdout for word in line.split() if word.startswith("http://"))
        address = next(words, None)
        if address is None:
            raise SystemExit(f"serve-videos ended with status {server.wait()} and named no address. Run it by hand.")
        try:
            yield address.rstrip("/")
        finally:
            server.terminate()


@contextmanager
def chromium() -> "Iterator[Browser]":
    """Start the Chromium of this machine, without a window and without a GPU."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise SystemExit(
            f"No browser is installed: none of {', '.join(_BROWSERS)}. Install one: apt-get install chromium"
        )
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()

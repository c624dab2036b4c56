"""Measure the page in a browser: first paint, scrolling of a large collection, and walking a large map.

VIDEOS is a folder with a subfolder of videos for each label. They are embedded,
a head is trained on them, and each is written into a second store again and
again, with noise, until this holds --count videos: the pictures are real, and
the collection is large. The browser has no GPU.

Prints a Markdown table. A frame later than 50 ms is what people see as a jerk.
"""

import argparse
import os
from dataclasses import replace
from datetime import date
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from page_browser import chromium, prepare, serving

from embed import EmbeddingStore, StoreWriter

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECONDS = 4

# Calls `step` before each frame, and returns the milliseconds between frames.
FRAMES = """async (milliseconds) => {
    const step = %s;
    const times = [];
    const began = performance.now();
    for (let last = began; last - began < milliseconds; ) {
        step(times.length);
        const now = await new Promise(requestAnimationFrame);
        times.push(now - last);
        last = now;
    }
    return times.slice(1);
}"""
SCROLL = FRAMES % """() => document.getElementById('screen').scrollBy(0, 45)"""
WALK = FRAMES % (
    """(turn) => document.querySelector('.map-place canvas').dispatchEvent(new WheelEvent('wheel', {
        deltaY: turn %% 60 < 30 ? -40 : 40, clientX: 300 + turn %% 200, clientY: 300, cancelable: true}))"""
).replace("%%", "%")
PAINT = """() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"""


def main() -> None:
    options = parse()
    with TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        head, store = prepare(options.videos, work, frames_count=options.frames_count)
        large = work / "large.h5"
        if not large.exists():
            multiply(store, large, options.count)
        with chromium() as browser, serving(head, large) as address:
            measure(browser, address)


def multiply(store: Path, goal: Path, count: int) -> None:
    """Write the videos of a store again and again, with noise, until there are `count`."""
    random = np.random.default_rng(0)
    with EmbeddingStore(store) as source, StoreWriter(goal, source.provenance) as writer:
        for number, video_id in zip(range(count), cycle(source.ids), strict=False):
            stored, record = source.read(video_id), source.video(video_id)
            noise = random.normal(scale=0.3 * stored.vectors.std(), size=stored.vectors.shape)
            again = replace(record, id=f"{number // 1000:03d}/{number:06d}.mp4", content_hash=f"{number:064x}")
            writer.append(again, stored.vectors + noise.astype(np.float32), stored.timestamps_s)


def measure(browser: "Browser", address: str) -> None:
    """Print the table."""
    page = open_page(browser)
    page.goto(address)
    early_ms = first_paint_ms(page)
    page.locator(".card .chip.guess").first.wait_for(timeout=200_000)
    page.close()
    page = open_page(browser)
    page.goto(address)
    late_ms = first_paint_ms(page)
    page.locator(".card .open").first.wait_for(timeout=60_000)
    count = page.locator(".summary").inner_text()
    scrolled = np.array(page.evaluate(SCROLL, 1000 * SECONDS))
    cards = page.locator(".card").count()
    page.goto(f"{address}/?view=map")
    page.locator(".map-legend button").first.wait_for(timeout=200_000)
    moments = page.locator(".map-note").inner_text().split(" · ")[0]
    walked = np.array(page.evaluate(WALK, 1000 * SECONDS))
    print(f"{os.cpu_count()} threads, {date.today()}. {browser.browser_type.name} {browser.version}, 1280 x 800.\n")
    print("| what | figure | slowest 5% of frames | frames later than 50 ms |")
    print("| --- | --- | --- | --- |")
    print(f"| first paint while the head loads | {early_ms:.0f} ms | | |")
    print(f"| first paint, warm server | {late_ms:.0f} ms | | |")
    print(f"| scrolling {count}; {cards} cards are in the page | {shown(scrolled)} |")
    print(f"| walking the map of {moments} | {shown(walked)} |")


def open_page(browser: "Browser") -> "Page":
    """Return a new window with an empty cache."""
    return browser.new_context(viewport={"width": 1280, "height": 800}).new_page()


def first_paint_ms(page: "Page") -> float:
    """Return the milliseconds from the request to the first text or picture."""
    found: Any = None
    while found is None:
        found = page.evaluate(PAINT)
    return float(found)


def shown(frames_ms: "np.ndarray[Any, Any]") -> str:
    """Return frames a second, the 95th percentile of a frame's time, and how many are late."""
    rate = 1000 / frames_ms.mean()
    return f"{rate:.0f} frames/s | {np.percentile(frames_ms, 95):.0f} ms | {(frames_ms > 50).sum()} of {len(frames_ms)}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="folder with a subfolder of videos for each label")
    add("--count", type=int, default=10_000, help="videos of the large collection; default: %(default)s")
    add("--frames-count", type=int, default=10, help="frames of a video; default: %(default)s")
    add("--work", type=Path, help="folder for stores and head, kept; default: a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Draw the page's screens for the docs: a real collection, in a real browser.

VIDEOS is a folder with a subfolder for each label; NEW is a video to upload.
The videos are embedded and a head is trained on them in --work, unless both
lie there. One file a screen is written into --out.
"""

import argparse
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from page_browser import chromium, prepare, serving
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Do = Callable[["Page"], None]
DESKTOP, PHONE = (1280, 800), (390, 844)


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        head, store = prepare(options.videos, work, frames_count=options.frames_count)
        with serving(head, store) as address, chromium() as browser:
            shoot_all(browser, address, options)


def shoot_all(browser: "Browser", address: str, options: argparse.Namespace) -> None:
    """Write one file for each screen."""
    video = first_video(browser, address)
    shots: dict[str, tuple[str, tuple[int, int], str, Do]] = {
        "page-collection": ("/", DESKTOP, "light", select_three),
        "page-video": (f"/?video={video}&t=1.5", DESKTOP, "light", wait_for(".hit img")),
        "page-tag": ("/?view=tag", DESKTOP, "light", upload(options.new)),
        "page-map": ("/?view=map", DESKTOP, "dark", draw_around),
        "page-model": ("/?view=model", (1280, 1000), "light", wait_for(".tile")),
        "page-phone": (f"/?video={video}&t=1.5", PHONE, "light", wait_for(".moment")),
    }
    for name, (place, (width, height), scheme, do) in shots.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=2 if width < 600 else 1,
            has_touch=width < 600,
        )
        page = context.new_page()
        page.goto(address + place)
        do(page)
        page.wait_for_load_state("networkidle")
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
        picture.quantize(192).save(options.out / f"{name}.png", optimize=True)  # a third of the bytes
        context.close()
        print(options.out / f"{name}.png")


def first_video(browser: "Browser", address: str) -> str:
    """Wait until the head is loaded, and return a video of the collection as it stands in an address."""
    page = browser.new_page()
    page.goto(f"{address}/?order=confidence")
    page.locator(".card .chip.guess").first.wait_for(timeout=120_000)
    href = page.locator(".card .open").first.get_attribute("href") or ""
    page.close()
    found = re.search("video=([^&]+)", href)
    assert found, href
    return found[1]


def wait_for(part: str) -> Do:
    """Return what waits until a part of the page is there."""
    return lambda page: page.locator(part).first.wait_for()


def select_three(page: "Page") -> None:
    """Select three videos, and look into a fourth."""
    page.locator(".card .open").first.wait_for()
    for place in (1, 2, 6):
        page.locator(".card").nth(place).get_by_role("checkbox").check()
    box = page.locator(".card").nth(3).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 40)
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60)


def upload(video: Path) -> Do:
    """Return what uploads a video and waits for its labels."""

    def do(page: "Page") -> None:
        page.locator("#picker").set_input_files(video)
        page.get_by_text("tagged", exact=True).wait_for(timeout=120_000)

    return do


def draw_around(page: "Page") -> None:
    """Draw a lasso around the middle of the map, and point at a moment."""
    page.locator(".map-legend button").first.wait_for()
    box = page.locator(".map-place canvas").first.bounding_box()
    assert box is not None
    x, y, side = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["height"] / 5
    page.keyboard.down("Shift")
    page.mouse.move(x - side, y - side)
    page.mouse.down()
    for corner in ((x + side, y - side), (x + side * 1.4, y), (x + side, y + side), (x - side, y + side)):
        page.mouse.move(*corner, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.locator(".map-side.has-some").wait_for()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="folder with a subfolder of videos for each label")
    add("new", type=Path, metavar="NEW", help="a video to upload")
    add("--out", type=Path, default=Path("resources/images"), help="folder for the images; default: %(default)s")
    add("--work", type=Path, help="folder of embeddings.h5 and head/; default: a temporary one")
    add("--frames-count", type=int, default=16, help="frames of a video; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()

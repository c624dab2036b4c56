import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import LabelConfig, TrainConfig, TrainError, split_videos, train_head, write_page
from classify.report.page_plots import draw_map

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "<script>alert(1)</script> $x_1$ & co"
TITLES = [
    "Training",
    "Each label",
    "Confusion",
    "Precision and recall",
    "Calibration",
    "Most confident mistakes",
    "Likely label errors",
    "Map of the videos",
]
SECOND_LABELS = ("hug/00.mp4,kick", "kick/01.mp4,wave", "wave/02.mp4,kick")


def grab_red(location: str) -> list[NDArray[np.uint8]]:
    """Return one red frame, whatever the video."""
    assert location
    return [np.full((36, 64, 3), (255, 0, 0), dtype=np.uint8)]


@pytest.fixture
def make_page(toy_store: Path, tmp_path: Path) -> Callable[..., Path]:
    """Train a head that makes mistakes, on labels of which one is wrong and one is hostile, and write its page."""
    rows = ["id,label"]
    for number, video_id in enumerate(
        f"{name}/{index:02d}.mp4" for name in ("hug", "kick", "wave") for index in range(20)
    ):
        label = {"hug": HOSTILE}.get(video_id.split("/")[0], video_id.split("/")[0])
        rows.append(f"{video_id},{'wave' if number == 5 else label}")

    def make(*more_rows: str) -> Path:
        (tmp_path / "labels.csv").write_text("\n".join([*rows, *more_rows]))
        labels = LabelConfig(str(tmp_path / "labels.csv"))
        split_videos(toy_store, tmp_path / "split.csv", labels=labels)
        config = TrainConfig(epochs=2, learning_rate=1e-5)
        report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", labels=labels, config=config)
        return write_page(report, toy_store, tmp_path / "split.csv", labels=labels, grab_frames=grab_red)

    return make


@pytest.fixture
def browser_page() -> "Page":
    """A page of a real Chromium; skips where none is installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(names)}")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.parametrize("more_rows", [(), SECOND_LABELS], ids=["one label", "several labels"])
def test_the_page_opens_in_a_browser_that_asks_for_nothing_and_complains_of_nothing(
    make_page: Callable[..., Path], browser_page: "Page", more_rows: tuple[str, ...]
) -> None:
    path = make_page(*more_rows)
    asked: list[str] = []
    complaints: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.on("console", lambda message: complaints.append(message.text))
    browser_page.on("pageerror", lambda error: complaints.append(str(error)))

    browser_page.goto(path.as_uri())

    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert complaints == []
    assert browser_page.locator("h2").all_inner_texts() == TITLES
    assert browser_page.locator("svg").count() == 4
    assert HOSTILE in browser_page.locator("table").first.inner_text()
    images = browser_page.locator("img")
    assert images.count() > 0
    assert images.evaluate_all("found => found.every(image => image.naturalWidth > 0)")


def test_the_page_shows_mistakes_and_the_wrong_label_with_their_frames(make_page: Callable[..., Path]) -> None:
    text = make_page().read_text()

    mistakes, doubts = (text.split(f"<h2>{title}</h2>")[1].split("</section>")[0] for title in TITLES[5:7])
    assert len(re.findall(r"<figure>.*?data:image/jpeg;base64,.*?taken for <b>", mistakes)) >= 1
    assert doubts.count("<figure>") == 1
    assert re.search(r"is <b>wave</b>, looks like <b>&lt;script&gt;.*hug/05\.mp4", doubts)


def test_the_page_says_which_labels_it_does_not_judge(make_page: Callable[..., Path]) -> None:
    text = make_page("hug/00.mp4,<rare>").read_text()

    assert "cannot be judged so, and were left out with their videos: &lt;rare&gt;." in text


def test_labels_stand_in_the_pictures_as_they_are_written() -> None:
    drawn = draw_map(np.eye(3, 2), ["cash$$", "$x_$ y", r"a\$b"], np.zeros(3, dtype=np.bool_))

    assert all(label in drawn for label in (">cash$$<", ">$x_$ y<", r">a\$b<"))


def test_the_page_predicts_on_the_device_of_the_training(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=1))
    elsewhere = replace(report.classifier, config=TrainConfig(device="tpu"))

    with pytest.raises(TrainError, match="no device 'tpu' here"):
        write_page(replace(report, classifier=elsewhere), toy_store, tmp_path / "split.csv")


def test_the_same_training_gives_the_same_page(make_page: Callable[..., Path]) -> None:
    what_passes = r"in [\d.]+ seconds|were looked at .*?<"  # time, and how often the test was looked at
    without_time = [re.sub(what_passes, "", make_page().read_text()) for _ in range(2)]

    assert without_time[0] == without_time[1]
    assert "<script" not in without_time[0]


def test_videos_of_several_labels_have_a_page_without_confusion(make_page: Callable[..., Path]) -> None:
    text = make_page(*SECOND_LABELS).read_text()

    assert "none stands for another" in text

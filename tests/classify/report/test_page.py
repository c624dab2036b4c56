import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from classify import SplitConfig, TrainConfig, TrainError, split_videos, train_head, write_page
from classify.report.page_plots import draw_precision_recall
from tests.classify.report.conftest import HOSTILE, SECOND_LABELS, MakePage

if TYPE_CHECKING:
    from playwright.sync_api import Page

TITLES = [
    "Test videos",
    "Training",
    "Each label",
    "Confusion",
    "Precision and recall",
    "Calibration",
    "Most confident mistakes",
    "Likely label errors",
    "Map of the videos",
]
MakeStore = Callable[..., Path]
WITHOUT_CONFUSION = [title for title in TITLES if title != "Confusion"]


def section(text: str, title: str) -> str:
    return text.split(f"<h2>{title}</h2>")[1].split("</section>")[0]


@pytest.mark.parametrize(
    ("more_rows", "titles"), [((), TITLES), (SECOND_LABELS, WITHOUT_CONFUSION)], ids=["one label", "several labels"]
)
def test_the_page_opens_in_a_browser_that_asks_for_nothing_and_complains_of_nothing(
    make_page: MakePage, browser_page: "Page", more_rows: tuple[str, ...], titles: list[str]
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
    assert browser_page.locator("h2").all_inner_texts() == titles
    assert browser_page.locator("nav a").all_inner_texts() == titles
    assert browser_page.locator("svg").count() == 2 + 3 + 2  # epochs, three labels, calibration
    assert HOSTILE in browser_page.locator("#each-label table").inner_text()
    images = browser_page.locator("img")
    assert images.count() > 0
    assert images.evaluate_all("found => found.every(image => image.naturalWidth > 0)")


def test_points_of_the_map_are_named_by_keyboard(make_page: MakePage, browser_page: "Page") -> None:
    browser_page.goto(make_page().as_uri())
    browser_page.locator(".map input").first.focus()
    browser_page.keyboard.press("Space")
    first = browser_page.locator(".map input:checked + span").inner_text()

    browser_page.keyboard.press("ArrowRight")

    point = browser_page.locator(".map input:checked")
    assert browser_page.locator(".map input").count() == 60
    assert re.fullmatch(r"\w+/\d\d\.mp4 (train|validation|test)\nlabel: .+\nhead: .+ \d+%(, wrong)?", first)
    assert point.locator("+ span").inner_text() != first
    assert point.evaluate("point => document.activeElement === point")
    assert point.evaluate("point => getComputedStyle(point.nextElementSibling).opacity") == "1"
    browser_page.keyboard.press("Tab")  # the map is one stop
    assert browser_page.evaluate("document.activeElement.closest('.map')") is None


def test_a_point_of_the_map_is_named_where_the_mouse_points_at_it(make_page: MakePage, browser_page: "Page") -> None:
    browser_page.goto(make_page().as_uri())
    shown = "found => found.filter(name => getComputedStyle(name).opacity === '1').length"
    assert browser_page.locator(".map span").evaluate_all(shown) == 0

    browser_page.locator(".map input").last.hover(force=True)

    assert browser_page.locator(".map span").evaluate_all(shown) == 1


def test_the_page_fits_a_phone(make_page: MakePage, browser_page: "Page") -> None:
    browser_page.set_viewport_size({"width": 360, "height": 640})

    browser_page.goto(make_page(command="train-head embeddings.h5 --split " + "a/long/place/" * 9).as_uri())

    assert browser_page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_names_what_the_head_was_trained_from(make_page: MakePage, tmp_path: Path) -> None:
    text = make_page(command="train-head embeddings.h5 --labels '<b>.csv'").read_text()

    origin = dict(re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", text.split("</header>")[0]))
    shown = {name: re.sub("<.*?>", "", value) for name, value in origin.items()}
    assert re.fullmatch(r"linear, trained in 2 epochs, [\d.]+ seconds", shown.pop("Head"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d \(UTC[+-]\d{4}\)", shown.pop("Trained"))
    assert shown == {
        "Encoder": "toy-encoder",
        "Store": str(tmp_path / "embeddings.h5"),
        "Split file": str(tmp_path / "split.csv"),
        "Label file": str(tmp_path / "labels.csv"),
        "Command": "train-head embeddings.h5 --labels &#x27;&lt;b&gt;.csv&#x27;",
    }


def test_a_head_trained_from_python_has_no_command(make_page: MakePage) -> None:
    assert "<dt>Command" not in make_page().read_text()


def test_the_first_sentence_says_how_often_the_head_was_wrong(make_page: MakePage, tmp_path: Path) -> None:
    text = make_page().read_text()

    test = json.loads((tmp_path / "head" / "report.json").read_text())["parts"]["test"]
    wrong = round(test["videos"] * (1 - test["accuracy"]))
    assert wrong > 0
    assert f"<strong>The head was wrong on {wrong} of 6 test videos.</strong>" in section(text, "Test videos")


def test_the_baselines_stand_beside_the_head(make_page: MakePage) -> None:
    shown = section(make_page().read_text(encoding="utf-8"), "Test videos")
    baselines = ["majority", "logistic regression", "logistic statistics"]
    assert re.findall(r"<th scope=row>([^<]*)", shown) == [*baselines, "this head"]
    assert re.search(r"computed over \d+ (videos|groups)\.", shown)


def test_the_first_sentence_explains_wrong_when_videos_have_several_labels(make_page: MakePage) -> None:
    text = make_page(*SECOND_LABELS).read_text()

    assert re.search(
        r"<strong>The head was wrong on \d of 6 test videos\.</strong> Wrong means that it did not give exactly the "
        r"labels that the video has\. It gave \d videos? a label too many, and missed a label of \d videos?\. The",
        section(text, "Test videos"),
    )


def test_without_mistakes_and_doubts_their_sections_are_left_out(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    config = TrainConfig(learning_rate=0.02)
    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=config)

    text = write_page(report, toy_store, tmp_path / "split.csv").read_text()

    assert "The head was right on all 6 test videos." in text
    assert "No label was found that is probably wrong." in text.split("</header>")[0]
    assert "none: each folder&#x27;s name is a label" in text
    assert re.findall("<h2>(.*?)</h2>", text) == [*TITLES[:6], TITLES[8]]
    assert not (tmp_path / "head" / "suspects.csv").exists()


def test_a_set_whose_labels_cannot_be_judged_is_not_called_right(make_store: MakeStore, tmp_path: Path) -> None:
    ids = [f"{name}/{number}.mp4" for name in "abc" for number in range(4)]
    rng = np.random.default_rng(0)
    store = make_store({video_id: rng.standard_normal((2, 16)) for video_id in ids})
    split_videos(store, tmp_path / "split.csv", config=SplitConfig(test_size=0.3, validation_size=0))
    report = train_head(store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=1))

    text = write_page(report, store, tmp_path / "split.csv").read_text()

    assert "Label errors cannot be found here: no two labels have 5 videos or more" in text
    assert "No label was found" not in text


def test_the_page_shows_mistakes_and_the_wrong_label_with_their_frames(make_page: MakePage) -> None:
    text = make_page().read_text()

    mistakes, doubts = (section(text, title) for title in TITLES[6:8])
    assert len(re.findall(r"<figure>.*?data:image/jpeg;base64,.*?taken for <b>", mistakes)) >= 1
    assert doubts.count("<figure>") == 1
    assert re.search(r"is <b>wave</b>, looks like <b>&lt;script&gt;.*hug/05\.mp4", doubts)


def test_the_page_says_which_labels_it_does_not_judge(make_page: MakePage) -> None:
    text = make_page("hug/00.mp4,<rare>").read_text()

    assert "cannot be judged, and are left out with their videos: &lt;rare&gt;." in text


def test_labels_stand_in_the_pictures_as_they_are_written() -> None:
    labels = ["cash$$", "$x_$ y", r"a\$b", "_<i>"]

    drawn = draw_precision_recall(np.eye(4) > 0, np.eye(4), labels)

    assert all(f"<b>{escape(label)}</b> <small>1 test video</small>" in drawn for label in labels)


def test_of_many_labels_the_most_frequent_have_a_plot() -> None:
    targets = np.tri(20, dtype=np.bool_)  # label 0 has 20 videos, label 19 has one

    drawn = draw_precision_recall(targets, np.random.default_rng(0).random((20, 20)), [f"c{c:02d}" for c in range(20)])

    assert re.findall(r"<b>(c\d\d)</b>", drawn) == [f"c{c:02d}" for c in range(12)]


def test_the_page_predicts_on_the_device_of_the_training(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    report = train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=1))
    elsewhere = replace(report.classifier, config=TrainConfig(device="tpu"))

    with pytest.raises(TrainError, match="no device 'tpu' here"):
        write_page(replace(report, classifier=elsewhere), toy_store, tmp_path / "split.csv")


def test_the_same_training_gives_the_same_page(make_page: MakePage) -> None:
    # What changes: time, date, and how often the test was looked at.
    what_passes = r"[\d.]+ seconds|<dd>[\d-]+ [\d:]+ \(UTC|were looked at .*?<"
    without_time = [re.sub(what_passes, "", make_page().read_text()) for _ in range(2)]

    assert without_time[0] == without_time[1]
    assert "<script" not in without_time[0]

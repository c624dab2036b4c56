"""Upload, player, map and the model's card in a real browser, on a phone, in the dark, and for screen readers."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.classify.web.looks import card_of, player_state, said_of, wait_for_cards, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.classify.web.shown import OpenPage, Shown

SCREENS = {
    "collection": ("/", ".card .open"),
    "video": ("/?video=red%2F00.mp4&t=1.0", ".moment, .hit"),
    "tag": ("/?view=tag", ".drop"),
    "map": ("/?view=map", ".map-legend button"),
    "model": ("/?view=model", ".tile"),
}
every_screen = pytest.mark.parametrize(("address", "part"), SCREENS.values(), ids=SCREENS)


def test_an_upload_shows_its_progress_and_then_its_labels(open_page: "OpenPage", shown: "Shown") -> None:
    page = open_page("/?view=tag")
    page.locator(".drop").wait_for()
    page.evaluate(
        """() => {
            window.stages = [];
            const note = () => document.querySelectorAll('.stage-words').forEach((one) => stages.push(one.textContent));
            new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
        }"""
    )
    page.locator("#picker").set_input_files(shown.new_clip)
    page.get_by_text("tagged", exact=True).wait_for(timeout=30_000)
    stages = page.evaluate("stages")
    assert any(words.startswith("uploading") for words in stages)
    assert any(words.startswith(("decoding", "embedding")) for words in stages)
    tagged = page.locator(".upload.done")
    assert tagged.locator(".opinions .chip.guess").first.inner_text().split()[0] == "red"
    assert tagged.locator(".bar-row").count() == 3
    assert tagged.locator(".hit").count() >= 1

    moment = tagged.locator(".moment[aria-label^='red']").first
    start = float(moment.get_attribute("data-start") or "nan")
    moment.click()
    wait_until(page, "!document.querySelector('.upload.done video').paused")
    assert start - 0.1 <= player_state(page)[0] <= start + 1.5
    page.get_by_role("link", name="Collection", exact=True).click()
    wait_for_cards(page)
    page.get_by_role("link", name="Tag videos").click()
    page.locator(".upload.done").wait_for()  # what was tagged is still there
    assert page.locator(".upload.done").count() == 1


def test_a_broken_upload_says_what_happened_and_can_be_removed(open_page: "OpenPage", shown: "Shown") -> None:
    page = open_page("/?view=tag", is_broken=True)
    page.locator("#picker").set_input_files(shown.broken)
    failed = page.locator(".upload.failed")
    said = failed.get_by_role("alert").inner_text()
    assert len(said.split(". ")) >= 2, "what happened, and what to do"
    failed.get_by_role("button", name="Remove broken.mp4").click()
    assert page.locator(".upload").count() == 0


def test_a_moment_of_the_timeline_plays_from_its_start(open_page: "OpenPage") -> None:
    page = open_page("/?video=red%2F01.mp4&t=1.5")
    page.locator(".moment").first.wait_for()
    wait_until(page, "document.querySelector('video').readyState > 0")
    wait_until(page, "Math.abs(document.querySelector('video').currentTime - 1.5) < 0.05")
    assert player_state(page)[1] is False, "a link opens at its moment and waits"
    moment = page.locator(".moment[aria-label^='red']").last
    start = float(moment.get_attribute("data-start") or "nan")
    moment.click()
    wait_until(page, "!document.querySelector('video').paused")
    assert start - 0.1 <= player_state(page)[0] <= start + 1.5
    assert start >= 1.0, "the clip is red in its second half"

    page.keyboard.press("k")
    assert player_state(page)[1] is False
    page.keyboard.press("]")
    assert page.locator("video").evaluate("video => video.playbackRate") == 1.25
    page.keyboard.press("l")
    wait_until(page, "!document.querySelector('video').paused")
    page.keyboard.press(" ")
    wait_until(page, "document.querySelector('video').paused")
    before = player_state(page)[0]
    page.keyboard.press("ArrowLeft")
    assert player_state(page)[0] < before or before == 0
    assert page.locator(".controls .time").inner_text().endswith("/ 00:04")


def test_a_file_that_the_browser_cannot_play_is_shown_by_its_frames(open_page: "OpenPage") -> None:
    page = open_page("/?video=red%2F01.mp4", is_broken=True)
    page.locator(".moment").first.wait_for()
    page.locator("video").evaluate("video => { video.src = '/page/icon.svg'; }")
    page.get_by_text("This browser cannot play the file's format").wait_for()
    page.locator(".moment[aria-label^='red']").last.click()
    wait_until(page, "document.querySelector('.slide').naturalWidth > 0")
    assert "at_s=" in (page.locator(".slide").get_attribute("src") or "")
    page.keyboard.press("k")


def test_what_is_lassoed_on_the_map_is_labelled_and_shown_as_a_grid(open_page: "OpenPage") -> None:
    page = open_page("/?view=map")
    canvas = page.locator(".map-place canvas").first
    canvas.wait_for()
    box = canvas.bounding_box()
    assert box is not None
    right, bottom = box["x"] + box["width"] - 4, box["y"] + box["height"] - 4
    _lasso(page, [(box["x"] + 70, box["y"] + 4), (right, box["y"] + 4), (right, bottom), (box["x"] + 70, bottom)])
    page.get_by_role("heading", name=re.compile(r"\d+ videos?")).wait_for()
    count = int(page.get_by_role("heading", name=re.compile(r"\d+ videos?")).inner_text().split()[0])
    assert count >= 12

    page.get_by_role("complementary", name="Selection").get_by_role("button", name="green").click()
    page.get_by_text(f"{count} videos labelled green").wait_for()
    page.get_by_role("button", name="As a grid").click()
    wait_for_cards(page)
    first = page.locator(".card .open").first.get_attribute("href") or ""
    video_id = first.split("video=")[1].split("&")[0].replace("%2F", "/")
    assert said_of(page, video_id) == ["green, corrected here"]
    page.keyboard.press("Control+z")
    page.get_by_text("Undone").wait_for()
    assert said_of(page, video_id) != ["green, corrected here"]
    assert card_of(page, video_id).count() == 1


def test_a_point_of_the_map_shows_its_frame_and_opens_its_video(open_page: "OpenPage") -> None:
    page = open_page("/?view=map")
    canvas = page.locator(".map-place canvas").first
    canvas.wait_for()
    page.evaluate(
        """() => {
            const canvas = document.querySelector('.map-place canvas');
            const {left, top, width, height} = canvas.getBoundingClientRect();
            for (let step = 0; step < 10000 && document.querySelector('.tip').hidden; step++) {
                const [x, y] = [left + (width * (step % 100)) / 100, top + (height * Math.floor(step / 100)) / 100];
                const move = {pointerType: 'mouse', clientX: x, clientY: y};
                canvas.dispatchEvent(new PointerEvent('pointermove', move));
            }
        }"""
    )
    wait_until(page, "document.querySelector('.tip img').naturalWidth > 0")
    canvas.focus()
    page.keyboard.press("+")
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("video="))
    page.locator(".video-head h1").wait_for()


def test_the_models_card_shows_figures_with_their_intervals(open_page: "OpenPage") -> None:
    page = open_page("/?view=model")
    page.locator(".tile").first.wait_for()
    assert re.search(r"0\.\d{3} \W [01]\.\d{3}, 95%", page.locator(".tile").first.inner_text())
    assert page.locator(".classes tbody tr").count() == 3
    assert page.locator(".confusion tbody tr").count() == 3
    with page.expect_download() as found:
        page.get_by_role("link", name="Download corrections.csv").click()
    assert found.value.path().read_text(encoding="utf-8").startswith("id,labels,")


@every_screen
def test_every_screen_fits_a_phone_by_day_and_night_and_shuts_nobody_out(
    open_page: "OpenPage", address: str, part: str
) -> None:
    page = open_page(address, width=390)
    page.locator(part).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("main").evaluate("main => main.scrollWidth <= main.clientWidth")
    assert _brightness(page) > 200
    assert _faults(page) == []
    page.emulate_media(color_scheme="dark")
    assert _brightness(page) < 40
    assert _faults(page) == []


def test_the_switch_of_colours_holds_after_a_reload(open_page: "OpenPage") -> None:
    page = open_page()
    wait_for_cards(page)
    assert _brightness(page) > 200
    page.locator("#theme").click()
    assert _brightness(page) < 40
    page.reload()
    wait_for_cards(page)
    assert _brightness(page) < 40


def _brightness(page: "Page") -> float:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(float, re.findall(r"\d+", colour)[:3])) / 3


def _faults(page: "Page") -> list[str]:
    """Return the serious and critical violations that axe-core finds, each with its first element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def _lasso(page: "Page", corners: list[tuple[float, float]]) -> None:
    page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")

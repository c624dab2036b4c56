"""The collection in a real browser: filters, orders, search, keys, labels for one and for many, and undo."""

import re
from typing import TYPE_CHECKING

from tests.classify.web.looks import card_of, said_of, shown_ids, wait_for_cards, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.classify.web.shown import OpenPage, Shown


def test_filters_are_chips_and_stand_in_the_address(open_page: "OpenPage", shown: "Shown") -> None:
    page = open_page()
    wait_for_cards(page)
    assert page.locator(".summary").inner_text() == f"{len(shown.ids)} videos"
    wait_until(page, "document.querySelector('.card img').naturalWidth > 0")

    page.get_by_role("group", name="Labels").get_by_role("button", name="red").click()
    page.get_by_label("Labels given by").select_option("human")
    page.get_by_text("6 videos", exact=True).wait_for()
    assert page.url.endswith("?labels=red&by=human")
    wait_for_cards(page)
    assert {video_id.split("/")[0] for video_id in shown_ids(page)} == {"red"}

    page.reload()
    page.get_by_text("6 videos", exact=True).wait_for()
    page.get_by_label("Part of a path").fill("nothing is called so")
    page.get_by_text("No video fits these filters").wait_for()
    page.get_by_role("button", name="Show all videos").click()
    page.get_by_text(f"{len(shown.ids)} videos", exact=True).wait_for()


def test_the_doubtful_come_first_where_they_are_asked_for(open_page: "OpenPage") -> None:
    page = open_page()
    wait_for_cards(page)
    page.get_by_label("Order").select_option("doubt")
    page.wait_for_url(re.compile("order=doubt"))
    wait_for_cards(page)
    said = page.locator(".folder > span").all_inner_texts()
    doubts = [0.5 if "<" in text else float(re.sub(r"[^\d.]", "", text)) for text in said]
    assert len(doubts) > 5
    assert doubts == sorted(doubts, reverse=True)


def test_two_clicks_correct_a_label_and_a_reload_keeps_it(open_page: "OpenPage") -> None:
    page = open_page("/?path=green%2F03")
    wait_for_cards(page)
    before = said_of(page, "green/03.mp4")
    card_of(page, "green/03.mp4").get_by_role("checkbox").check()
    page.get_by_role("region", name="Selected videos").get_by_role("button", name="blue").click()
    page.get_by_text("1 video labelled blue").wait_for()
    assert said_of(page, "green/03.mp4") == ["blue, corrected here"]
    assert card_of(page, "green/03.mp4").locator(".chip.guess").count() >= 1, "what the head says stands beside it"

    page.reload()
    wait_for_cards(page)
    assert said_of(page, "green/03.mp4") == ["blue, corrected here"]
    page.keyboard.press("Control+z")
    page.get_by_text("Undone").wait_for()
    assert said_of(page, "green/03.mp4") == before


def test_many_are_labelled_at_once_by_one_key(open_page: "OpenPage") -> None:
    page = open_page("/?path=blue%2F")
    wait_for_cards(page)
    cards = page.locator(".card")
    cards.nth(1).get_by_role("checkbox").check()
    cards.nth(4).locator(".open").click(modifiers=["Shift"])
    page.get_by_text("4 selected", exact=True).wait_for()
    page.keyboard.press("3")
    page.get_by_text("4 videos labelled red").wait_for()
    labelled = [said_of(page, f"blue/0{index}.mp4") == ["red, corrected here"] for index in range(6)]
    assert labelled == [False, True, True, True, True, False]
    page.get_by_role("button", name="Undo").last.click()
    page.get_by_text("Undone").wait_for()
    assert said_of(page, "blue/02.mp4") != ["red, corrected here"]

    page.keyboard.press("Control+a")
    page.get_by_text("6 selected", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("6 selected", exact=True).wait_for(state="hidden")


def test_words_a_moment_and_an_image_are_searched_for(open_page: "OpenPage") -> None:
    page = open_page()
    wait_for_cards(page)
    page.keyboard.press("/")
    page.keyboard.type("a tench - a crane")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(r"^\d+ hits?, best first")).wait_for()
    assert page.locator(".term .words").all_inner_texts() == ["a tench", "a crane"]
    assert page.locator(".term.minus").count() == 1
    wait_for_cards(page)
    assert page.locator(".card .badge.score").count() >= 1

    page.get_by_role("button", name="Remove a crane").click()
    wait_until(page, "document.querySelectorAll('.term').length === 1")
    _drop_red_image(page)
    wait_until(page, "document.querySelectorAll('.term img').length === 1")
    page.get_by_role("button", name="Remove a tench").click()
    wait_until(page, "document.querySelectorAll('.term').length === 1")
    page.get_by_text(re.compile(r"^\d+ hits?, best first")).wait_for()
    wait_for_cards(page)

    page.goto(page.url.split("?")[0] + "?video=red%2F02.mp4&t=3.0")
    page.get_by_role("button", name="Search this moment").click()
    page.get_by_text(re.compile(r"^\d+ hits?, best first")).wait_for()
    wait_for_cards(page)
    assert shown_ids(page)[0].startswith("red/"), "a red moment is like red moments"


def test_the_keyboard_alone_walks_opens_labels_and_returns(open_page: "OpenPage") -> None:
    page = open_page("/?path=green%2F")
    wait_for_cards(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    assert _focused_title(page) == "00.mp4"
    page.keyboard.press("ArrowRight")
    assert _focused_title(page) == "01.mp4"
    shown = page.evaluate("getComputedStyle(document.activeElement, '::after').outlineStyle")
    assert shown == "solid", "the focus is seen"
    page.keyboard.press("1")
    page.get_by_text("1 video labelled blue").wait_for()
    wait_until(page, "document.activeElement.classList.contains('open')")
    assert _focused_title(page) == "01.mp4", "a card that is drawn anew keeps the focus"
    page.keyboard.press("Control+z")
    page.get_by_text("Undone").wait_for()

    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("video=green%2F01.mp4"))
    page.get_by_role("heading", name="01.mp4").wait_for()
    page.keyboard.press("n")
    page.get_by_role("heading", name="02.mp4").wait_for()
    page.keyboard.press("Shift+?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("Escape")
    wait_for_cards(page)


def test_a_server_that_is_gone_is_told_and_asked_again(open_page: "OpenPage") -> None:
    page = open_page(is_broken=True)
    wait_for_cards(page)
    page.route("**/api/videos?**", lambda route: route.abort())
    page.get_by_label("Order").select_option("newest")
    page.get_by_role("alert").get_by_text("The server does not answer").wait_for()
    page.unroute("**/api/videos?**")
    page.get_by_role("button", name="Try again").click()
    wait_for_cards(page)


def _focused_title(page: "Page") -> str:
    return str(page.evaluate("document.activeElement.querySelector('.title')?.textContent"))


def _drop_red_image(page: "Page") -> None:
    """Drop a red PNG onto the page, as from a folder's window."""
    page.evaluate(
        """async () => {
            const canvas = Object.assign(document.createElement('canvas'), {width: 64, height: 48});
            const pen = canvas.getContext('2d');
            pen.fillStyle = 'rgb(220, 30, 30)';
            pen.fillRect(0, 0, 64, 48);
            const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
            const transfer = new DataTransfer();
            transfer.items.add(new File([blob], 'red.png', {type: 'image/png'}));
            const drop = {dataTransfer: transfer, bubbles: true, cancelable: true};
            document.body.dispatchEvent(new DragEvent('drop', drop));
        }"""
    )

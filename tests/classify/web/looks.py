"""What the tests of the page read from it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def wait_until(page: "Page", condition: str) -> None:
    """Wait until a condition in JavaScript holds. Playwright's own way evaluates text, which the page forbids."""
    turns = f"for (let turn = 0; turn < 600; turn++) {{ if ({condition}) return true; await frame(); }}"
    assert page.evaluate(
        f"async () => {{ const frame = () => new Promise((done) => setTimeout(done, 16)); {turns} return false; }}"
    ), f"never: {condition}"


def wait_for_cards(page: "Page") -> None:
    """Wait until the grid shows videos."""
    page.locator(".card .open").first.wait_for()


def shown_ids(page: "Page") -> list[str]:
    """Return the ids of the cards in the grid, in order."""
    links = page.locator(".card .open").evaluate_all("links => links.map(link => link.href)")
    return [link.split("video=")[1].split("&")[0].replace("%2F", "/") for link in links]


def card_of(page: "Page", video_id: str) -> "Locator":
    """Return a video's card."""
    address = video_id.replace("/", "%2F")
    return page.locator(f'.card:has(a[href*="video={address}"])')


def said_of(page: "Page", video_id: str) -> list[str]:
    """Return the labels that people gave a video, with who did, as its card tells a screen reader."""
    return [" ".join(text.split()) for text in card_of(page, video_id).locator(".chip.said").all_text_contents()]


def player_state(page: "Page") -> tuple[float, bool]:
    """Return the player's seconds, and whether it plays."""
    time, paused = page.locator("video").first.evaluate("video => [video.currentTime, video.paused]")
    return time, not paused

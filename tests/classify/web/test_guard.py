"""Who may ask, and what every answer carries."""

import httpx
import pytest

from classify.errors import ClassifyError
from classify.web import ServeConfig
from tests.classify.web.serving import Served, served

TOKEN = "correct horse battery"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "a@localhost", "", "8.8.8.8"]
)
def test_a_name_that_is_not_the_servers_own_gets_nothing(server: Served, host: str) -> None:
    answer = server.get("/api/videos", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "127.1.2.3"])
def test_every_name_of_this_machine_is_answered(server: Served, host: str) -> None:
    assert server.get("/api/videos", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_what_another_sites_page_posts_is_refused(server: Served, headers: dict[str, str]) -> None:
    answer = server.post("/api/predict", headers=headers, files={"file": b"x"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "cross_origin"


def test_another_site_cannot_show_a_frame_but_may_lead_to_the_page(server: Served) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert server.get("/api/video/frame?id=moving/0.mp4", headers=foreign).status_code == 403
    assert server.get("/", headers=foreign).status_code == 200


def test_the_page_of_the_server_may_post(server: Served) -> None:
    answer = server.post("/api/predict", headers={"Origin": server.url, "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code != 403


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/api/status", "/api/video?id=none", "/nowhere"])
def test_every_answer_has_the_headers_that_keep_a_browser_safe(server: Served, path: str) -> None:
    headers = server.get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


@pytest.fixture(scope="module")
def locked(server: Served) -> object:
    """The same collection behind a token, and not loaded: the guard asks first."""
    config = ServeConfig(server.config.head, server.config.store, port=0, token=TOKEN, device="cpu")
    with served(config, waits=False) as found:
        yield found


def test_without_the_token_there_is_only_a_form_and_a_sign_of_life(locked: Served) -> None:
    with httpx.Client(base_url=locked.url, trust_env=False) as stranger:
        for path in ("/api/status", "/api/videos", "/page/main.js", "/metrics", "/openapi.json"):
            answer = stranger.get(path)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "token_needed"
        form = stranger.get("/?video=a.mp4")
        assert (form.status_code, 'name="token"' in form.text) == (401, True)
        assert stranger.get("/healthz").status_code == 200


def test_the_token_opens_by_header_and_by_a_cookie_that_no_script_reads(locked: Served) -> None:
    assert locked.get("/api/status").status_code == 200
    with httpx.Client(base_url=locked.url, trust_env=False) as visitor:
        answer = visitor.get("/", params={"token": TOKEN, "video": "a b.mp4"})
        cookie = answer.headers["set-cookie"]
        assert (answer.status_code, answer.headers["location"]) == (303, "/?video=a+b.mp4")
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        assert visitor.get("/api/status").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": "framehead_session=wrong"},
        {"Cookie": f"framehead_session={TOKEN}"},
        {"Authorization": "Bearer café"},
    ],
    ids=str,
)
def test_a_wrong_token_opens_nothing(locked: Served, headers: dict[str, str]) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert httpx.get(f"{locked.url}/api/status", headers=encoded, trust_env=False).status_code == 401


def test_another_address_needs_a_token(server: Served) -> None:
    with pytest.raises(ClassifyError, match=r"--host 0.0.0.0 lets other machines in.* Give one with --token"):
        ServeConfig(server.config.head, server.config.store, host="0.0.0.0")
    with pytest.raises(ClassifyError, match=r"--token has 5 characters.*Use 12 or more"):
        ServeConfig(server.config.head, server.config.store, token="short")
    assert TOKEN not in repr(ServeConfig(server.config.head, server.config.store, token=TOKEN))

"""Without a network, the hub is given up within seconds."""

import socket
import time
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from embed.encoders import load_encoder
from embed.encoders.hub import cache_only, why_no_downloads
from embed.errors import WeightsUnavailable


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_hub_that_answers_is_reachable(monkeypatch: pytest.MonkeyPatch, listening: int) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listening}")

    assert why_no_downloads() is None


def test_a_hub_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, closed: int) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed}")

    assert why_no_downloads() == "127.0.0.1 cannot be reached to download"


def test_a_hub_that_the_user_switched_off_is_not_called_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert why_no_downloads() == "HF_HUB_OFFLINE is set (unset it to download)"


def test_a_proxy_is_trusted_to_reach_the_hub(monkeypatch: pytest.MonkeyPatch, closed: int) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed}")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")

    assert why_no_downloads() is None


def test_the_hub_is_used_again_afterwards() -> None:
    with cache_only("hub.example cannot be reached to download"):
        assert constants.HF_HUB_OFFLINE

    assert not constants.HF_HUB_OFFLINE


def test_weights_that_cannot_be_downloaded_are_told_at_once_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, closed: int
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed}")
    started = time.monotonic()

    with pytest.raises(WeightsUnavailable) as caught:
        load_encoder("RN50", device="cpu")

    assert time.monotonic() - started < 30  # it was a minute
    assert str(caught.value) == (
        "The weights of RN50 (openai) are not available: they are not in the cache of this machine, and 127.0.0.1 "
        "cannot be reached to download. Use --model efficientnet-lite0, whose weights come with framehead; or "
        "--pretrained FILE with a checkpoint of RN50 that you downloaded elsewhere."
    )

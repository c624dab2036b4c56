"""The hub that weights are downloaded from: told within seconds when it cannot be reached.

Without a network, huggingface_hub tries again for a minute before it says so, also for what is in its cache.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

_PATIENCE_S = 5.0


def why_no_downloads() -> str | None:
    """Return why the hub gives nothing, as the rest of a sentence; None if it answers, or behind a proxy."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set (unset it to download)"
    return why_unreachable(constants.ENDPOINT)


def why_unreachable(url: str) -> str | None:
    """Return why the host of a URL gives nothing, as the rest of a sentence; None if it answers, or behind a proxy."""
    address = urlsplit(url)
    host = address.hostname or ""
    if getproxies().get(address.scheme):
        return None
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((host, port), timeout=_PATIENCE_S).close()
    except OSError:
        return f"{host} cannot be reached to download"
    return None


@contextmanager
def cache_only(why: str | None) -> Iterator[None]:
    """Let huggingface_hub look only in its cache if there is a reason to, so that it fails or succeeds at once."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE or why is not None
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before

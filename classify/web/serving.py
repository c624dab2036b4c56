"""Listen, tell the address, open a browser, and serve until somebody stops it."""

import contextlib
import logging
import socket
import webbrowser
from collections.abc import Callable

import uvicorn

from classify.errors import ClassifyError
from classify.web.app import make_app
from classify.web.config import ServeConfig

_MOST_CONNECTIONS = 512
_QUIT_S = 5  # for answers that are under way when the server is stopped


def serve_videos(
    config: ServeConfig, *, opens_browser: bool = False, on_start: Callable[[str], None] = lambda _: None
) -> None:
    """Serve the page and the API until Ctrl-C.

    Args:
        config: what is served, and to whom.
        opens_browser: show the page in the user's browser.
        on_start: called with the page's address once the server listens. It has no token in it.

    Raises:
        ClassifyError: the address cannot be listened on.
    """
    server, listening = make_server(config)
    with listening:
        address = address_of_server(listening, config.host)
        on_start(address)
        if opens_browser:
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(address)  # the socket listens already: the browser waits for the answer
        server.run(sockets=[listening])


def make_server(config: ServeConfig) -> tuple[uvicorn.Server, socket.socket]:
    """Return a server that is not running yet, and the socket that it listens on.

    Raises:
        ClassifyError: the address cannot be listened on.
    """
    settings = uvicorn.Config(
        make_app(config),
        access_log=False,  # addresses may hold a token
        log_level=logging.WARNING,
        server_header=False,
        ws="none",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_QUIT_S,
        proxy_headers=False,
    )
    return uvicorn.Server(settings), _listen(config)


def _listen(config: ServeConfig) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(128)
    except OSError as error:
        raise ClassifyError(
            f"The server cannot listen on {config.host}, port {config.port}: {error.strerror or error}. Name another "
            "port with --port, or end the program that uses it."
        ) from error
    return listening


def address_of_server(listening: socket.socket, host: str) -> str:
    """Return the page's address."""
    port = listening.getsockname()[1]
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"

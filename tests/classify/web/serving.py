"""A real server over a collection, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from classify.web import ServeConfig
from classify.web.serving import address_of_server, make_server


@dataclass(frozen=True)
class Served:
    """A running server.

    Args:
        url: its address, without a final slash.
        client: asks it.
        config: what it serves.
    """

    url: str
    client: httpx.Client
    config: ServeConfig

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.client.post(path, **options)

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until the head is loaded; the encoder may still load."""
        until = time.monotonic() + seconds
        while self.get("/healthz").json()["state"] == "loading" and time.monotonic() < until:
            time.sleep(0.02)

    def wait(self, seconds: float = 60) -> None:
        """Wait until head and encoder are loaded, or are known not to be."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status = self.get("/api/status").json()
            if status["state"] == "failed" or (
                status["state"] == "ready" and "loading" not in status["uploads"]["message"]
            ):
                return
            time.sleep(0.02)


@contextmanager
def served(config: ServeConfig, *, waits: bool = True) -> Iterator[Served]:
    """Run a server on a free port."""
    server, listening = make_server(config)
    url = address_of_server(listening, config.host).rstrip("/")
    thread = threading.Thread(target=server.run, args=[[listening]], daemon=True)
    thread.start()
    headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
    with listening, httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        found = Served(url, client, config)
        try:
            if waits:
                found.wait()
            yield found
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def copy_of(collection: Path, goal: Path) -> Path:
    """Link a collection's head, store and videos into another folder, so that its state is its own."""
    goal.mkdir(exist_ok=True)
    for name in ("head", "videos"):
        (goal / name).symlink_to(collection / name)
    (goal / "embeddings.h5").write_bytes((collection / "embeddings.h5").read_bytes())
    return goal

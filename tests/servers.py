"""Servers on 127.0.0.1 that send files, count what they send, and fail on request."""

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class FaultyServer:
    """A web server over a dict of files.

    Args:
        url: its address, without a final slash.
        files: for each path, the content to send.
        faults: for each path, what goes wrong: "403" or another status, "503 twice", "cut", "longer", "stall",
            "trickle", "no length", "no ranges" (sends the whole file for a part), "endless" (no length, and the file
            again and again) or "slow" (80 KB per second). "longer" sends all, and states that there is more; "cut",
            "stall" and "trickle" never send more than half, except of a single byte. With " inside" after a fault, as
            in "503 inside", only requests that exclude the file's first and last bytes have it.
        redirects: for each path, the address that it redirects to.
        requests: how often each path was requested with GET.
        bytes_served: the bytes of all bodies sent.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    bytes_served: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)


@contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    """Run a web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.daemon_threads = True
    state = FaultyServer(f"http://127.0.0.1:{server.server_address[1]}")
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def _answer(self, *, has_body: bool) -> None:
        state: FaultyServer = self.server.state  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        fault, inside, _ = state.faults.get(path, "").partition(" inside")
        if inside and not self._is_inside(len(state.files[path])):
            fault = ""
        state.requests[path] += has_body
        status = 404 if path not in state.files else int(fault) if fault.isdecimal() else 200
        if fault == "503 twice" and state.requests[path] <= 2:
            status = 503
        if path in state.redirects:
            status = 302
        if status != 200:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", state.redirects[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._give(state, state.files[path], fault, path, has_body=has_body)

    def _range(self) -> tuple[int, int] | None:
        """Return the first requested byte, and one past the last."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        return (int(wanted[1]), int(wanted[2]) + 1) if wanted else None

    def _is_inside(self, size_bytes: int) -> bool:
        wanted = self._range()
        return wanted is not None and wanted[0] > 0 and wanted[1] < size_bytes

    def _give(self, state: FaultyServer, body: bytes, fault: str, path: str, *, has_body: bool) -> None:
        wanted = None if fault == "no ranges" else self._range()
        self.send_response(206 if wanted else 200)
        if wanted:
            begin, end = wanted[0], min(wanted[1], len(body))
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(body)}")
            body = body[begin:end]
        self.send_header("Content-Type", "text/html" if Path(path).suffix == ".html" else "video/mp4")
        if fault in ("no length", "endless"):
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) + 1000 * (fault == "longer")))
        self.end_headers()
        if has_body:
            self._send(state, body, fault)

    def _send(self, state: FaultyServer, body: bytes, fault: str) -> None:
        whole = (len(body) + 1) // 2 if fault in ("cut", "stall", "trickle") else len(body)
        step, pause_s = {"trickle": (1, 0.02), "slow": (4096, 0.05)}.get(fault, (1 << 16, 0.0))
        begins = range(0, whole, step)
        try:
            for begin in itertools.cycle(begins) if fault == "endless" else begins:
                self.wfile.write(body[begin : min(begin + step, whole)])
                state.bytes_served += min(step, whole - begin)
                time.sleep(pause_s)
                if state.stopping.is_set():
                    break
            if fault == "stall":
                state.stopping.wait(30)
        except OSError:  # the other side closed the connection, which some tests are about
            pass
        self.close_connection = bool(fault)

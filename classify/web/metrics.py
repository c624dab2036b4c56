"""Counters for Prometheus: requests by method and status, their time, and what the service counts."""

import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Gauges = Callable[[], Mapping[str, float]]
"""Returns name -> value, at this moment."""


@final
class Metrics:
    """Counts requests. May be asked from any thread.

    Args:
        gauges: further figures.
    """

    def __init__(self, gauges: Gauges) -> None:
        self._gauges, self._lock = gauges, threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        with self._lock:
            self._requests[method if method in ("GET", "HEAD", "POST", "DELETE") else "other", status] += 1
            self._seconds += seconds

    def to_text(self) -> str:
        """Return all figures in Prometheus's text format, version 0.0.4."""
        unit = 1 if sys.platform == "darwin" else 1024
        with self._lock:
            requests = sorted(self._requests.items())
            seconds = self._seconds
        lines = ["# TYPE framehead_requests_total counter"]
        lines += [
            f'framehead_requests_total{{method="{method}",status="{status}"}} {count}'
            for (method, status), count in requests
        ]
        lines += ["# TYPE framehead_request_seconds_total counter", f"framehead_request_seconds_total {seconds:.6f}"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        for name, value in {"max_resident_bytes": peak, **self._gauges()}.items():
            lines += [f"# TYPE framehead_{name} gauge", f"framehead_{name} {value:g}"]
        return "\n".join([*lines, ""])


class Counted:
    """Counts the requests of an application.

    Args:
        app: what is counted.
        metrics: where.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            self._metrics.count(scope["method"], status, time.monotonic() - began)

"""What the server says: JSON, and errors in one form: {"error": {"code": ..., "message": ...}}.

A message says what happened, and then what to do. It never has a traceback, a secret, or the path of a temporary file.
"""

import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response


class ApiError(Exception):
    """An error that is told to whoever asked.

    Args:
        status: of HTTP.
        code: for programs; never renamed.
        message: for people.
        headers: further headers, such as Retry-After.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})

    def to_json(self) -> dict[str, str]:
        """Return what stands under "error"."""
        return {"code": self.code, "message": self.message}

    def answer(self) -> "Answer":
        """Return the error as an answer."""
        return Answer({"error": self.to_json()}, self.status, self.headers)


class Answer(Response):
    """A JSON answer. Names that are not UTF-8 become JSON's own escapes, and NaN becomes null."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content, status_code, dict(headers or {}))

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        try:
            text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        except ValueError:
            text = json.dumps(_without_nan(content), separators=(",", ":"), allow_nan=False)
        return text.encode("ascii")


def _without_nan(content: Any) -> Any:
    if isinstance(content, float):
        return content if abs(content) < float("inf") else None
    if isinstance(content, Mapping):
        return {key: _without_nan(value) for key, value in content.items()}
    return [_without_nan(value) for value in content] if isinstance(content, list | tuple) else content

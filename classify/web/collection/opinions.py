"""What people corrected, read again only when the log has changed, also by another process."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import final

from classify.corrections import Correction, CorrectionLog

_Mark = tuple[tuple[int, int, int] | None, ...]


@final
class OpinionCache:
    """Has the corrections that hold now.

    Args:
        log: where they are kept.
    """

    def __init__(self, log: CorrectionLog) -> None:
        self._log, self._lock = log, threading.Lock()
        self._seen: _Mark | None = None
        self._held: Mapping[str, Correction] = {}

    def read(self) -> Mapping[str, Correction]:
        """Return id -> the correction that holds.

        Raises:
            LabelError: the log cannot be read.
        """
        with self._lock:
            mark = self._mark()
            if mark != self._seen:
                self._held, self._seen = self._log.current(), mark
            return self._held

    def forget(self) -> None:
        """Read the log again when it is asked for next."""
        with self._lock:
            self._seen = None

    def _mark(self) -> _Mark:
        return tuple(_state_of(self._log.path.with_name(f"{self._log.path.name}{end}")) for end in ("", "-wal"))


def _state_of(path: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None

"""The newest `Collection`, at any moment.

It is read in a thread after the server has begun to listen, and read again when the head or the store have changed on
disk. Meanwhile the old one is shown.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import final

from classify.errors import ClassifyError
from classify.refresh import champion_folder
from classify.web.answers import ApiError
from classify.web.collection.collection import Collection, open_collection
from classify.web.config import ServeConfig
from embed import EmbedError

_Mark = tuple[tuple[str, int, int, int], ...]
"""Of files: name, inode, size, and when they were changed."""

_log = logging.getLogger("framehead.web")


@final
class Library:
    """Holds the newest collection.

    Args:
        config: what is served.
        on_change: called with each new collection, in the thread that read it.
    """

    def __init__(self, config: ServeConfig, on_change: Callable[[Collection], None] = lambda _: None) -> None:
        self._config, self._on_change = config, on_change
        self._current: Collection | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="library", daemon=True)
        self.message, self.has_failed = "The head is loading.", False

    @property
    def state(self) -> str:
        """Return "loading", "ready" or "failed"."""
        return "ready" if self._current is not None else "failed" if self.has_failed else "loading"

    @property
    def collection(self) -> Collection:
        """The newest collection.

        Raises:
            ApiError: none has been read yet.
        """
        if self._current is None:
            code = "not_loaded" if self.has_failed else "loading"
            raise ApiError(503, code, f"{self.message} Try again in a moment.", {"Retry-After": "2"})
        return self._current

    def start(self) -> None:
        """Begin to read, and to follow changes."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what is being read is read."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _follow(self) -> None:
        seen: _Mark | None = None
        while not self._stopping.is_set():
            found = _mark(self._config)
            if found != seen:
                seen = found
                self._read()
            self._stopping.wait(self._config.watch_s)

    def _read(self) -> None:
        config = self._config
        try:
            head = champion_folder(config.head)  # the pointer lies in config.head, whose files are watched
            fresh = open_collection(head, config.store, config.labels, device=config.device, on_step=self._say)
        except (ClassifyError, EmbedError, OSError) as error:
            self.has_failed = True
            self._say(str(error))
            _log.warning("The head or the store cannot be read: %s", error)
            return
        # The old store stays open for requests that still read from it; its files close when nobody holds it.
        self._current, self.has_failed, self.message = fresh, False, ""
        self._on_change(fresh)

    def _say(self, message: str) -> None:
        self.message = message


def _mark(config: ServeConfig) -> _Mark:
    """Return what tells whether a head or a store were written since."""
    files = [*_files_of(config.head), *_files_of(config.store), *_files_of(Path(f"{config.store}.parts"))]
    if config.labels is not None and config.labels.path is not None:
        files.append(Path(config.labels.path))
    found = []
    for path in files:
        with suppress(OSError):  # replaced just now: the next look sees it
            status = path.stat()
            found.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _files_of(path: Path) -> list[Path]:
    """Return a file, or those of a folder, sorted."""
    try:
        return sorted(Path(entry.path) for entry in os.scandir(path) if entry.is_file())
    except OSError:
        return [path]

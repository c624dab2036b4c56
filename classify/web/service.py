"""All that lives as long as the server: the collection, corrections, uploads, and what decodes pictures."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, final

from fastapi import Depends, Request

from classify.corrections import CorrectionLog
from classify.web.collection import (
    Collection,
    CollectionMap,
    CollectionSearcher,
    Library,
    OpinionCache,
    Opinions,
    describe_vectors,
    draw_map,
)
from classify.web.config import ServeConfig
from classify.web.media import FrameReader
from classify.web.metrics import Metrics
from classify.web.tagging import Tagger
from embed.machine import temporary_folder


@final
class Service:
    """What the routes ask.

    Args:
        config: what is served.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.tagger = Tagger(config, lambda: self.collection, describe_vectors)
        self.library = Library(config, self.tagger.use)
        self.corrections = CorrectionLog(config.state_file)
        self.opinion_cache = OpinionCache(self.corrections)
        self.searcher = CollectionSearcher(config.pretrained, config.device)
        self.frames = FrameReader()
        self.metrics = Metrics(self._gauges)
        self._open = ExitStack()
        self._drawing = threading.Lock()
        self._map: tuple[Collection, CollectionMap] | None = None
        self.uploads = Path()

    @property
    def collection(self) -> Collection:
        """The newest collection.

        Raises:
            ApiError: it is not loaded yet.
        """
        return self.library.collection

    @property
    def opinions(self) -> Opinions:
        """What people corrected."""
        return self.opinion_cache.read()

    def map_of(self, found: Collection) -> CollectionMap:
        """Return the map of a collection. It is drawn once; who asks meanwhile waits."""
        with self._drawing:
            if self._map is None or self._map[0] is not found:
                self._map = found, draw_map(found)
            return self._map[1]

    def start(self) -> None:
        """Begin to load, in threads: the page is there before. What killed servers left of uploads is deleted."""
        self.uploads = self._open.enter_context(temporary_folder("serve"))
        self.tagger.start()
        self.library.start()

    def stop(self) -> None:
        """End threads and processes, and delete uploads."""
        self.tagger.stop()
        self.library.stop()
        self.frames.close()
        self._open.close()

    def _gauges(self) -> dict[str, float]:
        is_ready = self.library.state == "ready"
        return {
            "ready": float(is_ready),
            "videos": len(self.collection.ids) if is_ready else 0,
            "uploads_held": self.tagger.held,
            **{f"uploads_{name}": count for name, count in self.tagger.counts.items()},
        }


def _service_of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


TheService = Annotated[Service, Depends(_service_of)]
"""A parameter of a route: the service of the application."""

"""All that lives as long as the server: the collection, and what decodes pictures."""

from typing import Annotated, final

from fastapi import Depends, Request

from classify.web.collection import Collection, Library, Opinions
from classify.web.config import ServeConfig
from classify.web.media import FrameReader
from classify.web.metrics import Metrics


@final
class Service:
    """What the routes ask.

    Args:
        config: what is served.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.library = Library(config)
        self.frames = FrameReader()
        self.metrics = Metrics(self._gauges)

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
        return {}

    def start(self) -> None:
        """Begin to load, in threads: the page is there before."""
        self.library.start()

    def stop(self) -> None:
        """End threads and processes."""
        self.library.stop()
        self.frames.close()

    def _gauges(self) -> dict[str, float]:
        is_ready = self.library.state == "ready"
        return {"ready": float(is_ready), "videos": len(self.collection.ids) if is_ready else 0}


def _service_of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


TheService = Annotated[Service, Depends(_service_of)]
"""A parameter of a route: the service of the application."""

"""Run one stage of a pipeline in a thread of its own, a little ahead of the next stage."""

import threading
from collections.abc import Generator
from contextlib import closing
from queue import Queue
from typing import TypeVar

Item = TypeVar("Item")


def in_background(items: Generator[Item], *, ahead: int = 1) -> Generator[Item]:
    """Yield the items of a generator that runs in another thread.

    Args:
        items: run to its end, or closed when this generator is, by its own thread.
        ahead: items that wait to be taken.
    """
    queue: Queue[Item | _End] = Queue(ahead)
    is_abandoned = threading.Event()

    def run() -> None:
        try:
            with closing(items):
                for item in items:
                    queue.put(item)
                    if is_abandoned.is_set():
                        return
            queue.put(_End(None))
        except BaseException as error:  # raised again where the items are taken
            queue.put(_End(error))

    # A daemon: Ctrl-C does not wait for the batch that is being encoded.
    threading.Thread(target=run, name=getattr(items, "__name__", "stage"), daemon=True).start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        is_abandoned.set()
        while not queue.empty():  # the other thread may wait for room
            queue.get_nowait()


class _End:
    """What comes after the last item."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

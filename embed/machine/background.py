"""Threads that never keep the process alive: a stage of a pipeline, or calls made side by side."""

import threading
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from queue import Empty, Queue, SimpleQueue
from typing import Any, TypeVar, final

_INTERVAL_S = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_background(
    items: Generator[Item], *, ahead: int = 1, meanwhile: Callable[[], object] | None = None
) -> Generator[Item]:
    """Yield the items of a generator that runs in another thread.

    Args:
        items: run to its end, or closed when this generator is, by its own thread.
        ahead: items that wait to be taken.
        meanwhile: called, by who takes the items, once a second while there is none.
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
        while not isinstance(item := _take(queue, meanwhile), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        is_abandoned.set()
        while not queue.empty():  # the other thread may wait for room
            queue.get_nowait()


def _take(queue: "Queue[Item | _End]", meanwhile: Callable[[], object] | None) -> "Item | _End":
    while True:
        try:
            return queue.get(timeout=_INTERVAL_S if meanwhile else None)
        except Empty:
            if meanwhile:
                meanwhile()


class _End:
    """What comes after the last item."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@final
class DaemonThreads:
    """Threads that make calls for others, so many at once. They end when this is let go.

    Python's ThreadPoolExecutor waits at exit for what is running; these do not, so Ctrl-C need not wait for a batch.

    Args:
        count: of the threads; more calls wait in turn.
        prepare: called in each of them before this returns.
    """

    def __init__(self, count: int, prepare: Callable[[], object]) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        is_prepared = [self._start(prepare) for _ in range(count)]
        weakref.finalize(self, _end, self._calls, count)
        for future in is_prepared:
            future.result()

    def submit(self, function: Callable[..., Result], *args: object) -> Future[Result]:
        """Have a function called, and return what will hold its result or its exception."""
        future: Future[Result] = Future()
        self._calls.put(partial(_keep_result, future, function, *args))
        return future

    def _start(self, prepare: Callable[[], object]) -> Future[object]:
        future: Future[object] = Future()
        first = partial(_keep_result, future, prepare)
        threading.Thread(target=_make_calls, args=[first, self._calls], daemon=True).start()
        return future


_Call = Callable[[], None]


def _make_calls(call: _Call | None, calls: "SimpleQueue[_Call | None]") -> None:
    while call:
        call()
        call = None  # let go what it held before waiting for the next
        call = calls.get()


def _keep_result(future: Future[Any], function: Callable[..., Any], *args: object) -> None:
    try:
        future.set_result(function(*args))
    except BaseException as error:  # raised again where the result is taken
        future.set_exception(error)


def _end(calls: "SimpleQueue[_Call | None]", count: int) -> None:
    for _ in range(count):
        calls.put(None)

"""Threads that never keep the process alive: a stage of a pipeline, or calls in parallel."""

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
        items: the other thread runs it to its end, or closes it when this generator is closed.
        ahead: how many items may wait to be taken.
        meanwhile: called once a second while there is no item, in the thread that takes the items.
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

    # A daemon thread, so that Ctrl-C does not wait for the batch that is being encoded.
    threading.Thread(target=run, name=getattr(items, "__name__", "stage"), daemon=True).start()
    try:
        while not isinstance(item := _take(queue, meanwhile), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        is_abandoned.set()
        while not queue.empty():  # the other thread may be waiting for a free place
            queue.get_nowait()


def _take(queue: "Queue[Item | _End]", meanwhile: Callable[[], object] | None) -> "Item | _End":
    while True:
        try:
            return queue.get(timeout=_INTERVAL_S if meanwhile else None)
        except Empty:
            if meanwhile:
                meanwhile()


class _End:
    """The mark behind the last item."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@final
class DaemonThreads:
    """A fixed number of threads that make calls for others. They end when this object is deleted.

    Python's ThreadPoolExecutor waits for running calls at exit. These threads do not, so Ctrl-C does not wait for a
    batch.

    Args:
        count: number of threads; further calls wait in a queue.
        prepare: called once in each thread before the constructor returns.
    """

    def __init__(self, count: int, prepare: Callable[[], object]) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        is_prepared = [self._start(prepare) for _ in range(count)]
        weakref.finalize(self, _end, self._calls, count)
        for future in is_prepared:
            future.result()

    def submit(self, function: Callable[..., Result], *args: object) -> Future[Result]:
        """Call a function in one of the threads, and return a future with its result or exception."""
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
        call = None  # free what it held before waiting for the next
        call = calls.get()


def _keep_result(future: Future[Any], function: Callable[..., Any], *args: object) -> None:
    try:
        future.set_result(function(*args))
    except BaseException as error:  # raised again where the result is taken
        future.set_exception(error)


def _end(calls: "SimpleQueue[_Call | None]", count: int) -> None:
    for _ in range(count):
        calls.put(None)

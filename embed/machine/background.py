"""Threads that never keep the process alive: a stage of a pipeline, or calls in parallel."""

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from functools import cache, partial
from queue import Empty, Full, Queue, SimpleQueue
from typing import Any, TypeVar, final

_INTERVAL_S = 1.0
_PATIENCE_S = 30.0  # for the batch that is being encoded when the interpreter ends

_Call = Callable[[], None]
_Calls = SimpleQueue[_Call | None]
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
                    if not put(item) or is_abandoned.is_set():
                        return
            put(_End(None))
        except BaseException as error:  # raised again where the items are taken
            put(_End(error))

    def put(item: "Item | _End") -> bool:
        """Wait for a free place; return False if nobody will take the item any more."""
        while True:
            try:
                queue.put(item, timeout=_INTERVAL_S)
                return True
            except Full:
                if is_abandoned.is_set() or _awaited().is_ending.is_set():
                    return False

    # A daemon thread, so that Ctrl-C, which ends by os._exit, does not wait for the batch that is being encoded.
    thread = threading.Thread(target=run, name=getattr(items, "__name__", "stage"), daemon=True)
    _awaited().calls_of[thread] = None
    thread.start()
    try:
        while not isinstance(item := _take(queue, meanwhile), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        is_abandoned.set()
        while not queue.empty():  # the other thread may be waiting for a free place
            queue.get_nowait()


@final
class _Awaited:
    """The threads that the interpreter waits for when it ends.

    A thread that returns from torch's C++ to an interpreter that has ended aborts the process (SIGABRT).
    """

    def __init__(self) -> None:
        self.calls_of: weakref.WeakKeyDictionary[threading.Thread, _Calls | None] = weakref.WeakKeyDictionary()
        self.is_ending = threading.Event()

    def wait(self) -> None:
        """Wait for what the threads are doing now; they begin nothing more."""
        self.is_ending.set()
        deadline = time.monotonic() + _PATIENCE_S
        threads = dict(self.calls_of)
        for calls in [own for own in threads.values() if own is not None]:
            calls.put(None)  # wakes one thread that waits for a call
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


@cache
def _awaited() -> _Awaited:
    awaited = _Awaited()
    atexit.register(awaited.wait)
    return awaited


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

    Python's ThreadPoolExecutor waits for all calls at exit. These threads end with the call that they are making.

    Args:
        count: number of threads; further calls wait in a queue.
        prepare: called once in each thread before the constructor returns.
    """

    def __init__(self, count: int, prepare: Callable[[], object]) -> None:
        self._calls: _Calls = SimpleQueue()
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
        thread = threading.Thread(target=_make_calls, args=[first, self._calls], daemon=True)
        _awaited().calls_of[thread] = self._calls
        thread.start()
        return future


def _make_calls(call: _Call | None, calls: _Calls) -> None:
    is_ending = _awaited().is_ending
    while call and not is_ending.is_set():
        call()
        call = None  # free what it held before waiting for the next
        call = calls.get()


def _keep_result(future: Future[Any], function: Callable[..., Any], *args: object) -> None:
    try:
        future.set_result(function(*args))
    except BaseException as error:  # raised again where the result is taken
        future.set_exception(error)


def _end(calls: _Calls, count: int) -> None:
    for _ in range(count):
        calls.put(None)

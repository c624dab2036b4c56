import subprocess
import sys
import threading
import time
from collections.abc import Generator

import pytest

from embed.machine import background
from embed.machine.background import DaemonThreads, in_background


def numbers(count: int) -> Generator[int]:
    yield from range(count)


def test_items_come_in_order() -> None:
    assert list(in_background(numbers(5))) == [0, 1, 2, 3, 4]


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Generator[int]:
        yield 1
        raise RuntimeError("no more")

    items = in_background(failing())
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="no more"):
        next(items)


def test_meanwhile_is_called_in_the_thread_that_waits_for_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_INTERVAL_S", 0.01)
    callers: list[threading.Thread] = []

    def slow() -> Generator[int]:
        while len(callers) < 3:
            time.sleep(0.001)
        yield 1

    assert list(in_background(slow(), meanwhile=lambda: callers.append(threading.current_thread()))) == [1]
    assert set(callers) == {threading.current_thread()}


def test_work_continues_while_an_item_is_used_but_not_far_ahead() -> None:
    made: list[int] = []

    def making() -> Generator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = in_background(making(), ahead=2)
    next(items)
    wait_until(lambda: len(made) == 4)
    time.sleep(0.1)
    assert len(made) == 4  # one taken, two waiting, one held by the thread
    items.close()


def test_closing_closes_the_source_in_its_own_thread() -> None:
    closed_in: list[str] = []

    def endless() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            closed_in.append(threading.current_thread().name)

    items = in_background(endless())
    next(items)
    items.close()
    wait_until(lambda: closed_in == ["endless"])


def wait_until(is_so: object) -> None:
    deadline = time.monotonic() + 5
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_calls_run_in_parallel_and_give_their_results() -> None:
    threads, both = DaemonThreads(2, lambda: None), threading.Barrier(2, timeout=10)
    first, second = threads.submit(both.wait), threads.submit(both.wait)
    assert {first.result(), second.result()} == {0, 1}


def test_an_error_of_a_call_is_raised_where_its_result_is_taken() -> None:
    threads = DaemonThreads(1, lambda: None)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result()
    assert threads.submit(divmod, 7, 2).result() == (3, 1)


def test_each_thread_is_prepared_before_the_first_call() -> None:
    prepared: list[int] = []
    DaemonThreads(3, lambda: prepared.append(threading.get_ident()))
    assert len(set(prepared)) == 3


def test_threads_end_when_their_object_is_deleted() -> None:
    ended: list[threading.Thread] = []
    threads = DaemonThreads(2, lambda: ended.append(threading.current_thread()))
    del threads
    wait_until(lambda: not any(thread.is_alive() for thread in ended))


def test_a_process_ends_while_a_call_runs() -> None:
    code = (
        "import time; from embed.machine.background import DaemonThreads; DaemonThreads(1, int).submit(time.sleep, 60)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


ENDING = """
import sys, threading
import torch
from embed.machine import in_background

begun = threading.Event()

def batches():
    while True:
        begun.set()
        torch.ones(1500, 1500) @ torch.ones(1500, 1500)
        yield 1

taken = in_background(batches())
next(taken)
begun.wait()
taken.close()
sys.exit(2)
"""


def test_a_command_that_ends_while_a_batch_is_encoded_keeps_its_exit_code() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, "")

import threading
import time
from collections.abc import Generator

import pytest

from embed.background import in_background


def numbers(count: int) -> Generator[int]:
    yield from range(count)


def test_items_come_in_their_order() -> None:
    assert list(in_background(numbers(5))) == [0, 1, 2, 3, 4]


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Generator[int]:
        yield 1
        raise RuntimeError("no more")

    items = in_background(failing())
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="no more"):
        next(items)


def test_work_goes_on_while_an_item_is_used_but_not_far_ahead() -> None:
    made: list[int] = []

    def making() -> Generator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = in_background(making(), ahead=2)
    next(items)
    wait_until(lambda: len(made) == 4)
    time.sleep(0.1)
    assert len(made) == 4  # one taken, two waiting, one in the hand of the thread
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

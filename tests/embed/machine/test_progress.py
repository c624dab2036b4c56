import time
from collections.abc import Iterator

import pytest

from embed.machine.progress import HINTS, Progress, StageClock


def test_shares_are_fractions_of_the_time_that_the_run_waited() -> None:
    clock = StageClock()
    clock.waiting_s, clock.encode_s, clock.write_s = 6.0, 3.0, 1.0
    clock.fetch_s, clock.decode_s = 4.0, 8.0  # of two workers at once
    assert clock.shares() == pytest.approx({"fetch": 0.2, "decode": 0.4, "encode": 0.3, "write": 0.1})


def test_the_current_wait_is_counted() -> None:
    clock, seen = StageClock(), []
    clock.decode_s = 1.0

    def slow() -> Iterator[int]:
        time.sleep(0.05)
        seen.append(clock.shares())
        yield 1

    next(clock.waited_for(slow()))
    assert seen[0] == pytest.approx({"fetch": 0, "decode": 1, "encode": 0, "write": 0})


def test_before_the_first_video_there_are_no_shares() -> None:
    clock = StageClock()
    clock.waiting_s = 6.0
    assert clock.shares() == {}


def test_without_measurements_there_is_no_bottleneck() -> None:
    assert StageClock().shares() == {}
    assert Progress(0, 1, 0, 0, 0.0).bottleneck is None


def test_the_largest_share_is_the_bottleneck() -> None:
    assert Progress(1, 2, 0, 9, 1.0, {"decode": 0.2, "encode": 0.8}).bottleneck == "encode"
    assert "--device cuda" in HINTS["encode"]


def test_waiting_is_counted_until_an_item_comes_and_not_while_it_is_used() -> None:
    def slow() -> Iterator[int]:
        time.sleep(0.05)
        yield 1

    clock, began = StageClock(), time.monotonic()
    for _ in clock.waited_for(slow()):
        time.sleep(0.2)
    assert 0.05 <= clock.waiting_s <= time.monotonic() - began - 0.2  # also on a busy machine

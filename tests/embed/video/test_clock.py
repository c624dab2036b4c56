import numpy as np
import pytest

from embed.video.clock import continue_clock


def continued(ticks: list[int], decode_ticks: list[int], duration: int = 1) -> list[int]:
    durations = np.full(len(ticks), duration, dtype=np.int64)
    return continue_clock(np.array(ticks), np.array(decode_ticks), durations).tolist()


@pytest.mark.parametrize(
    ("ticks", "decode_ticks"),
    [
        pytest.param([2, 5, 3, 4, 8, 6, 7], [0, 1, 2, 3, 4, 5, 6], id="B-frames"),
        pytest.param([0, 1, 2, 900, 4, 5, 6], [0, 1, 2, 900, 4, 5, 6], id="one timestamp far ahead"),
        pytest.param([50, 51, 52, 3, 54, 55], [50, 51, 52, 3, 54, 55], id="one timestamp far back"),
        pytest.param([5, 3, 9], [-(1 << 62)] * 3, id="no decoding timestamps"),
        pytest.param([7], [7], id="one frame"),
    ],
)
def test_a_clock_that_does_not_restart_is_kept(ticks: list[int], decode_ticks: list[int]) -> None:
    assert continued(ticks, decode_ticks) == ticks


def test_each_later_section_follows_the_one_before() -> None:
    ticks = [90, 92, 91, 93, 12, 10, 11, 0, 1, 2]
    assert continued(ticks, [88, 89, 90, 91, 8, 9, 10, 0, 1, 2]) == [90, 92, 91, 93, 96, 94, 95, 97, 98, 99]


def test_a_section_of_one_frame_at_the_end_follows_too() -> None:
    assert continued([90, 91, 92, 0], [90, 91, 92, 0]) == [90, 91, 92, 93]


def test_without_durations_sections_are_one_usual_step_apart() -> None:
    assert continued([100, 104, 108, 0, 4, 8], [100, 104, 108, 0, 4, 8], duration=0) == [100, 104, 108, 112, 116, 120]

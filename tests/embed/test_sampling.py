import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embed.sampling import UniformFrames, sampling_from_json


@pytest.mark.parametrize(
    ("frame_count", "available", "expected"),
    [
        pytest.param(1, 9, [4], id="one frame is the middle one"),
        pytest.param(2, 4, [1, 3], id="two parts of two"),
        pytest.param(3, 9, [1, 4, 7], id="the centre of three parts of three"),
        pytest.param(4, 6, [0, 2, 3, 5], id="parts that do not divide"),
        pytest.param(5, 5, [0, 1, 2, 3, 4], id="as many as there are"),
        pytest.param(5, 2, [0, 1], id="fewer frames than asked for: each once"),
    ],
)
def test_uniform_frames_are_the_centres_of_equal_parts(frame_count: int, available: int, expected: list[int]) -> None:
    assert UniformFrames(frame_count).choose(available).tolist() == expected


@given(st.integers(1, 300), st.integers(1, 5000))
def test_uniform_frames_are_distinct_ascending_and_inside_the_video(frame_count: int, available: int) -> None:
    chosen = UniformFrames(frame_count).choose(available)
    assert len(chosen) == min(frame_count, available)
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0
    assert chosen[-1] < available


@given(st.integers(1, 50), st.integers(1, 500))
def test_uniform_frames_read_backwards_are_as_evenly_spread(frame_count: int, available: int) -> None:
    chosen = UniformFrames(frame_count).choose(available)
    mirrored = available - 1 - chosen[::-1]
    assert np.abs(chosen - mirrored).max() <= 1


def test_a_sampling_survives_json() -> None:
    assert sampling_from_json(UniformFrames(7).to_json()) == UniformFrames(7)


def test_an_unknown_sampling_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown sampling 'random'; known are uniform"):
        sampling_from_json({"name": "random"})


def test_no_frames_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="frame_count is at least 1, got 0"):
        UniformFrames(0)

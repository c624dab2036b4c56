import math
import tracemalloc
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from embed.video.clip_sampling import sampling_from_json
from embed.video.decoding import read_frames
from embed.video.sampling import FramesPerSecond, KeyFrames, Sampling, UniformFrames
from embed.video.timeline import Timeline
from tests.media import write_video


@pytest.mark.parametrize(
    ("frame_count", "available", "expected"),
    [
        pytest.param(1, 9, [4], id="one frame is the middle one"),
        pytest.param(2, 4, [1, 3], id="two parts of two"),
        pytest.param(3, 9, [1, 4, 7], id="the centre of three parts of three"),
        pytest.param(4, 6, [0, 2, 3, 5], id="parts that do not divide"),
        pytest.param(5, 5, [0, 1, 2, 3, 4], id="as many as there are"),
        pytest.param(5, 2, [0, 1], id="fewer frames than requested: each once"),
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
def test_uniform_frames_are_spread_as_evenly_when_read_backwards(frame_count: int, available: int) -> None:
    chosen = UniformFrames(frame_count).choose(available)
    mirrored = available - 1 - chosen[::-1]
    assert np.abs(chosen - mirrored).max() <= 1


def timeline(frame_count: int, fps: float = 25.0, keys: tuple[int, ...] = (0,), start_s: float = 0.0) -> Timeline:
    is_keyframe = np.isin(np.arange(frame_count), keys)
    return Timeline(start_s + np.arange(frame_count) / fps, is_keyframe, None, 64, 48, frame_count / fps)


def chosen(sampling: Sampling, of: Timeline) -> list[int]:
    return sampling.indices(of)[:, 0].tolist()


@pytest.mark.parametrize("start_s", [0.0, 8.4])
def test_first_seconds_counts_from_the_first_frame(start_s: float) -> None:
    of = timeline(250, start_s=start_s)
    assert chosen(UniformFrames(5, first_seconds=2.0), of) == UniformFrames(5).choose(50).tolist()


def test_first_seconds_longer_than_the_video_use_all_of_it() -> None:
    assert chosen(UniformFrames(5, first_seconds=45), timeline(250)) == chosen(UniformFrames(5), timeline(250))


def test_first_seconds_shorter_than_one_frame_give_the_first_frame() -> None:
    assert chosen(UniformFrames(5, first_seconds=0.001), timeline(250)) == [0]


def test_key_frames_are_the_nearest_to_the_uniform_instants() -> None:
    of = timeline(100, keys=(0, 30, 60, 90))
    assert UniformFrames(2).choose(100).tolist() == [25, 75]
    assert chosen(KeyFrames(2), of) == [30, 60]


def test_each_key_frame_is_taken_once() -> None:
    assert chosen(KeyFrames(50), timeline(100, keys=(0, 90))) == [0, 90]


def test_key_frames_after_the_first_seconds_are_left_out() -> None:
    assert chosen(KeyFrames(50, first_seconds=2.0), timeline(100, keys=(0, 30, 60))) == [0, 30]


def test_a_video_without_a_marked_key_frame_gives_its_first_frame() -> None:
    assert chosen(KeyFrames(50), timeline(100, keys=())) == [0]


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        pytest.param(FramesPerSecond(1), [0, 25, 50, 75], id="one per second"),
        pytest.param(FramesPerSecond(2, first_seconds=1.5), [0, 12, 25], id="two per second of 1.5 s"),
        pytest.param(FramesPerSecond(1000, first_seconds=0.2), [0, 1, 2, 3, 4], id="more than there are"),
        pytest.param(FramesPerSecond(0.1), [0], id="fewer than one in the whole video"),
        pytest.param(FramesPerSecond(1, frame_count=2), [25, 75], id="at most two"),
    ],
)
def test_frames_per_second_are_those_on_screen_at_each_instant(sampling: Sampling, expected: list[int]) -> None:
    assert chosen(sampling, timeline(100)) == expected


def test_a_frame_that_stays_on_screen_is_taken_once() -> None:
    slides = Timeline(np.array([0.0, 10.0, 11.0]), np.ones(3, np.bool_), None, 64, 48, 20.0)
    assert chosen(FramesPerSecond(1), slides) == [0, 1, 2]


def test_an_absurd_timestamp_costs_no_memory() -> None:
    of = Timeline(np.array([0.0, 0.5, 1.5, 1e9]), np.ones(4, np.bool_), None, 64, 48, 1e9)
    tracemalloc.start()
    try:
        assert chosen(FramesPerSecond(1), of) == [0, 1, 2]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@given(st.floats(0.05, 100), st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_frames_per_second_equal_a_search_of_each_instant(rate: float, steps_s: list[float]) -> None:
    times_s = np.cumsum([0, *steps_s])
    of = Timeline(times_s, np.ones(len(times_s), np.bool_), None, 64, 48, float(times_s[-1]) + 0.04)
    instants_s = (number / rate + 1e-6 for number in range(max(1, math.ceil(of.duration_s * rate - 1e-6))))
    on_screen = {int(np.flatnonzero(times_s <= instant_s)[-1]) for instant_s in instants_s}
    assert chosen(FramesPerSecond(rate), of) == sorted(on_screen)


@given(st.floats(0.05, 100), st.integers(1, 400), st.floats(1, 120))
def test_frames_per_second_are_distinct_ascending_and_inside_the_video(rate: float, count: int, own: float) -> None:
    indices = FramesPerSecond(rate).indices(timeline(count, own))[:, 0]
    assert np.all(np.diff(indices) > 0)
    assert indices[0] == 0
    assert indices[-1] < count


@pytest.mark.parametrize(
    "sampling",
    [
        UniformFrames(7),
        UniformFrames(7, first_seconds=45.0),
        KeyFrames(9),
        KeyFrames(9, first_seconds=2.5),
        FramesPerSecond(0.5),
        FramesPerSecond(2.0, first_seconds=45.0, frame_count=60),
    ],
    ids=repr,
)
def test_a_sampling_survives_json(sampling: Sampling) -> None:
    assert sampling_from_json(sampling.to_json()) == sampling


def test_the_description_of_a_uniform_rule_omits_first_seconds_if_it_is_not_set() -> None:
    assert UniformFrames(7).to_json() == {"name": "uniform", "frame_count": 7}


def test_an_unknown_sampling_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown sampling 'random'; choose from uniform, keyframes, fps"):
        sampling_from_json({"name": "random"})


def test_a_frame_count_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="frame_count must be a whole number of at least 1, got 0"):
        UniformFrames(0)


@pytest.mark.parametrize("first_seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_invalid_first_seconds_are_refused(first_seconds: float) -> None:
    with pytest.raises(ValueError, match=r"first_seconds must be finite and above 0, got .*; omit it to use all"):
        UniformFrames(5, first_seconds)


def test_0_frames_per_second_are_refused() -> None:
    with pytest.raises(ValueError, match="fps must be finite and above 0, got 0"):
        FramesPerSecond(0)


class Own:
    """A rule of somebody's own, which chooses whatever it is told."""

    def __init__(self, chosen: object) -> None:
        self.chosen = chosen

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:  # noqa: ARG002 (of the protocol)
        return cast("NDArray[np.int64]", self.chosen)

    def to_json(self) -> dict[str, Any]:
        return {"name": "own"}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (None, r"Own.indices must return an int64 array \(T, W\) with at least one index, got None"),
        (np.zeros((0, 1), np.int64), r"got int64 \(0, 1\)"),
        (np.zeros(3, np.int64), r"got int64 \(3,\)"),
        (np.zeros((3, 1)), r"got float64 \(3, 1\)"),
        (np.array([[0], [99]]), "Own.indices must be from 0 to 4, got 99"),
        (np.array([[-1], [2]]), "Own.indices must be from 0 to 4, got -1"),
    ],
)
def test_a_rule_of_ones_own_that_chooses_no_frames_is_told(tmp_path: Path, chosen: object, message: str) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    with pytest.raises(ValueError, match=message):
        read_frames(str(path), Own(chosen))


@pytest.mark.parametrize("thread_count", [-1, 1.5])
def test_an_impossible_number_of_threads_is_told(tmp_path: Path, thread_count: int) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    with pytest.raises(ValueError, match=f"thread_count must be 0 or a whole number of at least 1, got {thread_count}"):
        read_frames(str(path), UniformFrames(3), thread_count=thread_count)

"""Which frames make clips, against plain calculations written apart."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from embed.run.config import window_of
from embed.video.clip_sampling import Clips, Windows, sampling_from_json
from embed.video.timeline import Timeline

ROW_B = Clips(16, "auto", 1, first_seconds=10.0)


def timeline(frame_count: int, fps: float, start_s: float = 0.0) -> Timeline:
    """Return the timeline of a video with a constant frame rate."""
    times = start_s + np.arange(frame_count) / fps
    return shown_at(times, frame_count / fps)


def shown_at(times_s: NDArray[np.float64], duration_s: float) -> Timeline:
    return Timeline(times_s, np.ones(len(times_s), dtype=np.bool_), None, 320, 240, duration_s)


@pytest.mark.parametrize("fps", [Fraction(24), Fraction(30000, 1001), Fraction(60)], ids=["24", "29.97", "60"])
@pytest.mark.parametrize("duration_s", ["5.6", "10", "600"])
def test_one_clip_of_the_first_ten_seconds_takes_every_sixteenth_part_from_frame_0(
    fps: Fraction, duration_s: str
) -> None:
    total = int(Fraction(duration_s) * fps)
    first_ten_s = [frame for frame in range(total) if Fraction(frame) / fps < 10]
    step = len(first_ten_s) // 16

    found = ROW_B.indices(timeline(total, float(fps)))

    assert found.tolist() == [first_ten_s[::step][:16]]


def test_a_video_shorter_than_a_clip_repeats_its_last_frame() -> None:
    assert ROW_B.indices(timeline(5, 30)).tolist() == [[0, 1, 2, 3, *[4] * 12]]
    assert ROW_B.indices(timeline(1, 30)).tolist() == [[0] * 16]
    assert Clips(4, 2, None).indices(timeline(3, 30)).tolist() == [[0, 2, 2, 2]]
    assert Windows(4.0, window=4).indices(timeline(2, 1)).tolist() == [[0, 1, 1, 1]]


def test_a_stride_without_a_number_of_clips_covers_every_part_of_the_video() -> None:
    found = Clips(4, 5, None).choose(100)

    assert found.shape == (5, 4)
    assert np.diff(found, axis=1).tolist() == [[5, 5, 5]] * 5
    assert np.diff(found[:, 0]).tolist() == [20] * 4


def test_windows_in_seconds_take_the_frames_on_screen_in_the_middle_of_each_part() -> None:
    found = Windows(4.0, 2.0, window=4).indices(timeline(80, 8, start_s=3.0))  # 10 s at 8 frames a second

    # Window k begins at 2 k seconds; its instants are 0.5, 1.5, 2.5 and 3.5 s later, 4 frames into each second.
    assert found.tolist() == [[16 * k + 8 * i + 4 for i in range(4)] for k in range(4)]


def test_the_last_window_ends_with_the_video() -> None:
    found = Windows(4.0, 4.0, window=2).indices(timeline(60, 10))  # 6 s

    assert found.tolist() == [[10, 30], [30, 50]]


def test_windows_follow_the_clock_where_the_frame_rate_varies() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.3, 2.0, 3.9])
    varying = shown_at(times, 4.0)

    assert Windows(4.0, window=4).indices(varying).tolist() == [[3, 3, 4, 4]]


def test_one_absurd_timestamp_makes_no_absurdly_long_list() -> None:
    times = np.array([0.0, 1.0, 2.0, 1e9])
    broken = shown_at(times, 1e9)

    found = Windows(0.5, 0.25, window=2).indices(broken)

    assert found.shape[0] <= 8


rules = st.one_of(
    st.builds(Clips, st.integers(1, 20), st.just("auto"), st.integers(1, 12)),
    st.builds(Clips, st.integers(1, 20), st.integers(1, 9), st.one_of(st.none(), st.integers(1, 12))),
    st.builds(Windows, st.floats(0.05, 9), st.one_of(st.none(), st.floats(0.05, 9)), st.integers(1, 20)),
)


@given(rules, st.integers(1, 300), st.sampled_from([1.0, 12.5, 30.0]))
def test_every_rule_gives_ascending_clips_of_frames_that_exist(
    rule: Clips | Windows, frame_count: int, fps: float
) -> None:
    found = rule.indices(timeline(frame_count, fps))

    assert found.shape[1] == rule.window
    assert len(found) >= 1
    assert found.min() >= 0
    assert found.max() < frame_count
    assert (np.diff(found, axis=1) >= 0).all()
    assert len(np.unique(found, axis=0)) == len(found)
    assert (np.diff(found[:, 0]) >= 0).all()
    assert sampling_from_json(rule.to_json()) == rule
    assert window_of(rule) == rule.window


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "window must be a whole number of at least 1, got 0"),
        ({"stride": "fast"}, "stride must be 'auto' or a whole number of frames of at least 1, got 'fast'"),
        ({"clip_count": 0}, "clip_count must be a whole number of at least 1, got 0"),
        ({"first_seconds": -1.0}, "first_seconds must be finite and above 0, got -1.0"),
    ],
)
def test_impossible_clips_are_refused_with_what_is_possible(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Clips(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["window_s", "stride_s"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "4"])
def test_impossible_windows_are_refused_with_their_value(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} must be finite and above 0, got {value!r}"):
        Windows(**{"window_s": 4.0, name: value})  # type: ignore[arg-type]

import numpy as np
import pytest
from numpy.typing import NDArray

from classify.data.label_errors import can_judge, check_labels

SWAPPED = [3, 50, 101]


@pytest.fixture
def means() -> NDArray[np.float64]:
    """Three kinds x 40 videos around their own point, in turn."""
    centres = np.eye(3, 8) * 4
    return centres[np.arange(120) % 3] + 0.2 * np.random.default_rng(0).standard_normal((120, 8))


def test_labels_that_were_swapped_are_found_with_what_they_should_be(means: NDArray[np.float64]) -> None:
    kinds = np.arange(120) % 3
    kinds[SWAPPED] = (kinds[SWAPPED] + 1) % 3

    doubts = check_labels(means, kinds[:, None] == np.arange(3)).doubts

    assert sorted(doubt.video for doubt in doubts) == SWAPPED
    assert {doubt.video: doubt.suggested for doubt in doubts} == {video: video % 3 for video in SWAPPED}
    assert {doubt.video: doubt.doubted for doubt in doubts} == {video: (video + 1) % 3 for video in SWAPPED}
    assert all(doubt.label_probability < 0.3 < 0.7 < doubt.suggested_probability for doubt in doubts)


def test_an_extra_label_is_found_where_videos_have_several(means: NDArray[np.float64]) -> None:
    targets = (np.arange(120) % 3)[:, None] == np.arange(3)
    targets[SWAPPED, (np.array(SWAPPED) + 1) % 3] = True

    doubts = check_labels(means, targets).doubts

    assert sorted(doubt.video for doubt in doubts) == SWAPPED
    assert {doubt.video: doubt.doubted for doubt in doubts} == {video: (video + 1) % 3 for video in SWAPPED}


def test_right_labels_are_not_doubted(means: NDArray[np.float64]) -> None:
    groups = tuple(f"trip {video // 6}" for video in range(120))

    assert check_labels(means, (np.arange(120) % 3)[:, None] == np.arange(3), groups).doubts == ()


def test_a_class_in_a_single_group_is_not_judged_since_nothing_vouches_for_it(
    means: NDArray[np.float64],
) -> None:
    kinds = np.arange(120) % 3
    groups = tuple("one" if kind == 2 else f"trip {video // 6}" for video, kind in enumerate(kinds))
    kinds[SWAPPED[0]] = 1  # a class that can be judged, so the video is still doubted
    targets = kinds[:, None] == np.arange(3)

    assert can_judge(targets, groups).tolist() == [True, True, False]
    assert [doubt.video for doubt in check_labels(means, targets, groups).doubts] == SWAPPED[:1]


def test_if_all_but_one_class_are_in_a_single_group_none_can_be_judged() -> None:
    targets = (np.arange(20) < 10)[:, None] == np.array([True, False])
    groups = tuple("one" if has else str(video) for video, has in enumerate(targets[:, 1]))

    assert can_judge(targets, groups).tolist() == [False, False]


def test_labels_with_too_few_videos_are_not_judged(means: NDArray[np.float64]) -> None:
    assert check_labels(means[:12], (np.arange(12) % 3)[:, None] == np.arange(3)).doubts == ()


def test_a_judge_that_knows_nothing_doubts_no_label() -> None:
    rng = np.random.default_rng(0)

    check = check_labels(rng.standard_normal((120, 8)), (np.arange(120) % 4 == 0)[:, None] == np.array([True, False]))

    assert check.doubts == ()
    assert check.is_weak
    assert check.guessed == 0.75


def test_the_check_says_how_good_the_judge_is(means: NDArray[np.float64]) -> None:
    kinds = np.arange(120) % 3
    kinds[SWAPPED] = (kinds[SWAPPED] + 1) % 3

    check = check_labels(means, kinds[:, None] == np.arange(3))

    assert check.right == 117 / 120
    assert check.guessed == 41 / 120
    assert not check.is_weak

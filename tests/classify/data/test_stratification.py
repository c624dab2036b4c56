import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from classify.data.stratification import share_out


@given(
    arrays(np.bool_, st.tuples(st.integers(10, 60), st.just(4))).map(lambda table: table | ~table.any(1)[:, None]),
    st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_single_videos_fill_the_parts_exactly(table: np.ndarray, seed: int) -> None:
    count = len(table)
    part_sizes = np.array([count - 6, 2, 4])

    parts = share_out(table.astype(np.int64), np.ones(count, dtype=np.int64), part_sizes, np.random.default_rng(seed))

    assert np.bincount(parts, minlength=3).tolist() == part_sizes.tolist()


def test_every_class_is_shared_out_in_proportion() -> None:
    rng = np.random.default_rng(0)
    counts = (rng.permutation(200)[:, None] % 5 == np.arange(5)).astype(np.int64)  # 40 of each class

    parts = share_out(counts, np.ones(200, dtype=np.int64), np.array([140, 20, 40]), rng)

    shares = [counts[parts == part].sum(axis=0).tolist() for part in range(3)]
    assert shares == [[28] * 5, [4] * 5, [8] * 5]


def test_overlapping_labels_are_shared_out_as_near_to_proportion_as_whole_videos_permit() -> None:
    rng = np.random.default_rng(0)
    counts = (rng.random((500, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.04]).astype(np.int64)
    counts[counts.sum(axis=1) == 0, 0] = 1

    parts = share_out(counts, np.ones(500, dtype=np.int64), np.array([400, 50, 50]), rng)

    wanted = counts.sum(axis=0) * np.array([[0.8], [0.1], [0.1]])
    found = np.stack([counts[parts == part].sum(axis=0) for part in range(3)])
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize("seed", range(3))
def test_796_videos_of_12_classes_give_636_80_and_80_with_every_class_within_a_video_of_its_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = np.geomspace(172, 7, 12) / np.geomspace(172, 7, 12).sum()
    counts = (rng.choice(12, 796, p=shares)[:, None] == np.arange(12)).astype(np.int64)
    several = rng.choice(796, 111, replace=False)  # 14%
    counts[several, rng.choice(12, 111, p=shares)] = 1

    parts = share_out(counts, np.ones(796, dtype=np.int64), np.array([636, 80, 80]), rng)

    found = np.stack([counts[parts == part].sum(axis=0) for part in range(3)])
    assert np.bincount(parts).tolist() == [636, 80, 80]
    assert np.abs(found - counts.sum(axis=0) * (np.array([[636], [80], [80]]) / 796)).max() < 1


def test_groups_of_equal_size_are_exchanged_until_classes_are_in_proportion() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(6, [0.4, 0.3, 0.2, 0.1], size=50)  # 50 groups of 6 videos

    parts = share_out(counts, np.full(50, 6), np.array([240, 30, 30]), rng)

    found = np.stack([counts[parts == part].sum(axis=0) for part in range(3)])
    assert np.bincount(parts).tolist() == [40, 5, 5]
    assert np.abs(found - counts.sum(axis=0) * np.array([[0.8], [0.1], [0.1]])).max() < 2


def test_groups_fill_the_parts_exactly_where_their_sizes_permit() -> None:
    sizes = np.array([7, 5, 5, 4, 3, 3, 2, 1])

    parts = share_out(sizes[:, None], sizes, np.array([18, 6, 6]), np.random.default_rng(0))

    assert np.bincount(parts, weights=sizes).tolist() == [18, 6, 6]


def test_groups_of_equal_make_up_are_shared_out_in_proportion() -> None:
    counts = np.full((20, 6), 1)  # 20 sequences with a clip of each of 6 classes

    parts = share_out(counts, counts.sum(axis=1), np.array([96, 12, 12]), np.random.default_rng(0))

    assert np.bincount(parts).tolist() == [16, 2, 2]


@pytest.mark.parametrize("seed", range(3))
def test_no_part_stays_empty_for_want_of_a_small_group(seed: int) -> None:
    sizes = np.array([40, 40, 40])

    parts = share_out(sizes[:, None], sizes, np.array([96, 12, 12]), np.random.default_rng(seed))

    assert sorted(parts.tolist()) == [0, 1, 2]


def test_counts_below_zero_raise_an_error() -> None:
    wrapped = np.array([[128], [1], [1]]).astype(np.int8)

    with pytest.raises(AssertionError, match="counts are below 0"):
        share_out(wrapped, np.array([128, 1, 1]), np.array([128, 2]), np.random.default_rng(0))

from dataclasses import replace

import numpy as np
import pytest
import torch

from classify.training.batches import VideoBatch
from classify.training.mixup import Step, draw_views, draw_weight, mix_batches


@pytest.fixture
def short() -> VideoBatch:
    """Two videos of 2 and 1 vectors, of the first class."""
    return VideoBatch(
        torch.tensor([[[4.0], [8.0]], [[12.0], [0.0]]]),
        torch.tensor([[True, True], [True, False]]),
        torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        torch.tensor([[0.0, 2.0], [0.0, 0.0]]),
    )


@pytest.fixture
def long() -> VideoBatch:
    """Two videos of 1 and 3 vectors, of the second class."""
    return VideoBatch(
        torch.tensor([[[4.0], [0.0], [0.0]], [[4.0], [4.0], [4.0]]]),
        torch.tensor([[True, False, False], [True, True, True]]),
        torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
        torch.tensor([[0.0, 0.0, 0.0], [0.0, 4.0, 8.0]]),
    )


def test_every_view_of_every_video_of_a_step_is_drawn_in_time() -> None:
    rng = np.random.default_rng(0)
    step = Step(np.array([4, 0]), np.array([2, 2]), 0.25)

    drawn = [draw_views(step, 3, rng) for _ in range(50)]

    assert {tuple(found.first // 3) for found in drawn} == {(4, 0)}
    assert {int(found.first[0]) for found in drawn} == {12, 13, 14}
    assert {tuple(found.second) for found in drawn if found.second is not None} == {
        (6 + one, 6 + other) for one in range(3) for other in range(3)
    }
    assert {found.weight for found in drawn} == {0.25}


def test_where_there_is_one_view_nothing_is_drawn() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    step = Step(np.array([4, 0]))

    assert draw_views(step, 1, rng) is step
    assert rng.random() == untouched.random()


def test_videos_of_unequal_length_are_mixed_over_the_longer(short: VideoBatch, long: VideoBatch) -> None:
    mixed = mix_batches(short, long, 0.25)

    assert mixed.vectors.squeeze(-1).tolist() == [[4.0, 2.0, 0.0], [6.0, 3.0, 3.0]]


def test_a_place_of_a_mix_is_real_where_either_video_is(short: VideoBatch, long: VideoBatch) -> None:
    mixed = mix_batches(short, long, 0.25)

    assert mixed.mask.tolist() == [[True, True, False], [True, True, True]]


def test_labels_are_mixed_as_the_vectors_are(short: VideoBatch, long: VideoBatch) -> None:
    assert mix_batches(short, long, 0.25).targets.tolist() == [[0.25, 0.75], [0.25, 0.75]]


@pytest.mark.parametrize(
    ("moments_1", "moments_2", "mixed"),
    [
        pytest.param([0.0, 1.0, 2.0], [0.0, 3.0, 6.0], [0.0, 2.5, 5.0], id="both to the end"),
        pytest.param([0.0, 1.0], [0.0, 3.0, 6.0], [0.0, 2.5, 6.0], id="the first ends"),
        pytest.param([0.0, 1.0, 2.0, 4.0], [0.0, 3.0], [0.0, 2.5, 2.0, 4.0], id="the second ends"),
        pytest.param([0.0], [0.0, 8.0], [0.0, 8.0], id="one vector"),
    ],
)
def test_timestamps_are_mixed_where_both_videos_last_and_kept_where_one_has_ended(
    moments_1: list[float], moments_2: list[float], mixed: list[float]
) -> None:
    one, other = (
        VideoBatch(torch.zeros(1, len(own), 1), torch.ones(1, len(own), dtype=torch.bool), torch.zeros(1, 0), moments)
        for own, moments in ((own, torch.tensor([own])) for own in (moments_1, moments_2))
    )

    found = mix_batches(one, other, 0.25).timestamps_s

    assert found is not None
    assert found.tolist() == [mixed]


def test_a_mix_of_batches_without_timestamps_has_none(short: VideoBatch, long: VideoBatch) -> None:
    untimed = [replace(batch, timestamps_s=None) for batch in (short, long)]

    assert mix_batches(*untimed, 0.25).timestamps_s is None


def test_the_order_of_batches_does_not_matter(short: VideoBatch, long: VideoBatch) -> None:
    one, other = mix_batches(short, long, 0.25), mix_batches(long, short, 0.75)

    torch.testing.assert_close(one.vectors, other.vectors)
    torch.testing.assert_close(one.timestamps_s, other.timestamps_s)
    assert torch.equal(one.mask, other.mask)


def test_weight_1_returns_the_first_batch(short: VideoBatch, long: VideoBatch) -> None:
    mixed = mix_batches(short, long, 1.0)

    assert torch.equal(mixed.vectors, short.vectors)
    assert torch.equal(mixed.mask, short.mask)
    assert torch.equal(mixed.targets, short.targets)


def test_weight_0_returns_the_second_batch(short: VideoBatch, long: VideoBatch) -> None:
    mixed = mix_batches(short, long, 0.0)

    assert torch.equal(mixed.vectors, long.vectors)
    assert torch.equal(mixed.mask, long.mask)
    assert torch.equal(mixed.targets, long.targets)


def test_weights_follow_a_beta_distribution() -> None:
    rng = np.random.default_rng(0)

    weights = [draw_weight(0.4, rng) for _ in range(20_000)]

    # Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)).
    assert np.mean(weights) == pytest.approx(0.5, abs=0.01)
    assert np.var(weights) == pytest.approx(1 / (4 * 1.8), abs=0.005)

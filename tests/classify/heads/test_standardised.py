import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from classify.errors import HeadError
from classify.heads.blocks.pooling import pool_mean
from classify.heads.linear import LinearHead
from classify.heads.random_frame import choose_row
from classify.heads.registry import StandardisedHead, build_head

D, C = 6, 3


def test_selected_vectors_have_mean_0_and_deviation_1_over_the_training_rows() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (200, D)).astype(np.float32)
    head = StandardisedHead(LinearHead(D, C), D)
    head.learn_scale([rows])

    selected = head.select(rows, "a.mp4")

    np.testing.assert_allclose(selected.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(selected.std(axis=0), 1, atol=1e-5)


def test_a_dimension_that_never_changes_becomes_zero_and_not_nan() -> None:
    head = StandardisedHead(LinearHead(D, C), D)
    head.learn_scale([np.full((4, D), 7, dtype=np.float16)])

    assert head.select(np.full((4, D), 7, dtype=np.float16), "a.mp4").tolist() == np.zeros((4, D)).tolist()


def test_a_dimension_that_hardly_changes_is_not_scaled_up_without_bound() -> None:
    rows = np.random.default_rng(0).normal(0, [1, 1, 1, 1, 1, 1e-5], (200, D))
    head = StandardisedHead(LinearHead(D, C), D)
    head.learn_scale([rows])

    assert np.abs(head.select(np.full((1, D), 0.5), "a.mp4")).max() < 10


def test_a_fresh_head_changes_nothing() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(2, D)

    assert build_head("linear", D, C).select(vectors, "a.mp4").tolist() == vectors.tolist()


def test_the_scale_is_saved_with_the_weights() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (20, D)).astype(np.float32)
    one, other = build_head("linear", D, C), build_head("linear", D, C)
    one.learn_scale([rows])
    other.load_state_dict(one.state_dict())
    vectors, mask = torch.from_numpy(other.select(rows, "a.mp4")).unsqueeze(0), torch.ones(1, 20, dtype=torch.bool)

    assert pool_mean(vectors, mask).abs().max() < 1e-5
    assert torch.equal(one(vectors, mask), other(vectors, mask))


def test_projected_vectors_have_mean_0_deviation_1_over_all_and_no_correlation() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(5, 3, (200, D)) @ rng.normal(size=(D, D))).astype(np.float32)
    head = build_head("linear", D, C, project=2)
    head.learn_scale(np.split(rows, 4))

    selected = head.select(rows, "a.mp4")

    assert selected.shape == (200, 2)
    np.testing.assert_allclose(selected.mean(axis=0), 0, atol=1e-4)
    covariance = selected.T @ selected / 200
    assert covariance.trace() == pytest.approx(2, rel=1e-3)
    assert covariance[0, 1] == pytest.approx(0, abs=1e-3)
    assert covariance[0, 0] > covariance[1, 1]


@pytest.mark.parametrize(("arch", "parts"), [("statistics", 3), ("motion", 15)])
def test_pooled_rows_are_standardised_as_by_scikit_learn_and_divided_by_their_parts(arch: str, parts: int) -> None:
    rows = np.random.default_rng(0).gamma(2.0, size=(30, parts * D)).astype(np.float32)
    head = build_head(arch, D, C)
    fresh = head.scale_rows(torch.from_numpy(rows))
    head.learn_rows(torch.from_numpy(rows))

    torch.testing.assert_close(fresh, torch.from_numpy(rows) / parts)
    torch.testing.assert_close(
        head.scale_rows(torch.from_numpy(rows)), torch.from_numpy(StandardScaler().fit_transform(rows)) / parts
    )


@pytest.mark.parametrize("arch", ["linear", "mlp", "moe", "random-frame"])
def test_means_keep_their_mean_so_that_a_mix_of_means_is_the_mean_of_the_mix(arch: str) -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(1, 3, (30, D)).astype(np.float32))
    head = build_head(arch, D, C)
    head.learn_rows(rows)

    torch.testing.assert_close(head.scale_rows(rows), rows / rows.std(dim=0, correction=0))


def test_pooled_rows_of_components_have_one_deviation_a_part() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(0, [5, 1, 3, 1, 3, 3], (30, D)).astype(np.float32))
    head = build_head("statistics", D, C, project=2)
    head.learn_rows(rows)

    scaled = head.scale_rows(rows).unflatten(1, (3, 2))

    np.testing.assert_allclose(
        scaled.square().mean(dim=(0, 2)) - scaled.mean(dim=0).square().mean(dim=1), 1 / 9, rtol=0.1
    )
    assert scaled[:, 0, 0].std() > 3 * scaled[:, 0, 1].std()


def test_vectors_that_were_reduced_before_have_one_deviation_too() -> None:
    """Scaled to one deviation each, the components that are noise would count as much as the first."""
    rows = np.random.default_rng(0).normal(2, [5, 3, 1, 0.5, 0.2, 0.1], (400, D)).astype(np.float32)
    head = build_head("linear", D, C)
    head.learn_scale([rows], is_reduced=True)
    selected = head.select(rows, "a.mp4")
    head.learn_rows(torch.from_numpy(selected))

    deviations = selected.std(axis=0)
    np.testing.assert_allclose(deviations / deviations[0], rows.std(axis=0) / rows[:, 0].std(), rtol=1e-3)
    assert np.square(selected).mean() == pytest.approx(1, rel=0.01)
    scaled = head.scale_rows(torch.from_numpy(selected)).std(dim=0)
    assert scaled[0] > 30 * scaled[5]


def test_more_components_than_dimensions_are_refused() -> None:
    with pytest.raises(HeadError, match=r"Vectors of 6 dimensions do not have 7 components. Project on 6 or fewer"):
        build_head("linear", D, C, project=7)


def test_a_video_is_thinned_before_its_head_selects() -> None:
    vectors = np.arange(100 * D, dtype=np.float32).reshape(100, D)
    head = build_head("random-frame", D, C, max_frames=4)

    chosen = head.select(vectors, "a.mp4")

    assert chosen.tolist() == vectors[[12, 37, 62, 87]][[choose_row("a.mp4", 4)]].tolist()


def test_an_option_that_a_head_lacks_is_refused() -> None:
    with pytest.raises(HeadError, match=r"The linear head has no `dropout`. Leave it out, or choose another head"):
        build_head("linear", D, C, options={"dropout": 0.1})


@pytest.mark.parametrize("arch", ["mlp", "transformer", "nextvlad"])
def test_without_dropout_training_changes_no_logit(arch: str) -> None:
    vectors, mask = torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool)
    head = build_head(arch, 16, C, options={"dropout": 0.0})

    torch.testing.assert_close(head.train()(vectors, mask), head.eval()(vectors, mask))

from collections.abc import Callable

import pytest
import torch

from classify.heads.blocks.dropout import drop, relu_and_drop

SHARE = 0.3
FACTOR = 65_536 / (65_536 - round(SHARE * 65_536))

both = pytest.mark.parametrize("function", [drop, relu_and_drop])


@both
def test_the_share_is_dropped_and_the_rest_scaled_up(function: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(0)

    dropped = function(torch.ones(1000, 999), SHARE, training=True)

    assert (dropped == 0).float().mean().item() == pytest.approx(SHARE, abs=0.003)  # 6 standard deviations
    assert dropped.unique().tolist() == pytest.approx([0, FACTOR])


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(0)

    is_dropped = drop(torch.ones(250_000, 4), SHARE, training=True) == 0

    correlation = torch.corrcoef(is_dropped.T.float()) - torch.eye(4)
    assert correlation.abs().max() < 0.012  # 6 standard deviations


@pytest.mark.parametrize("share", [0.1, 0.5])
@both
def test_slopes_pass_where_values_did(function: Callable[..., torch.Tensor], share: float) -> None:
    torch.manual_seed(0)
    values = torch.randn(7, 9, 3, requires_grad=True)
    weights = torch.randn(7, 9, 3)

    result = function(values * 1.0, share, training=True)
    (result * weights).sum().backward()

    expected = torch.where(result == 0, 0.0, result / values) * weights
    torch.testing.assert_close(values.grad, expected.detach())


@both
def test_the_seed_decides(function: Callable[..., torch.Tensor]) -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return function(torch.ones(50), SHARE, training=True)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize(("share", "training"), [(0.0, True), (SHARE, False)], ids=["share 0", "evaluation"])
def test_nothing_is_dropped_of_share_0_or_in_evaluation(share: float, training: bool) -> None:
    values = torch.randn(50)

    assert torch.equal(drop(values, share, training=training), values)
    assert torch.equal(relu_and_drop(values, share, training=training), values.relu())

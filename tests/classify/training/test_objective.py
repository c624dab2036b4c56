import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from classify.training.objective import Objective, balance_classes

SINGLE = torch.eye(3)[[0, 2, 1, 0, 0]]
SEVERAL = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0.3, 0.7, 0]])


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("smoothing", "weights"),
    [(0.0, None), (0.1, None), (0.0, torch.tensor([[0.5, 1.0, 2.0]]))],
    ids=["plain", "smoothed", "weighted"],
)
def test_one_label_a_video_has_torchs_cross_entropy(
    logits: torch.Tensor, smoothing: float, weights: torch.Tensor | None
) -> None:
    objective = Objective(is_multi_label=False, label_smoothing=smoothing, class_weights=weights)

    expected = F.cross_entropy(
        logits, SINGLE, label_smoothing=smoothing, weight=None if weights is None else weights[0], reduction="none"
    )

    torch.testing.assert_close(objective.losses(logits, SINGLE), expected)


def test_a_video_counts_by_the_weight_of_its_own_label_with_smoothing_beside_it(logits: torch.Tensor) -> None:
    weights = torch.tensor([[0.5, 1.0, 2.0]])
    smoothed = F.cross_entropy(logits, SINGLE, label_smoothing=0.1, reduction="none")

    losses = Objective(is_multi_label=False, label_smoothing=0.1, class_weights=weights).losses(logits, SINGLE)

    torch.testing.assert_close(losses, smoothed * (SINGLE @ weights[0]))


def test_a_label_of_several_counts_by_its_weight_with_smoothing_beside_it(logits: torch.Tensor) -> None:
    weights = torch.tensor([[0.5, 1.0, 2.0]])
    has_label = SEVERAL[:3]
    terms = F.binary_cross_entropy_with_logits(logits[:3], has_label * 0.8 + 0.1, reduction="none")

    losses = Objective(is_multi_label=True, label_smoothing=0.2, class_weights=weights).losses(logits[:3], has_label)

    torch.testing.assert_close(losses, (terms * torch.where(has_label == 1, weights, 1)).mean(dim=1))


@pytest.mark.parametrize("is_multi_label", [False, True], ids=["single", "several"])
def test_the_loss_of_a_mixed_video_is_the_mix_of_losses_with_weights_and_smoothing(
    logits: torch.Tensor, is_multi_label: bool
) -> None:
    objective = Objective(is_multi_label, 0.1, torch.tensor([[0.5, 1.0, 20.0]]))
    first, second = SINGLE[:2]

    mixed = objective.losses(logits[:1], 0.3 * first[None] + 0.7 * second[None])

    alone = [objective.losses(logits[:1], target[None]) for target in (first, second)]
    torch.testing.assert_close(mixed, 0.3 * alone[0] + 0.7 * alone[1])


def test_several_labels_have_a_cross_entropy_each_and_the_mean_over_them(logits: torch.Tensor) -> None:
    chances = logits[:4].sigmoid()
    expected = -(SEVERAL * chances.log() + (1 - SEVERAL) * (1 - chances).log()).mean(dim=1)

    torch.testing.assert_close(Objective(is_multi_label=True).losses(logits[:4], SEVERAL), expected)


def test_smoothing_several_labels_draws_each_towards_a_half(logits: torch.Tensor) -> None:
    smoothed = Objective(is_multi_label=True, label_smoothing=0.2).losses(logits[:4], SEVERAL)

    torch.testing.assert_close(smoothed, Objective(is_multi_label=True).losses(logits[:4], SEVERAL * 0.8 + 0.1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([[0.5, 1.0, 2.0]])], ids=["alike", "weighted"])
@pytest.mark.parametrize("is_multi_label", [False, True], ids=["single", "several"])
@pytest.mark.parametrize("heads", [(), (2,)], ids=["one head", "two heads"])
def test_the_written_slopes_are_those_that_autograd_derives(
    logits: torch.Tensor, smoothing: float, weights: torch.Tensor | None, is_multi_label: bool, heads: tuple[int, ...]
) -> None:
    objective = Objective(is_multi_label, smoothing, weights)
    targets = SEVERAL if is_multi_label else torch.cat([SINGLE[:3], torch.tensor([[0.3, 0.0, 0.7]])])
    targets = targets.expand(*heads, 4, 3)
    given = (3 * logits[:4]).expand(*heads, 4, 3).clone().requires_grad_()

    objective.losses(given, targets).sum().backward()

    assert given.grad is not None
    torch.testing.assert_close(objective.slopes(given.detach(), targets), given.grad)


def test_a_weight_counts_a_label_of_several_as_often_where_the_video_has_it() -> None:
    weighted = Objective(is_multi_label=True, class_weights=torch.tensor([[3.0]]))

    losses = weighted.losses(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]]))

    np.testing.assert_allclose(losses.numpy(), [3 * np.log(2), np.log(2)], rtol=1e-6)


def test_heads_side_by_side_have_the_losses_that_each_has_alone(logits: torch.Tensor) -> None:
    weights = torch.tensor([[[0.5, 1.0, 2.0]], [[2.0, 1.0, 1.0]]])
    both = Objective(is_multi_label=False, class_weights=weights).losses(
        torch.stack([logits, -logits]), torch.stack([SINGLE, SINGLE])
    )

    alone = Objective(is_multi_label=False, class_weights=weights[1]).losses(-logits, SINGLE)
    torch.testing.assert_close(both[1], alone)


def test_balanced_weights_are_scikit_learns() -> None:
    classes = np.array([0, 0, 0, 1, 1, 2])

    weights = balance_classes(classes[:, None] == np.arange(3), is_multi_label=False)

    np.testing.assert_allclose(weights[0], compute_class_weight("balanced", classes=np.arange(3), y=classes), rtol=1e-6)


def test_balanced_weights_of_several_labels_are_videos_without_over_videos_with_them() -> None:
    targets = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]], dtype=np.bool_)

    weights = balance_classes(targets, is_multi_label=True)

    np.testing.assert_allclose(weights[0], [3, 1 / 3, 1, 1], rtol=1e-6)  # a label without videos has weight 1

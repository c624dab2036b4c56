import pytest
import torch

from classify.training.optimisation import Descent, learning_rate_at, shorten_gradients
from classify.training.recipe import TrainConfig


def make_parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (4,))]


def loss_of(parameters: list[torch.nn.Parameter]) -> torch.Tensor:
    return (parameters[0] * parameters[1]).sin().sum()


@pytest.mark.parametrize(
    ("optimizer", "theirs"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)], ids=["adam", "adamw"]
)
def test_steps_are_those_of_torch_with_its_own_schedule_and_clipping(
    optimizer: str, theirs: type[torch.optim.Adam]
) -> None:
    config = TrainConfig(
        optimizer=optimizer, learning_rate=0.1, weight_decay=0.05, schedule="cosine", warm_up=0.2, clip_norm=0.5
    )
    ours, expected = make_parameters(), make_parameters()
    descent = Descent(ours, config, step_count=10)
    optimiser = theirs(expected, lr=0.1, weight_decay=0.05)
    rise = torch.optim.lr_scheduler.LinearLR(optimiser, 0.5, 1.0, total_iters=1)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 8)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, fall], milestones=[2])

    for _ in range(10):
        descent.step(loss_of(ours))
        optimiser.zero_grad()
        loss_of(expected).backward()
        torch.nn.utils.clip_grad_norm_(expected, 0.5)
        optimiser.step()
        schedule.step()

    torch.testing.assert_close(list(ours), list(expected))


def test_a_linear_layer_steps_without_autograd_as_with_it() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, aims = torch.randn(5, 4, generator=generator), torch.randn(5, 3, generator=generator)
    written, derived = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    derived.load_state_dict(written.state_dict())
    config = TrainConfig(learning_rate=0.1, clip_norm=0.5)
    ours, theirs = (Descent(list(layer.parameters()), config, step_count=10) for layer in (written, derived))

    for _ in range(10):
        with torch.no_grad():
            ours.step_linear(rows, 2 * (written(rows) - aims))
        theirs.step((derived(rows) - aims).square().sum())

    torch.testing.assert_close(written.state_dict(), derived.state_dict())


def test_a_parameter_that_the_loss_does_not_hold_stays() -> None:
    parameters = make_parameters()
    idle = torch.nn.Parameter(torch.ones(2))
    alone, beside = make_parameters(), [parameters[0], idle, parameters[1]]
    descents = [
        Descent(given, TrainConfig(weight_decay=0.1, learning_rate=1e-3), step_count=2) for given in (alone, beside)
    ]

    for _ in range(2):
        descents[0].step(loss_of(alone))
        descents[1].step(loss_of(parameters))

    assert idle.tolist() == [1, 1]
    torch.testing.assert_close(parameters, alone, atol=0, rtol=0)


def test_a_constant_schedule_warms_up_and_stays() -> None:
    config = TrainConfig(learning_rate=1.0, warm_up=0.5, schedule="constant")

    assert [learning_rate_at(step, 8, config) for step in range(8)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]


def test_a_gradient_that_is_short_enough_stays_as_it_is() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])

    shorten_gradients([parameter], 5.0)

    assert parameter.grad.tolist() == [3, 4]


def test_heads_side_by_side_have_each_their_own_length() -> None:
    weight, bias = torch.nn.Parameter(torch.zeros(2, 1, 2)), torch.nn.Parameter(torch.zeros(2, 1))
    weight.grad, bias.grad = torch.tensor([[[2.0, 3.0]], [[0.0, 0.0]]]), torch.tensor([[6.0], [0.5]])

    shorten_gradients([weight, bias], 1.0, are_stacked=True)

    torch.testing.assert_close(weight.grad[0], torch.tensor([[2 / 7, 3 / 7]]))  # 2, 3 and 6 are 7 long
    assert bias.grad[1].tolist() == [0.5]

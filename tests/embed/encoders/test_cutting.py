"""A model that stops before a submodule, and goes on from what it stored, is the whole model."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from embed.encoders.cutting import cut_tail, find_cut, stop_before
from embed.encoders.tails import Tail
from embed.encoders.torch_encoder import TorchModel
from embed.errors import EncoderError
from tests.embed.encoders.small_models import (
    Chain,
    small_mvit,
    small_resnet,
    small_swin,
    small_vit,
    torch_model,
)

Build = Callable[[], tuple[nn.Module, int, int, int]]
each_cut = pytest.mark.parametrize(
    ("build", "path"),
    [
        pytest.param(small_mvit, "blocks.3", id="MViT, its last block"),
        pytest.param(small_mvit, "blocks.1", id="MViT, three blocks"),
        pytest.param(small_swin, "features.2", id="Swin, its last stage"),
        pytest.param(small_resnet, "layer4", id="R(2+1)D"),
        pytest.param(small_vit, "encoder.layers.encoder_layer_2", id="ViT, its last layer"),
    ],
)


def built(build: Build) -> TorchModel:
    torch.manual_seed(0)
    network, dimension, window, side_px = build()
    return torch_model(network, dimension, window=window, side_px=side_px, name=build.__name__)


def pixels_for(model: TorchModel, count: int = 3) -> Tensor:
    side, window = model.identity.preprocessing.side_px, model.identity.window
    shape = (count, 3, side, side) if window == 1 else (count, 3, window, side, side)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def parted(model: TorchModel, path: str) -> tuple[TorchModel, Tail]:
    """Return copies of a model: one that stops, and the rest."""
    return stop_before(copy.deepcopy(model), path), cut_tail(copy.deepcopy(model), path)


@each_cut
def test_the_rest_of_a_model_makes_its_vectors_of_what_was_stored(build: Build, path: str) -> None:
    model = built(build)
    stopped, tail = parted(model, path)
    pixels = pixels_for(model)
    with torch.inference_mode():
        rows = stopped.forward(pixels)
        assert rows.shape == (3, stopped.identity.dimension)
        torch.testing.assert_close(tail.eval()(rows), model.forward(pixels), atol=1e-5, rtol=1e-5)


@each_cut
def test_in_training_the_rest_does_what_the_model_does_with_a_frozen_beginning(build: Build, path: str) -> None:
    model = built(build)
    stopped, tail = parted(model, path)
    pixels = pixels_for(model)
    rows = stopped.forward(pixels)
    train_from(model.network, tail)
    torch.manual_seed(7)  # of stochastic depth and dropout
    expected = model.forward(pixels)
    torch.manual_seed(7)
    found = tail.train()(rows)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    (expected * torch.linspace(-1, 1, expected.shape[1])).sum().backward()
    (found * torch.linspace(-1, 1, found.shape[1])).sum().backward()
    whole = dict(model.network.named_parameters())
    learning = {name: own for name, own in tail.network.named_parameters() if own.requires_grad}
    assert learning
    for name, own in learning.items():
        torch.testing.assert_close(own.grad, whole[name].grad, atol=1e-4, rtol=1e-3)
    for name, own in tail.network.named_buffers():  # statistics of batch norms
        torch.testing.assert_close(own, dict(model.network.named_buffers())[name])


@each_cut
def test_ten_steps_on_stored_activations_give_the_weights_of_ten_steps_of_the_model(build: Build, path: str) -> None:
    model = built(build)
    stopped, tail = parted(model, path)
    pixels = pixels_for(model, 4)
    rows = stopped.forward(pixels)
    train_from(model.network, tail)
    torch.manual_seed(3)
    take_steps([*model.network.parameters()], lambda: model.forward(pixels))
    torch.manual_seed(3)
    take_steps([*tail.train().parameters()], lambda: tail(rows))
    whole = dict(model.network.named_parameters())
    for name, own in tail.network.named_parameters():
        torch.testing.assert_close(own, whole[name], atol=1e-4, rtol=1e-3)


def train_from(network: nn.Module, tail: Tail) -> None:
    """Freeze what the tail does not train, with all of the model in training mode except what the tail skips."""
    learning = {name for name, own in tail.network.named_parameters() if own.requires_grad}
    for name, own in network.named_parameters():
        own.requires_grad_(name in learning)
    network.train()
    for path in tail.cut.skipped:
        network.get_submodule(path).eval()


def take_steps(parameters: list[nn.Parameter], forward: Callable[[], Tensor]) -> None:
    # SGD: Adam turns the last digits of a gradient near 0 into a step of full length.
    optimizer = torch.optim.SGD([own for own in parameters if own.requires_grad], lr=1e-2, momentum=0.9)
    for _ in range(10):
        optimizer.zero_grad()
        forward().square().mean().backward()
        optimizer.step()


def test_the_shape_is_that_of_what_enters_the_submodule_for_one_clip() -> None:
    assert find_cut(built(small_mvit), "blocks.3").shape == (33, 16)
    assert find_cut(built(small_swin), "features.2").shape == (2, 4, 4, 16)


def test_only_the_weights_that_are_needed_stay() -> None:
    tail = cut_tail(built(small_mvit), "blocks.3")
    names = {name.removeprefix("network.").split(".")[0] for name in tail.state_dict()}
    assert names == {"blocks", "norm"}
    assert all(name.startswith(("network.blocks.3.", "network.norm.")) for name in tail.state_dict())


def test_a_last_norm_stays_frozen_and_later_blocks_of_the_list_learn() -> None:
    tail = cut_tail(built(small_mvit), "blocks.2")
    learning = {name.split(".")[1] + name.split(".")[2] for name, own in tail.named_parameters() if own.requires_grad}
    assert learning == {"blocks2", "blocks3"}


def test_a_copy_of_the_rest_is_independent() -> None:
    tail = cut_tail(torch_model(Chain(), 6), "third").eval()
    rows = torch.ones(2, 6)
    before = tail(rows)
    other = copy.deepcopy(tail)
    with torch.no_grad():
        next(own for own in other.parameters() if own.requires_grad).fill_(5)
    torch.testing.assert_close(tail(rows), before)
    assert not torch.allclose(other(rows), before)


def test_the_clips_of_an_attention_that_has_them_second_are_found() -> None:
    model = torch_model(Chain("attention"), 6)
    stopped, tail = parted(model, "attention")
    assert stopped.identity.shape == (3, 6)
    pixels = pixels_for(model)
    torch.testing.assert_close(tail.eval()(stopped.forward(pixels)), model.forward(pixels))


def test_several_places_of_a_clip_stay_together() -> None:
    model = torch_model(Chain("three times as many"), 6)
    stopped, tail = parted(model, "third")
    assert stopped.identity.shape == (3, 6)
    pixels = pixels_for(model)
    torch.testing.assert_close(tail.eval()(stopped.forward(pixels)), model.forward(pixels))


def test_a_submodule_that_runs_before_and_after_the_cut_keeps_its_weights() -> None:
    tail = cut_tail(torch_model(Chain(), 6), "third")
    assert {name.split(".")[1] for name in tail.state_dict()} >= {"norm", "third"}
    assert not any(".first." in name or ".second." in name for name in tail.state_dict())


@pytest.mark.parametrize(
    ("way", "path", "said"),
    [
        pytest.param("plain", "fourth", "it has no submodule of that name", id="no such path"),
        pytest.param("plain", "", "it has no submodule of that name", id="the whole model"),
        pytest.param("plain", "unused", "does not call that submodule", id="never called"),
        pytest.param("twice", "third", "calls that submodule 2 times", id="called twice"),
        pytest.param("residual", "third", "a residual around it", id="a residual"),
    ],
)
def test_a_place_that_allows_no_cut_is_refused_with_the_reason_and_others_that_do(
    way: str, path: str, said: str
) -> None:
    with pytest.raises(
        EncoderError, match=f"small cannot be stopped before '{path}'.*{said}.*It can be stopped before"
    ):
        find_cut(torch_model(Chain(way), 6), path)


def test_a_way_that_no_gradient_shows_is_found_by_comparing_with_the_whole_model() -> None:
    with pytest.raises(EncoderError, match=r"its vectors differ from those of the whole model.*a later submodule"):
        stop_before(torch_model(Chain("whole numbers"), 6), "third")


def test_a_place_inside_a_residual_names_the_block_around_it() -> None:
    with pytest.raises(EncoderError, match=r"small_resnet cannot be stopped before.*layer4\.1"):
        find_cut(built(small_resnet), "layer4.1.conv1")


def test_float16_changes_the_vectors_by_less_than_a_thousandth() -> None:
    model = built(small_swin)
    stopped, tail = parted(model, "features.2")
    with torch.inference_mode():
        rows = stopped.forward(pixels_for(model))
        exact, rounded = (tail.eval()(own) for own in (rows, rows.half().float()))
    assert float((exact - rounded).abs().max() / exact.abs().max()) < 1e-3


def test_an_encoder_that_stops_gives_flat_rows() -> None:
    model = torch_model(Chain(), 6)
    encoder = stop_before(model, "third").on("cpu", "float32")
    rows = encoder.encode(np.zeros((2, 1, 8, 8, 3), dtype=np.uint8))
    assert rows.shape == (2, 6)
    assert encoder.identity.stop_before == "third"

import pytest
import torch

from classify.errors import HeadError
from classify.heads.blocks.positions import POSITIONS, build_positions, sinusoidal_positions, spread_places
from classify.training.recipe import TrainConfig

D = 16


def all_real(time: int) -> torch.Tensor:
    return torch.ones(1, time, dtype=torch.bool)


def test_sinusoidal_positions_are_sines_and_cosines_of_base_10_000() -> None:
    positions = sinusoidal_positions(torch.zeros(1, 4, 6))

    place, pair = 3, 2
    angle = torch.tensor(place / 10_000 ** (2 * pair / 6))
    torch.testing.assert_close(positions[place, 2 * pair], angle.sin())
    torch.testing.assert_close(positions[place, 2 * pair + 1], angle.cos())


@pytest.mark.parametrize("kind", ["sinusoidal", "timestamps"])
def test_waves_go_on_beyond_any_length_without_changing_what_came_before(kind: str) -> None:
    marks, moments_s = build_positions(kind, D), torch.arange(300).unsqueeze(0) * 0.04

    short, long = (
        torch.atleast_3d(marks(torch.zeros(1, time, D), all_real(time), moments_s[:, :time])) for time in (20, 300)
    )

    torch.testing.assert_close(long.view(300, D)[:20], short.view(20, D))
    assert torch.cdist(long.view(300, D), long.view(300, D)).fill_diagonal_(1).min() > 0.01


@pytest.mark.parametrize(
    ("length", "places"),
    [
        pytest.param(3, {0: 0, 1: 1, 2: 2}, id="shorter"),
        pytest.param(128, {0: 0, 64: 64, 127: 127}, id="as many"),
        pytest.param(129, {0: 0, 1: 0, 2: 1, 128: 127}, id="one more"),
        pytest.param(384, {0: 0, 2: 0, 3: 1, 192: 64, 383: 127}, id="three times as many"),
    ],
)
def test_a_video_of_more_vectors_than_learned_places_spreads_them(length: int, places: dict[int, int]) -> None:
    found = spread_places(all_real(length))[0].tolist()

    assert {index: found[index] for index in places} == places
    assert set(found) == set(range(min(length, 128)))


def test_places_are_those_of_the_video_whatever_it_is_padded_to() -> None:
    mask = torch.arange(384) < torch.tensor([384, 5])[:, None]

    assert spread_places(mask)[1, :5].tolist() == [0, 1, 2, 3, 4]


def test_a_tenth_of_a_second_counts_as_one_place() -> None:
    vectors = torch.zeros(1, 5, D)

    at_moments = build_positions("timestamps", D)(vectors, all_real(5), torch.arange(5).unsqueeze(0) / 10)

    torch.testing.assert_close(at_moments[0], build_positions("sinusoidal", D)(vectors, all_real(5)))


def test_unknown_positions_are_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(
        HeadError, match=r"no positions called 'rotary'. Choose one of: sinusoidal, learned, timestamps"
    ):
        build_positions("rotary", D)


def test_the_recipe_offers_the_positions_that_there_are() -> None:
    assert TrainConfig.__dataclass_fields__["positions"].metadata["choices"] == tuple(POSITIONS)

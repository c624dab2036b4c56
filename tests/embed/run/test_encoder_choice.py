"""A store that lacks nothing is opened without its encoder, where names tell that it is the same."""

from dataclasses import replace

import pytest

from embed import EmbedConfig, Provenance
from embed.run.encoder_choice import needs_no_encoder
from tests.media import BarReader


@pytest.mark.parametrize(
    ("made_with", "asked_for", "is_known"),
    [
        pytest.param("KINETICS400_V1", None, True, id="torchvision's default"),
        pytest.param("openai", None, True, id="CLIP's default"),
        pytest.param("mine.pt", "mine.pt", True, id="the same file"),
        pytest.param("mine.pt", None, False, id="a file, and the default now"),
        pytest.param("KINETICS400_IMAGENET22K_V1", None, False, id="other weights, and the default now"),
        pytest.param("KINETICS400_V1", "mine.pt", False, id="the default, and a file now"),
    ],
)
def test_the_encoder_of_a_store_is_known_by_its_names(made_with: str, asked_for: str | None, is_known: bool) -> None:
    identity = replace(BarReader().identity, model="swin3d_b", pretrained=made_with)
    config = EmbedConfig("swin3d_b", asked_for)
    assert needs_no_encoder(config, Provenance(identity, config.sampling.to_json())) is is_known

"""The image towers of open_clip are stopped before their last blocks, and go on from there."""

from pathlib import Path

import pytest
import torch

from embed.encoders import load_encoder
from embed.encoders.cutting import cut_tail, stop_before
from embed.encoders.open_clip import build, outline
from embed.encoders.testing import frames_for
from tests.embed.encoders.frames import SMALL_CLIP


@pytest.mark.parametrize("count", [1, 2])
def test_what_enters_the_last_layers_gives_the_same_vector(checkpoint: Path, count: int) -> None:
    whole = build(SMALL_CLIP, pretrained=str(checkpoint))
    path = f"transformer.resblocks.{len(whole.network.transformer.resblocks) - count}"  # type: ignore[union-attr,arg-type]
    stopped, rest = (make(build(SMALL_CLIP, pretrained=str(checkpoint)), path) for make in (stop_before, cut_tail))
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        expected, found = whole.forward(pixels), rest(stopped.forward(pixels))
        outlined = outline(whole.identity, {}).forward(pixels)

    torch.testing.assert_close(found, expected)
    assert outlined.shape == expected.shape


def test_an_encoder_that_stops_early_gives_rows_of_the_activations_shape(checkpoint: Path) -> None:
    encoder = load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu", stop_before="transformer.resblocks.11")

    assert encoder.identity.dimension == 50 * 384
    assert encoder.encode(frames_for(encoder, 2)).shape == (2, 50 * 384)

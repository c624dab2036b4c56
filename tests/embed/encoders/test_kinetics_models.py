"""What is known of torchvision's models without loading them is what torchvision says of them."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from embed.encoders import declare_missing_operators, foresee_preprocessing
from embed.encoders.kinetics_models import KINETICS_MODELS

MODELS = list(KINETICS_MODELS)
SIZES = {
    "landscape": (360, 640),
    "portrait": (640, 360),
    "odd": (361, 641),
    "odd portrait": (577, 321),
    "almost square": (257, 255),
    "as wide as the resize": (256, 300),
    "as large as the squash": (128, 171),
    "tiny": (9, 13),
    "a line": (1, 40),
    "one pixel": (1, 1),
}


def weights_of(model: str, tag: str = "KINETICS400_V1") -> Any:
    declare_missing_operators()
    from torchvision.models import get_model_weights

    return get_model_weights(model)[tag]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("model", MODELS)
def test_pixels_are_those_of_the_weights_own_transforms(model: str, size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    preprocessing = KINETICS_MODELS[model].preprocessing
    ours = preprocessing.apply(rgb).astype(np.int64)

    normalised = weights_of(model).transforms()(torch.from_numpy(rgb).permute(2, 0, 1)[None])
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (preprocessing.mean, preprocessing.std))
    theirs = ((normalised * std + mean) * 255).round()[:, 0].permute(1, 2, 0).long().numpy()
    differences = np.abs(ours - theirs)
    assert differences.max() <= 1
    assert np.mean(differences) <= 1e-3  # the last bits of a float32 midway between two levels


@pytest.mark.parametrize(("model", "tag"), [(model, tag) for model in MODELS for tag in KINETICS_MODELS[model].tags])
def test_sizes_and_colours_are_those_of_every_set_of_weights(model: str, tag: str) -> None:
    theirs, ours = weights_of(model, tag).transforms(), KINETICS_MODELS[model].preprocessing
    resized = [ours.resize_px] if isinstance(ours.resize_px, int) else list(ours.resize_px)
    assert (theirs.crop_size, theirs.resize_size) == ([ours.side_px] * 2, resized)
    assert (theirs.mean, theirs.std) == (list(ours.mean), list(ours.std))
    assert theirs.interpolation.value == ours.kernel


@pytest.mark.parametrize("model", MODELS)
def test_all_weights_that_torchvision_offers_are_known(model: str) -> None:
    declare_missing_operators()
    from torchvision.models import get_model_weights

    assert KINETICS_MODELS[model].tags == tuple(weights.name for weights in get_model_weights(model))


@pytest.mark.parametrize("model", MODELS)
def test_clips_may_be_as_short_as_the_weights_say(model: str) -> None:
    assert KINETICS_MODELS[model].least_window == weights_of(model).meta.get("min_temporal_size", 1)


@pytest.mark.parametrize("model", MODELS)
def test_the_preprocessing_is_foreseen(model: str) -> None:
    assert foresee_preprocessing(model) == KINETICS_MODELS[model].preprocessing


def test_facts_are_known_without_torch() -> None:
    code = (
        "import sys; from embed.encoders import foresee_preprocessing; assert foresee_preprocessing('s3d').side_px; "
        "assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Vectors of torchvision's clips models are what their own classifiers get; weights that do not fit are refused."""

from pathlib import Path

import pytest
import torch

from embed.encoders.kinetics_models import KINETICS_MODELS
from embed.encoders.testing import frames_for
from embed.encoders.torchvision_clips import load
from tests.embed.encoders.clip_models import checkpoint_of, classifier_of, classify, full_model

QUICK = ["r2plus1d_18", "s3d"]
SLOW = [pytest.param(model, marks=pytest.mark.nightly) for model in KINETICS_MODELS if model not in QUICK]


@pytest.mark.parametrize("model", [*QUICK, "mvit_v2_s", "swin3d_t", *SLOW[:1], *SLOW[3:]])
def test_the_classifier_makes_the_full_models_logits_of_the_vectors(model: str, tmp_path: Path) -> None:
    network = full_model(model)
    encoder = load(model, pretrained=checkpoint_of(network, tmp_path / "weights.pt"), device="cpu")
    rgb = frames_for(encoder, 1)
    vectors = torch.from_numpy(encoder.encode(rgb))
    assert vectors.shape == (1, KINETICS_MODELS[model].dimension)

    pixels = torch.from_numpy(rgb).permute(0, 4, 1, 2, 3) / 255
    preprocessing = encoder.identity.preprocessing
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (preprocessing.mean, preprocessing.std))
    with torch.inference_mode():
        logits = network((pixels - mean) / std)
        torch.testing.assert_close(classify(classifier_of(network, model), vectors), logits, atol=1e-4, rtol=1e-4)

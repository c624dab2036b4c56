import subprocess
import sys
from pathlib import Path

import pytest

from embed.encoders.foreseen import foresee_preprocessing
from embed.encoders.loading import load_encoder
from tests.embed.encoders.frames import SMALL_CLIP


def test_the_foreseen_preprocessing_of_the_bundled_encoder_is_right() -> None:
    assert foresee_preprocessing("efficientnet-lite0") == load_encoder("efficientnet-lite0").identity.preprocessing


def test_the_foreseen_preprocessing_of_a_clip_model_is_right(checkpoint: Path) -> None:
    clip = load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu")
    assert foresee_preprocessing(SMALL_CLIP) == clip.identity.preprocessing


@pytest.mark.parametrize("model", ["ViT-B-16-SigLIP", "hf-hub:some/model", "no-such-model"])
def test_nothing_is_foreseen_of_models_with_preprocessing_of_their_own(model: str) -> None:
    assert foresee_preprocessing(model) is None


def test_foreseeing_does_not_load_torch() -> None:
    code = (
        "import sys; from embed.encoders.foreseen import foresee_preprocessing as foresee; "
        "assert foresee('ViT-B-32').side_px == 224; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embed import EncoderIdentity, StoreMismatch, TextEncoder, load_encoder, load_text_encoder
from embed.encoders.open_clip import load_tokenizer
from embed.errors import EncoderError, WeightsUnavailable
from tests.embed.encoders.frames import SMALL_CLIP

TEXTS = ["a video of hug.", "a photo of two people who shake hands"]


@pytest.fixture(scope="module")
def identity(checkpoint: Path) -> EncoderIdentity:
    """The identity of a small CLIP in int8, as a store holds it."""
    return load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu", precision="int8").identity


def test_texts_get_open_clips_own_vectors_of_length_one(checkpoint: Path, identity: EncoderIdentity) -> None:
    import open_clip

    model = open_clip.create_model(SMALL_CLIP, pretrained=str(checkpoint)).eval()
    with torch.inference_mode():
        theirs = model.encode_text(open_clip.get_tokenizer(SMALL_CLIP)(TEXTS)).numpy()

    ours = load_text_encoder(identity, device="cpu").encode_texts(TEXTS * 200)

    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours[-2:], theirs / np.linalg.norm(theirs, axis=1, keepdims=True), atol=1e-5)


def test_the_encoder_of_a_store_is_loaded_as_it_was(checkpoint: Path, identity: EncoderIdentity) -> None:
    moved = replace(identity, pretrained="/where/it/was.pt")

    encoder = load_text_encoder(moved, pretrained=str(checkpoint), device="cpu")

    assert isinstance(encoder, TextEncoder)
    assert encoder.identity == identity


def test_other_weights_than_those_of_the_store_are_refused(identity: EncoderIdentity) -> None:
    with pytest.raises(
        StoreMismatch, match=r"did not make these vectors: its weights sha256 is .*, not 00.*--pretrained"
    ):
        load_text_encoder(replace(identity, weights_sha256="00"), device="cpu")


def test_an_encoder_without_a_text_tower_is_refused_and_others_are_named() -> None:
    lite0 = load_encoder("efficientnet-lite0", device="cpu")

    assert not isinstance(lite0, TextEncoder)
    with pytest.raises(EncoderError, match=r"lite0 does not encode texts.*All models of open_clip do.*ViT-B-32"):
        load_text_encoder(lite0.identity, device="cpu")


def test_a_tokenizer_that_cannot_be_loaded_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(WeightsUnavailable, match=r"(?s)tokenizer of roberta-ViT-B-32 cannot be loaded.*transformers"):
        load_tokenizer("roberta-ViT-B-32")

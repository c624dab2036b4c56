"""Texts of VideoPrism and PE-AV against the library's own text towers."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from embed.encoders import TextEncoder, load_encoder, load_text_encoder
from embed.encoders.testing import check_texts, frames_for
from embed.errors import StoreMismatch, WeightsUnavailable
from tests.embed.encoders.transformers_models import save_model

library = pytest.importorskip("transformers")

TEXTS = ["a photo of a dog", "two people shake hands", "a recipe"]
PREFIXES = {"videoprism-text": "videoprism", "pe-av": "pe-av", "pe-av-audio": "pe-av"}


@pytest.fixture(scope="module", params=PREFIXES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, save_model(request.param, tmp_path_factory.mktemp(request.param))


def loaded(saved: tuple[str, Path], **options: Any) -> Any:
    kind, folder = saved
    return load_encoder(f"{PREFIXES[kind]}:{folder}", device="cpu", **options)


def own_vectors(kind: str, folder: Path) -> torch.Tensor:
    """Return what the library's whole model gives for `TEXTS`."""
    tokenizer = library.AutoTokenizer.from_pretrained(folder)
    if kind == "videoprism-text":
        video = library.AutoVideoProcessor.from_pretrained(folder)
        tokens = library.VideoPrismProcessor(video, tokenizer)(text=TEXTS, return_tensors="pt")
        model = library.VideoPrismClipModel.from_pretrained(folder).eval()
        return model.get_text_features(tokens["input_ids"], tokens["attention_mask"]).pooler_output
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    whole = library.PeVideoModel if kind == "pe-av" else library.PeAudioVideoModel
    model = whole.from_pretrained(folder).eval()
    model = model if kind == "pe-av" else model.video_model
    return model(tokens["input_ids"], torch.zeros(1, 4, 3, 32, 32), tokens["attention_mask"]).text_video_embeds


def test_texts_are_those_of_the_librarys_own_tower(saved: tuple[str, Path]) -> None:
    encoder = loaded(saved)
    assert isinstance(encoder, TextEncoder)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(own_vectors(*saved), dim=-1).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=1e-5)


def test_a_text_does_not_depend_on_those_beside_it(saved: tuple[str, Path]) -> None:
    encoder = loaded(saved)
    check_texts(encoder)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS[2:]), encoder.encode_texts(TEXTS)[2:], atol=1e-5)
    assert encoder.encode_texts([]).shape == (0, encoder.identity.dimension)


def test_texts_stay_float32_where_clips_are_bfloat16(saved: tuple[str, Path]) -> None:
    quick = loaded(saved, precision="bfloat16")
    np.testing.assert_array_equal(quick.encode_texts(TEXTS), loaded(saved).encode_texts(TEXTS))


def test_a_store_finds_the_text_tower_of_its_clips(saved: tuple[str, Path], tmp_path: Path) -> None:
    encoder = loaded(saved)
    moved = shutil.copytree(saved[1], tmp_path / "moved")
    found = load_text_encoder(encoder.identity, pretrained=str(moved), device="cpu")
    np.testing.assert_array_equal(found.encode_texts(TEXTS), encoder.encode_texts(TEXTS))


def test_another_checkpoint_is_not_taken_for_that_of_a_store(saved: tuple[str, Path], tmp_path: Path) -> None:
    other = save_model(saved[0], tmp_path / "other", seed=1)
    with pytest.raises(StoreMismatch, match=r"did not make these vectors.*--pretrained"):
        load_text_encoder(loaded(saved).identity, pretrained=str(other), device="cpu")


def test_a_checkpoint_without_a_tokenizer_still_encodes_clips(saved: tuple[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(saved[1], tmp_path / "mute")
    for path in [*folder.glob("token*"), *folder.glob("special*")]:
        path.unlink()
    encoder = loaded((saved[0], folder))
    assert len(encoder.encode(frames_for(encoder, 1))) == 1
    with pytest.raises(WeightsUnavailable, match=r"has no tokenizer\. Copy tokenizer\.json"):
        encoder.encode_texts(TEXTS)


def test_only_videoprisms_embedding_has_length_one(saved: tuple[str, Path]) -> None:
    assert loaded(saved).identity.is_normalised == (saved[0] == "videoprism-text")


def test_texts_do_not_change_what_is_known_of_the_clips(saved: tuple[str, Path], tmp_path: Path) -> None:
    """Another text tower has the same hash: the store's vectors are the same."""
    folder = shutil.copytree(saved[1], tmp_path / "tuned")
    tensors = load_file(folder / "model.safetensors")
    changed = {name: t + 1 if "text_model" in name and t.is_floating_point() else t for name, t in tensors.items()}
    save_file(changed, folder / "model.safetensors", {"format": "pt"})
    found = loaded((saved[0], folder))
    assert found.identity.weights_sha256 == loaded(saved).identity.weights_sha256


def test_a_damaged_tokenizer_is_told_in_one_line(saved: tuple[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(saved[1], tmp_path / "damaged")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsUnavailable, match=r"^The tokenizer of [^\n]* cannot be loaded [^\n]*folder\.$"):
        loaded((saved[0], folder)).encode_texts(TEXTS)

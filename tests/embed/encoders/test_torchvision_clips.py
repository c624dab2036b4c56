"""Vectors of torchvision's models of clips are what their own classifiers get; weights that do not fit are refused."""

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from embed.encoders import declare_missing_operators
from embed.encoders.contract import Encoder
from embed.encoders.kinetics_models import KINETICS_MODELS
from embed.encoders.testing import CHECKS, check_batch_independence, check_identity, check_is_found_again, frames_for
from embed.encoders.torchvision_clips import build, load
from embed.errors import EncoderError, WeightsUnavailable
from embed.store import EncoderIdentity
from tests.embed.encoders.clip_models import checkpoint_of, classifier_of, classify, full_model
from tests.embed.encoders.frames import smallest_cosine

SMALL = "r2plus1d_18"
QUICK = ["mvit_v2_s", "swin3d_t"]  # the others are quick with fewer frames, below
EACH = [*QUICK, *(pytest.param(name, marks=pytest.mark.nightly) for name in KINETICS_MODELS if name not in QUICK)]


@pytest.fixture(scope="module")
def network() -> Any:
    return full_model(SMALL)


@pytest.fixture(scope="module")
def weights(network: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return checkpoint_of(network, tmp_path_factory.mktemp("weights") / "r2plus1d.pt")


def pixels_of(rgb: NDArray[np.uint8], identity: EncoderIdentity) -> Tensor:
    """(B, W, side_px, side_px, 3) uint8 -> (B, 3, W, side_px, side_px) float, by the definition of mean and std."""
    chosen = identity.preprocessing
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (chosen.mean, chosen.std))
    return (torch.from_numpy(rgb).permute(0, 4, 1, 2, 3) / 255 - mean) / std


def assert_makes_logits(encoder: Encoder, network: Any, model: str, *, count: int = 1) -> None:
    rgb = frames_for(encoder, count)
    vectors = torch.from_numpy(encoder.encode(rgb))
    assert vectors.shape == (count, KINETICS_MODELS[model].dimension)
    with torch.inference_mode():
        logits = network(pixels_of(rgb, encoder.identity))
        torch.testing.assert_close(classify(classifier_of(network, model), vectors), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", EACH)
def test_the_classifier_makes_the_full_models_logits_of_the_vectors(model: str, tmp_path: Path) -> None:
    network = full_model(model)
    encoder = load(model, pretrained=checkpoint_of(network, tmp_path / "weights.pt"), device="cpu")
    assert encoder.identity.window == 16
    assert_makes_logits(encoder, network, model)


@pytest.mark.parametrize(
    ("model", "window"),
    [
        pytest.param("r2plus1d_18", 1, id="R(2+1)D, one frame"),
        pytest.param("r2plus1d_18", 5, id="R(2+1)D, an odd number"),
        pytest.param("s3d", 14, id="S3D, its least", marks=pytest.mark.nightly),
        pytest.param("s3d", 24, id="S3D, with time left to average"),
        pytest.param("swin3d_t", 1, id="Swin, one frame", marks=pytest.mark.nightly),
        pytest.param("swin3d_t", 3, id="Swin, an odd number"),
    ],
)
def test_clips_may_have_other_lengths(model: str, window: int, tmp_path: Path) -> None:
    network = full_model(model)
    encoder = load(model, pretrained=checkpoint_of(network, tmp_path / "weights.pt"), device="cpu", window=window)
    assert encoder.identity.window == window
    assert_makes_logits(encoder, network, model)


@pytest.mark.parametrize(
    ("model", "window", "message"),
    [
        pytest.param(
            "mvit_v2_s", 8, "takes clips of 16 frames, not 8: it has positions .* --clip-frames 16", id="MViT"
        ),
        pytest.param("mvit_v1_b", 32, "takes clips of 16 frames, not 32", id="MViT, too long"),
        pytest.param("s3d", 13, "takes clips of at least 14 frames, not 13. Use --clip-frames 16", id="S3D"),
        pytest.param("swin3d_t", 0, "takes clips of at least 1 frame, not 0. Use --clip-frames 16", id="no frame"),
    ],
)
def test_clips_of_a_length_that_a_model_does_not_take_are_refused(model: str, window: int, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        build(model, pretrained="not read", window=window)


def test_a_classifier_of_other_classes_changes_nothing(network: Any, weights: str, tmp_path: Path) -> None:
    network_of_12 = full_model(SMALL, seed=1)
    network_of_12.load_state_dict(network.state_dict())
    network_of_12.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 12))
    torch.save({"epoch": 10, "state_dict": network_of_12.state_dict()}, tmp_path / "tuned.pt")

    tuned = build(SMALL, pretrained=str(tmp_path / "tuned.pt")).identity

    assert tuned == replace(build(SMALL, pretrained=weights).identity, pretrained=str(tmp_path / "tuned.pt"))


def test_safetensors_without_a_classifier_give_the_same_weights(network: Any, weights: str, tmp_path: Path) -> None:
    backbone = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("fc.")}
    save_file(backbone, tmp_path / "backbone.safetensors")
    loaded = build(SMALL, pretrained=str(tmp_path / "backbone.safetensors"))
    assert loaded.identity.weights_sha256 == build(SMALL, pretrained=weights).identity.weights_sha256


def test_a_built_model_is_whole_and_in_eval_mode(weights: str) -> None:
    built = build(SMALL, pretrained=weights)
    assert not any(module.training for module in built.network.modules())
    tensors = list(built.network.state_dict().values())
    assert {(tensor.device.type, tensor.dtype) for tensor in tensors if tensor.is_floating_point()} == {
        ("cpu", torch.float32)
    }


def test_building_a_model_uses_no_random_numbers(weights: str) -> None:
    torch.manual_seed(3)
    build(SMALL, pretrained=weights)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), after)


def test_bfloat16_keeps_the_direction_of_vectors(weights: str) -> None:
    exact, quick = (load(SMALL, pretrained=weights, device="cpu", precision=p) for p in ("float32", "bfloat16"))
    rgb = frames_for(exact, 2)[:, :4]
    assert smallest_cosine(exact.encode(rgb), quick.encode(rgb)) > 0.999


def test_bfloat16_converts_convolutions_and_no_normalisations(weights: str) -> None:
    built = build(SMALL, pretrained=weights)
    built.on("cpu", "bfloat16")
    found = {
        (type(module).__bases__[-1].__name__, p.dtype)
        for module in built.network.modules()
        for p in module.parameters(recurse=False)
    }
    assert found == {("_ConvNd", torch.bfloat16), ("_BatchNorm", torch.float32)}


def test_int8_is_refused_before_weights_are_read() -> None:
    with pytest.raises(EncoderError, match=r"s3d has no int8 form: .* Use --precision float32 or bfloat16\."):
        load("s3d", pretrained="not read", precision="int8")


def test_a_name_that_is_neither_a_file_nor_a_tag_is_refused_with_the_tags() -> None:
    with pytest.raises(EncoderError) as caught:
        build("swin3d_b", pretrained="IMAGENET")
    assert str(caught.value) == (
        "'IMAGENET' is neither a checkpoint file nor a tag of swin3d_b. Its tags: KINETICS400_V1, "
        "KINETICS400_IMAGENET22K_V1."
    )


def test_a_checkpoint_of_another_model_is_refused_with_what_differs(weights: str) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        build("s3d", pretrained=weights)
    text = str(caught.value)
    assert text.startswith(f"{weights} is not a checkpoint of s3d: 462 tensors missing: features.0.0.0.weight, ")
    assert "tensors too many: stem.0.weight, stem.1.weight, " in text
    assert text.endswith("save only its weights where it was trained: torch.save(model.state_dict(), FILE).")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Let no server offer the weights of S3D, and return their URL. Nothing is in torch's cache."""
    declare_missing_operators()
    from torchvision.models.video import S3D_Weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/s3d-01234567.pth"
    monkeypatch.setattr(S3D_Weights.KINETICS400_V1.value, "url", url)
    return url


def test_weights_that_cannot_be_downloaded_are_told_with_where_to_put_them(offline: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        load("s3d", device="cpu")
    assert str(caught.value) == (
        f"The weights of s3d (KINETICS400_V1) are not available: 127.0.0.1 cannot be reached to download. Download "
        f"{offline} on another machine and put it into {tmp_path}/hub/checkpoints, or name it with --pretrained FILE."
    )


@pytest.mark.usefixtures("offline")
def test_weights_that_were_put_into_the_cache_are_used(tmp_path: Path) -> None:
    kept = tmp_path / "hub/checkpoints/s3d-01234567.pth"
    kept.parent.mkdir(parents=True)
    network = full_model("s3d")
    checkpoint_of(network, kept)

    encoder = load("s3d", device="cpu")

    assert encoder.identity.pretrained == "KINETICS400_V1"
    assert_makes_logits(encoder, network, "s3d")


@pytest.mark.usefixtures("offline")
def test_a_damaged_download_is_named_with_what_to_do(tmp_path: Path) -> None:
    kept = tmp_path / "hub/checkpoints/s3d-01234567.pth"
    kept.parent.mkdir(parents=True)
    torch.save({"features.0.0.0.weight": torch.ones(1)}, kept)
    with pytest.raises(
        WeightsUnavailable, match=r"is not what torchvision offers as KINETICS400_V1 of s3d: 461 tensors missing"
    ):
        load("s3d", device="cpu")


@pytest.mark.parametrize("check", [check_identity, check_batch_independence, check_is_found_again])
def test_short_clips_keep_the_contract(weights: str, check: Callable[[Encoder], None]) -> None:
    check(load(SMALL, pretrained=weights, device="cpu", window=2))


@pytest.fixture(scope="module", params=list(KINETICS_MODELS))
def each_encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    return load(request.param, pretrained=checkpoint_of(full_model(request.param), path), device="cpu")


@pytest.mark.nightly
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_model_keeps_the_contract(each_encoder: Encoder, check: Callable[[Encoder], None]) -> None:
    check(each_encoder)

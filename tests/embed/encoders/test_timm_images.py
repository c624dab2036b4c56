"""timm's models against timm itself, with random weights in a checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from embed.encoders import declare_missing_operators, load_encoder
from embed.encoders.testing import check_batch_independence, check_parts, check_vectors, frames_for
from embed.encoders.timm_images import preprocessing_of
from embed.errors import EncoderError, WeightsUnavailable

declare_missing_operators()
timm = pytest.importorskip("timm")

MODELS = ["test_vit", "test_resnet", "test_efficientnet", "test_vit4"]
DINO = "vit_small_patch16_dinov3"


def checkpoint_of(name: str, folder: Path, **options: object) -> Path:
    """Save a model with random weights, its classifier included."""
    torch.manual_seed(0)
    path = folder / f"{name}.pt"
    torch.save(timm.create_model(name, **options).state_dict(), path)
    return path


def picture(height_px: int, width_px: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(height_px)
    coarse = rng.integers(0, 256, (height_px // 8 + 1, width_px // 8 + 1, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width_px, height_px), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(240, 426), (426, 240), (97, 131)], ids=str)
def test_pixels_and_vectors_are_timms_own(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = checkpoint_of(name, tmp_path)
    rgb = picture(*size)
    encoder = load_encoder(f"timm:{name}", pretrained=str(path), device="cpu")
    network = timm.create_model(name, num_classes=0, checkpoint_path="").eval()
    network.load_state_dict(torch.load(path, weights_only=True), strict=False)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    expected = transform(Image.fromarray(rgb))
    identity = encoder.identity

    pixels = identity.preprocessing.apply(rgb)

    mean, std = (
        torch.tensor(values)[:, None, None] for values in (identity.preprocessing.mean, identity.preprocessing.std)
    )
    levels = ((expected * std + mean) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, levels)  # bit for bit
    with torch.inference_mode():
        vector = network(expected[None])[0].numpy()
    ours = encoder.encode(pixels[None, None])[0]
    assert np.dot(ours, vector) / np.linalg.norm(ours) / np.linalg.norm(vector) >= 0.9999


def test_convolutions_of_dinov3_have_no_tokens_and_give_their_own_pooling(tmp_path: Path) -> None:
    name = "convnext_tiny.dinov3_lvd1689m"
    path = checkpoint_of(name, tmp_path)
    encoder = load_encoder(f"timm:{name}", pretrained=str(path), device="cpu")
    network = timm.create_model(name, num_classes=0).eval()
    network.load_state_dict(torch.load(path, weights_only=True), strict=False)
    rgb = frames_for(encoder, 1)
    config = timm.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(config[name])[:, None, None] for name in ("mean", "std"))

    found = encoder.encode(rgb)

    with torch.inference_mode():
        expected = network((torch.from_numpy(rgb[:, 0]).permute(0, 3, 1, 2) / 255 - mean) / std)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint_of(DINO, tmp_path_factory.mktemp("dino"))


def test_dinov3_gives_its_class_token_and_not_the_mean_of_patches(dino: Path) -> None:
    encoder = load_encoder(f"timm:{DINO}", pretrained=str(dino), device="cpu")
    rgb = frames_for(encoder, 1)
    network = timm.create_model(DINO, num_classes=0).eval()
    network.load_state_dict(torch.load(dino, weights_only=True))
    config = timm.data.resolve_model_data_config(network)
    pixels = torch.from_numpy(rgb[:, 0]).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(config[name])[:, None, None] for name in ("mean", "std"))

    found = encoder.encode(rgb)

    with torch.inference_mode():
        tokens = network.forward_features((pixels - mean) / std)
    assert timm.create_model(DINO, num_classes=0).global_pool == "avg"  # timm's own default
    np.testing.assert_allclose(found, tokens[:, 0].numpy(), atol=1e-4)
    assert encoder.identity.preprocessing.side_px == 256


def test_the_contract_of_encoders_is_kept(tmp_path: Path) -> None:
    path = checkpoint_of("test_vit", tmp_path)
    encoder = load_encoder("timm:test_vit", pretrained=str(path), device="cpu")

    for check in (check_parts, check_vectors, check_batch_independence):
        check(encoder)


def test_a_checkpoint_with_other_classes_loses_only_its_classifier(tmp_path: Path) -> None:
    own, other = checkpoint_of("test_resnet", tmp_path), tmp_path / "other.pt"
    tensors = torch.load(own, weights_only=True)
    torch.save({**tensors, "fc.weight": torch.zeros(7, 256), "fc.bias": torch.zeros(7)}, other)

    hashes = {load_encoder("timm:test_resnet", pretrained=str(path)).identity.weights_sha256 for path in (own, other)}

    assert len(hashes) == 1


def test_a_checkpoint_of_another_model_is_told_with_what_differs(tmp_path: Path) -> None:
    path = checkpoint_of("test_resnet", tmp_path)

    with pytest.raises(WeightsUnavailable, match=r"is not a checkpoint of timm:test_vit: .* tensors missing"):
        load_encoder("timm:test_vit", pretrained=str(path))


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("timm:resnet_18", None, "timm has no model 'resnet_18'. Perhaps you mean timm:.*resnet18"),
        (
            "timm:resnet18",
            "laion9",
            "'laion9' is neither a checkpoint .* of timm:resnet18. Its tags: .*a1_in1k",
        ),
        ("timm:resnet18.a1_in1k", "a2_in1k", "'a2_in1k' is neither a checkpoint file nor a tag"),
    ],
)
def test_unknown_models_and_tags_are_told_with_those_that_exist(
    model: str, pretrained: str | None, message: str
) -> None:
    with pytest.raises(EncoderError, match=message):
        load_encoder(model, pretrained=pretrained)


def test_weights_that_cannot_be_downloaded_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(WeightsUnavailable, match=rf"timm:{DINO} \(lvd1689m\) are not available.*HF_HUB_OF"):
        load_encoder(f"timm:{DINO}")


def test_frames_that_cannot_be_prepared_are_refused() -> None:
    config = {"input_size": (3, 224, 224), "interpolation": "nearest", "mean": (0,) * 3, "std": (1,) * 3}

    with pytest.raises(EncoderError, match=r"resized nearest.*Choose another model"):
        preprocessing_of("timm:x", config)

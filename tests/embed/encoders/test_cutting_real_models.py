"""torchvision's, timm's and transformers' own models, cut where they are fine-tuned."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from embed.encoders import declare_missing_operators, load_tail, outline_tail
from embed.encoders.cutting import cut_tail, stop_before
from embed.encoders.torch_encoder import TorchModel
from embed.encoders.torchvision_clips import build
from tests.embed.encoders.clip_models import checkpoint_of, classifier_of, classify, full_model
from tests.embed.encoders.small_models import torch_model
from tests.embed.encoders.test_cutting import pixels_for, train_from

LAST_BLOCKS = {
    "mvit_v1_b": "blocks.15",
    "mvit_v2_s": "blocks.15",
    "swin3d_t": "features.6",
    "swin3d_s": "features.6",
    "r2plus1d_18": "layer4",
    "s3d": "features.15",
}


@pytest.mark.nightly
@pytest.mark.parametrize(("model", "block"), LAST_BLOCKS.items(), ids=LAST_BLOCKS)
def test_stored_activations_and_the_block_make_the_full_models_logits_and_gradients(
    model: str, block: str, tmp_path: Path
) -> None:
    network = full_model(model)
    checkpoint = checkpoint_of(network, tmp_path / "weights.pt")
    built = build(model, pretrained=checkpoint)
    stopped = stop_before(copy.deepcopy(built), block)
    tail = load_tail(stopped.identity)
    pixels = pixels_for(built, 1)
    with torch.inference_mode():
        rows = stopped.forward(pixels)
        logits = classify(classifier_of(network, model), tail.eval()(rows))
        torch.testing.assert_close(logits, network(pixels), atol=1e-4, rtol=1e-4)
        halved = classify(classifier_of(network, model), tail(rows.half().float()))
        assert float((halved - logits).abs().max() / logits.abs().max().clamp_min(1)) < 2e-3
    rows = rows.clone()
    train_from(built.network, tail)
    torch.manual_seed(7)
    expected = built.forward(pixels)
    torch.manual_seed(7)
    found = tail.train()(rows)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    expected.square().mean().backward()
    found.square().mean().backward()
    whole = dict(built.network.named_parameters())
    learning = {name: own for name, own in tail.network.named_parameters() if own.requires_grad}
    for name, own in learning.items():
        torch.testing.assert_close(own.grad, whole[name].grad, atol=1e-4, rtol=1e-3)


def test_a_layer_of_videomae_can_be_cut() -> None:
    transformers = pytest.importorskip("transformers")
    declare_missing_operators()
    config = transformers.VideoMAEConfig(
        image_size=32, num_frames=4, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    network = transformers.VideoMAEModel(config).eval()
    model = torch_model(network, 16, window=4, side_px=32)
    model = type(model)(model.identity, network, partial(_mean_of_tokens, network))
    assert_parts_make_the_whole(model, "encoder.layer.1")


def _mean_of_tokens(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = network(pixel_values=pixels.transpose(1, 2)).last_hidden_state.mean(dim=1)
    return found


def test_a_block_of_a_vit_of_timm_can_be_cut() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=3, num_classes=0).eval()
    model = torch_model(network, 192, side_px=32)
    assert_parts_make_the_whole(type(model)(model.identity, network, network.forward), "blocks.2")


def test_a_block_of_an_image_tower_of_open_clip_can_be_cut_and_the_text_tower_is_dropped() -> None:
    declare_missing_operators()
    import open_clip
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    torch.manual_seed(0)
    network = open_clip.CLIP(
        16,
        CLIPVisionCfg(layers=3, width=64, head_width=32, patch_size=16, image_size=32),
        CLIPTextCfg(context_length=8, vocab_size=32, width=32, heads=2, layers=1),
    ).eval()
    model = torch_model(network, 16, side_px=32)
    model = type(model)(model.identity, network, network.encode_image)
    assert_parts_make_the_whole(model, "visual.transformer.resblocks.2")
    tail = cut_tail(model, "visual.transformer.resblocks.2")
    assert not [name for name in tail.state_dict() if name.startswith(("network.transformer", "network.token_embed"))]


def assert_parts_make_the_whole(model: TorchModel, path: str) -> None:
    stopped, tail = stop_before(copy.deepcopy(model), path), cut_tail(copy.deepcopy(model), path)
    pixels = pixels_for(model)
    with torch.inference_mode():
        torch.testing.assert_close(tail.eval()(stopped.forward(pixels)), model.forward(pixels), atol=1e-5, rtol=1e-4)


def test_an_outline_has_the_layers_of_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = checkpoint_of(full_model("r2plus1d_18"), tmp_path / "weights.pt")
    identity = stop_before(build("r2plus1d_18", pretrained=checkpoint, window=1), "layer4").identity
    tail = load_tail(identity)
    (tmp_path / "weights.pt").unlink()
    outline = outline_tail(identity, tail.architecture)
    outline.load_state_dict(tail.state_dict())
    rows = torch.ones(1, identity.dimension)
    torch.testing.assert_close(outline.eval()(rows), tail.eval()(rows))

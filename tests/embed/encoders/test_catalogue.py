"""The table of encoders says what the libraries say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from embed.encoders import declare_missing_operators, load_encoder
from embed.encoders.catalogue import ENCODERS, UNKNOWN, KnownEncoder, default_tag, doubt_of_file, licence_of
from embed.encoders.foreseen import lite_preprocessing
from embed.encoders.open_clip import preprocessing_of
from embed.errors import EncoderError, WeightsUnavailable

declare_missing_operators()
import open_clip  # noqa: E402
import timm  # noqa: E402
from open_clip.transform import PreprocessCfg  # noqa: E402

LITE = [known for known in ENCODERS if known.tag == "bundled"]
TIMM = [known for known in ENCODERS if known.model.startswith("timm:")]
CLIP = [known for known in ENCODERS if known.has_texts]
by_name = {"ids": lambda known: f"{known.model}-{known.tag}"}


@pytest.mark.parametrize("known", CLIP, **by_name)
def test_open_clip_says_the_same(known: KnownEncoder) -> None:
    config = open_clip.get_model_config(known.model)
    weights = open_clip.get_pretrained_cfg(known.model, known.tag)

    assert (config["embed_dim"], config["vision_cfg"]["image_size"]) == (known.dimension, known.side_px)
    assert {"shortest": "crop", "squash": "squash"}[weights["resize_mode"]] == known.resize
    assert "text_cfg" in config


@pytest.mark.parametrize("known", TIMM, **by_name)
def test_timm_says_the_same(known: KnownEncoder) -> None:
    config = timm.get_pretrained_cfg(f"{known.model.removeprefix('timm:')}.{known.tag}")

    assert config.input_size == (3, known.side_px, known.side_px)
    assert (config.crop_mode, config.license) == ("center", "dinov3-license")
    assert timm.create_model(config.architecture, num_classes=0).num_features == known.dimension


@pytest.mark.parametrize("known", LITE, **by_name)
def test_bundled_models_have_the_sides_of_their_preprocessing(known: KnownEncoder) -> None:
    assert lite_preprocessing(known.model).side_px == known.side_px


# Mistakes that people make with these families (kernel, mean): the libraries' configurations are right, and are used.
@pytest.mark.parametrize(
    ("part", "kernel", "mode", "mean"),
    [
        ("PE-Core", "bilinear", "squash", 0.5),
        ("SigLIP2", "bicubic", "squash", 0.5),
        ("MobileCLIP2", "bilinear", "shortest", 0.0),
    ],
)
def test_families_have_their_own_preprocessing_and_not_clips(part: str, kernel: str, mode: str, mean: float) -> None:
    found = [open_clip.get_pretrained_cfg(known.model, known.tag) for known in CLIP if part in known.model]

    assert {(one["interpolation"], one["resize_mode"], *one["mean"]) for one in found} == {
        (kernel, mode, mean, mean, mean)
    }


@pytest.mark.parametrize("size", [(240, 426), (426, 240), (97, 131)], ids=str)
@pytest.mark.parametrize(
    ("model", "tag"),
    [
        ("ViT-B-32", "openai"),
        ("ViT-H-14", "dfn5b"),
        ("PE-Core-B-16", "meta"),
        ("ViT-B-16-SigLIP2-384", "webli"),
        ("MobileCLIP2-S0", "dfndr2b"),
    ],
)
def test_pixels_are_those_of_open_clips_own_transform(model: str, tag: str, size: tuple[int, int]) -> None:
    weights = open_clip.get_pretrained_cfg(model, tag)
    side_px = open_clip.get_model_config(model)["vision_cfg"]["image_size"]
    config = {key: weights[key] for key in ("mean", "std", "interpolation", "resize_mode")}
    transform = open_clip.image_transform(side_px, is_train=False, **config)
    coarse = np.random.default_rng(0).integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)
    preprocessing = preprocessing_of({**config, "size": side_px})

    pixels = preprocessing.apply(np.asarray(picture))

    mean, std = (torch.tensor(config[key])[:, None, None] for key in ("mean", "std"))
    levels = ((transform(picture) * std + mean) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, levels)  # bit for bit
    assert (preprocessing.mean, preprocessing.std) == (config["mean"], config["std"])


def test_texts_for_siglip2_are_lower_case_without_punctuation_and_padded() -> None:
    for known in CLIP:
        if "SigLIP2" in known.model:
            text = open_clip.get_model_config(known.model)["text_cfg"]
            assert text["tokenizer_kwargs"]["clean"] == "canonicalize"
            assert text["context_length"] == 64
    assert open_clip.tokenizer.canonicalize_text("A Dog, on the Beach!") == "a dog on the beach"


def test_no_encoder_is_listed_twice() -> None:
    assert len({(known.model, known.tag) for known in ENCODERS}) == len(ENCODERS)


@pytest.mark.parametrize(
    ("model", "source", "licence"),
    [
        ("PE-Core-B-16", "meta", "Apache-2.0"),
        ("swin3d_b", "KINETICS400_IMAGENET22K_V1", "BSD-3-Clause, Kinetics"),
        ("videomae:MCG-NJU/videomae-large", "MCG-NJU/videomae-large", "CC-BY-NC-4.0"),
        ("videomae:mine/of-my-own", "mine/of-my-own", UNKNOWN),
        ("pe-av:facebook/pe-av-small", "facebook/pe-av-small", "Apache-2.0"),
        ("timm:vit_base_patch16_dinov3", "lvd1689m", "Meta's DINOv3 licence"),
        ("timm:vit_7b_patch16_dinov3.sat493m", "vit_7b_patch16_dinov3.sat493m", "Meta's DINOv3 licence"),
        ("timm:resnet50", "a1_in1k", "Apache-2.0"),
        ("timm:resnet50", "resnet50", "Apache-2.0"),
        ("timm:resnet50", "/weights/mine.pt", UNKNOWN),
        ("timm:no_such_model", "no_such_model", UNKNOWN),
        ("RN50", "openai", UNKNOWN),
        ("ViT-B-32", "/weights/mine.pt", UNKNOWN),
    ],
)
def test_licences_are_those_of_the_weights(model: str, source: str, licence: str) -> None:
    assert licence_of(model, source) == licence


def test_what_a_file_is_taken_for_is_said_of_each_model_whose_weights_differ() -> None:
    usual = PreprocessCfg()
    for model in open_clip.list_models():
        tags = open_clip.list_pretrained_tags_by_model(model)
        weights = {tag: open_clip.get_pretrained_cfg(model, tag) for tag in tags}
        quick = {tag for tag in tags if weights[tag].get("quick_gelu") and "quickgelu" not in model}
        pixels = {tag: (*weights[tag]["mean"], weights[tag]["resize_mode"]) for tag in tags}
        others = {tag for tag in tags if pixels[tag] != (*usual.mean, usual.resize_mode)}
        of_activation, _, of_pixels = (doubt_of_file(model) or "").partition("Frames are prepared")

        assert words(of_activation) & set(tags) == (quick if len(quick) < len(tags) else set()), model
        assert words(of_pixels) & set(tags) == (others if len(set(pixels.values())) > 1 else set()), model
        assert f"{model}-quickgelu" in open_clip.list_models() or not of_activation


def words(text: str) -> set[str]:
    return {word.strip(",.") for word in text.split()}


def test_the_default_weights_are_the_first_that_are_listed() -> None:
    assert (default_tag("ViT-B-16"), default_tag("ViT-H-14"), default_tag("RN50")) == ("openai", "dfn5b", None)


def test_a_checkpoint_file_is_prepared_for_as_the_weights_of_its_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(open_clip.create_model("PE-Core-T-16-384").state_dict(), tmp_path / "pe.pt")

    found = load_encoder("PE-Core-T-16-384", pretrained=str(tmp_path / "pe.pt"), device="cpu").identity.preprocessing

    assert (found.resize_mode, found.kernel, found.side_px) == ("squash", "bilinear", 384)
    assert (found.mean, found.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_models_without_weights_by_openai_get_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(WeightsUnavailable, match=r"The weights of PE-Core-B-16 \(meta\) are not available"):
        load_encoder("PE-Core-B-16")
    with pytest.raises(EncoderError, match=r"has no weights by OpenAI\. Choose others with --pretrained: laion2b"):
        load_encoder("ViT-g-14")

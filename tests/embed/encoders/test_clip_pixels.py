"""Frames as transformers' own processors prepare them, with the values of published checkpoints and others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from embed.encoders.clip_checkpoints import Checkpoint
from embed.encoders.clip_pixels import preprocessing_of
from embed.errors import EncoderError
from tests.embed.encoders.frames import pictures

library = pytest.importorskip("transformers")

SQUARE_224 = {"height": 224, "width": 224}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
VIDEOMAE = {"video_processor_type": "VideoMAEVideoProcessor", "size": {"shortest_edge": 224}, "crop_size": SQUARE_224}
# As preprocessor_config.json of MCG-NJU/videomae-base has them: an older class, and numbers for sizes.
OLD_VIDEOMAE = {"feature_extractor_type": "VideoMAEFeatureExtractor", "size": 224, "crop_size": 224, **IMAGENET}
SQUASHED = {"do_resize": True, "do_rescale": True, "size": {"height": 288, "width": 288}}
PRISM = {"video_processor_type": "LlavaOnevisionVideoProcessor", "do_normalize": False, **SQUASHED}
PE = {"video_processor_type": "PeVideoVideoProcessor", "do_normalize": True, **IMAGENET, **SQUASHED}


def checkpoint_with(
    values: dict[str, Any], folder: Path, *, name: str = "video_preprocessor_config.json"
) -> Checkpoint:
    config = {"model_type": "videomae"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / name).write_text(json.dumps(values))
    return Checkpoint(f"videomae:{folder}", "videomae", folder, str(folder), config)


def differences(checkpoint: Checkpoint, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far each input of the network is from transformers' own, in grey levels."""
    ours = preprocessing_of(checkpoint)
    processor = library.AutoVideoProcessor.from_pretrained(checkpoint.folder)
    tensor = torch.from_numpy(frame).permute(2, 0, 1)[None]
    theirs = next(iter(processor(tensor, return_tensors="pt", do_sample_frames=False).values()))[0, 0]
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (ours.mean, ours.std))
    pixels = (ours.apply(frame).transpose(2, 0, 1) / np.float32(255) - mean) / std
    found: NDArray[np.float32] = np.abs(pixels - theirs.numpy()) * std * 255
    return found


@pytest.mark.parametrize("size", [(360, 640), (640, 361), (150, 97)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(VIDEOMAE, id="VideoMAE"),
        pytest.param(OLD_VIDEOMAE, id="VideoMAE of 2022"),
        pytest.param({"video_processor_type": "VJEPA2VideoProcessor", "crop_size": 256}, id="V-JEPA 2"),
        pytest.param(
            {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": {"height": 384, "width": 384}},
            id="V-JEPA 2 at 384",
        ),
        pytest.param(PRISM, id="VideoPrism"),
        pytest.param(PE, id="PE-AV"),
        pytest.param({**VIDEOMAE, "size": {"shortest_edge": 300}, "crop_size": SQUARE_224}, id="a larger resize"),
        pytest.param({**VIDEOMAE, "size": {"height": 240, "width": 300}}, id="squashed, then cropped"),
        pytest.param({**VIDEOMAE, "size": {"shortest_edge": 180}}, id="padded with black"),
        pytest.param({**VIDEOMAE, "rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3}, id="another factor"),
        pytest.param({**VIDEOMAE, "do_rescale": False, "image_mean": [99.0] * 3, "image_std": [60.0] * 3}, id="bytes"),
    ],
)
def test_pixels_are_those_of_the_processor_within_one_grey_level(
    values: dict[str, Any], size: tuple[int, int], tmp_path: Path
) -> None:
    """Two where the resize is bicubic, as VideoPrism's: torch computes it on bytes with fewer bits than Pillow does."""
    found = differences(checkpoint_with(values, tmp_path), pictures(1, *size)[0])
    assert found.max() < (2.01 if values == PRISM else 1.01)
    assert (found > 1.5).mean() < 0.0002
    assert (found > 0.5).mean() < 0.04


def test_values_are_read_from_the_older_file_too(tmp_path: Path) -> None:
    """The class's own defaults are 0.5: a checkpoint that says ImageNet's mean must get it."""
    found = preprocessing_of(checkpoint_with(OLD_VIDEOMAE, tmp_path, name="preprocessor_config.json"))
    assert (found.mean, found.side_px) == ((0.485, 0.456, 0.406), 224)


def test_vjepa2_resizes_by_its_crop_whatever_its_file_says_of_the_size(tmp_path: Path) -> None:
    values = {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": 256, "size": {"shortest_edge": 256}}
    found = preprocessing_of(checkpoint_with(values, tmp_path))
    assert (found.resize_px, found.side_px) == (int(256 * 256 / 224), 256)


def test_videoprism_does_not_normalise(tmp_path: Path) -> None:
    found = preprocessing_of(checkpoint_with(PRISM, tmp_path))
    assert (found.mean, found.std, found.resize_mode) == ((0.0,) * 3, (1.0,) * 3, "squash")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"do_resize": False}, r"frames that are not resized \(do_resize is false\)", id="no resize"),
        pytest.param({"do_center_crop": False}, "frames that are not square", id="no crop"),
        pytest.param({"crop_size": {"height": 224, "width": 320}}, "a crop of 224 x 320 pixels", id="wide crop"),
        pytest.param({"resample": 1}, "a resize with the kernel", id="Lanczos"),
        pytest.param({"image_std": [0.5, 0.0, 0.5]}, r"std \(0.5, 0.0, 0.5\)", id="a std of 0"),
    ],
)
def test_what_cannot_be_done_here_is_refused_with_what_it_is(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    checkpoint = checkpoint_with({**VIDEOMAE, **changes}, tmp_path)
    with pytest.raises(EncoderError, match=rf"(?s){message}.*Choose another checkpoint, or correct"):
        preprocessing_of(checkpoint)


def test_a_checkpoint_without_a_processor_is_refused_and_not_given_defaults(tmp_path: Path) -> None:
    checkpoint = checkpoint_with({}, tmp_path)
    with pytest.raises(EncoderError, match=r"does not say how frames are prepared: .* Copy that file"):
        preprocessing_of(checkpoint)

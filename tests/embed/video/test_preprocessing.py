import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from embed.encoders import declare_missing_operators
from embed.video.preprocessing import Preprocessing

GREY = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def picture(height_px: int, width_px: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize(
    "size", [(480, 640), (641, 480), (37, 223), (224, 224), (1080, 1921)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_pixels_equal_those_of_open_clips_own_transform(mode: str, size: tuple[int, int]) -> None:
    declare_missing_operators()
    from open_clip.transform import image_transform

    transform = image_transform(224, is_train=False, resize_mode=mode, mean=(0.0,) * 3, std=(1.0,) * 3)
    theirs = transform(Image.fromarray(picture(*size))).numpy().transpose(1, 2, 0) * 255
    ours = Preprocessing(224, 224, mode, "bicubic", *GREY).apply(picture(*size))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_a_frame_of_the_right_size_is_not_changed() -> None:
    frame = picture(64, 64)
    np.testing.assert_array_equal(Preprocessing(64, 64, "shortest", "bicubic", *GREY).apply(frame), frame)


def test_a_description_survives_json() -> None:
    preprocessing = Preprocessing(224, 256, "shortest", "bicubic", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert Preprocessing.from_json(preprocessing.to_json()) == preprocessing


def test_a_height_and_a_width_survive_the_text_of_a_file() -> None:
    preprocessing = Preprocessing(112, (128, 171), "squash", "bilinear", *GREY, antialias=False)
    assert Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing


def test_what_is_as_before_is_described_as_before() -> None:
    described = Preprocessing(224, 256, "shortest", "bicubic", *GREY).to_json()
    assert list(described) == ["side_px", "resize_px", "resize_mode", "kernel", "mean", "std"]


@pytest.mark.parametrize("antialias", [True, False])
def test_a_frame_is_squashed_to_a_height_and_a_width(antialias: bool) -> None:
    """A ramp to the right and a ramp downwards: each position is known after any resize."""
    frame = np.zeros((256, 342, 3), dtype=np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(342) * 255 // 341, np.arange(256)[:, None]
    cut = Preprocessing(112, (128, 171), "squash", "bilinear", *GREY, antialias=antialias).apply(frame)
    assert cut.shape == (112, 112, 3)
    # The centre of 171 x 128 begins at 30 and 8, so at 60 and 16 of the original, between two pixels.
    np.testing.assert_allclose(cut[0, :, 0], (2 * np.arange(30, 142) + 0.5) * 255 / 341, atol=1.5)
    np.testing.assert_allclose(cut[:, 0, 1], 2 * np.arange(8, 120) + 0.5, atol=1)


def test_without_antialias_the_pixels_between_are_left_out() -> None:
    frame = np.zeros((8, 8, 3), dtype=np.uint8)
    frame[::4] = 200  # lines 0 and 4; lines 1.5 and 5.5 become the two that are kept
    cut = Preprocessing(2, 2, "squash", "bilinear", *GREY, antialias=False).apply(frame)
    assert not cut.any()
    assert Preprocessing(2, 2, "squash", "bilinear", *GREY).apply(frame).all()


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [(30, 70), (70, 30), (3, 5), (1, 1), (400, 20)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_a_frame_is_resized_without_antialias_as_torch_does_it(mode: Any, size: tuple[int, int]) -> None:
    preprocessing = Preprocessing(24, 40, mode, "bilinear", *GREY, antialias=False)
    width_px, height_px = preprocessing.resized_size(size[1], size[0])
    planes = torch.from_numpy(picture(*size)).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(planes, (height_px, width_px), mode="bilinear").round()
    declare_missing_operators()
    from torchvision.transforms.functional import center_crop

    theirs = center_crop(resized, [24, 24])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(preprocessing.apply(picture(*size)), theirs, atol=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"side_px": 0}, "side_px and resize_px must be at least 1, got 0", id="no pixels"),
        pytest.param({"resize_mode": "crop"}, "resize_mode must be one of .* got 'crop'", id="an unknown mode"),
        pytest.param({"side_px": 224.0}, "must be whole numbers, got 224.0 and 224", id="half pixels"),
        pytest.param({"side_px": True}, "must be whole numbers, got True", id="a truth value"),
        pytest.param({"resize_px": "224"}, "must be whole numbers, got 224 and '224'", id="a text"),
        pytest.param({"resize_px": None}, "must be whole numbers, got 224 and None", id="no length"),
        pytest.param(
            {"resize_px": [128, 171]},
            "one length, or .height, width. with squash, got .128, 171. with shortest",
            id="two lengths",
        ),
        pytest.param(
            {"resize_px": [1, 2, 3], "resize_mode": "squash"},
            "with squash, got .1, 2, 3. with squash",
            id="three lengths",
        ),
        pytest.param({"resize_px": [], "resize_mode": "squash"}, "got .. with squash", id="an empty list"),
        pytest.param({"resize_px": [0, 9], "resize_mode": "squash"}, "at least 1, got 224 and .0, 9.", id="no height"),
        pytest.param({"antialias": False}, "antialias must be True, or False with bilinear, got False", id="bicubic"),
        pytest.param({"antialias": 0, "kernel": "bilinear"}, "antialias must be True, or .* got 0", id="a number"),
        pytest.param({"kernel": "box"}, "kernel must be one of .* got 'box'", id="an unknown kernel"),
    ],
)
def test_an_invalid_setting_is_refused(changes: dict[str, object], message: str) -> None:
    good = Preprocessing(224, 224, "shortest", "bicubic", *GREY).to_json()
    with pytest.raises(ValueError, match=message):
        Preprocessing.from_json({**good, **changes})

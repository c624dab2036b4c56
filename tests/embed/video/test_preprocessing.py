import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from embed.video.preprocessing import Preprocessing

GREY = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def picture(height_px: int, width_px: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize(
    "size", [(480, 640), (641, 480), (37, 223), (224, 224), (1080, 1921)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_pixels_equal_those_of_open_clips_own_transform(mode: str, size: tuple[int, int]) -> None:
    from embed.encoders.torchvision_operators import declare_missing_operators

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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"side_px": 0}, "side_px and resize_px must be at least 1, got 0", id="no pixels"),
        pytest.param({"resize_mode": "crop"}, "resize_mode must be one of .* got 'crop'", id="an unknown mode"),
        pytest.param({"kernel": "box"}, "kernel must be one of .* got 'box'", id="an unknown kernel"),
    ],
)
def test_an_invalid_setting_is_refused(changes: dict[str, object], message: str) -> None:
    good = Preprocessing(224, 224, "shortest", "bicubic", *GREY).to_json()
    with pytest.raises(ValueError, match=message):
        Preprocessing.from_json({**good, **changes})

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.video.preprocessing import Preprocessing
from embed.video.views import ALL_VIEWS, ViewCutter, check_views

SIDE_PX = 32
GREY = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PREPROCESSING = Preprocessing(SIDE_PX, SIDE_PX, "shortest", "bicubic", *GREY)
SQUASHING = Preprocessing(SIDE_PX, SIDE_PX, "squash", "bicubic", *GREY)


def picture(height_px: int, width_px: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def cut(rgb: NDArray[np.uint8], *views: str) -> NDArray[np.uint8]:
    return ViewCutter(PREPROCESSING, views).apply(rgb)


WIDE, TALL = picture(50, 120), picture(120, 50)


@pytest.mark.parametrize(
    ("view", "rgb", "expected"),
    [
        pytest.param("centre", WIDE, PREPROCESSING.apply(WIDE), id="centre is the encoder's own"),
        pytest.param("whole", WIDE, SQUASHING.apply(WIDE), id="whole is squashed"),
        pytest.param("left", WIDE, PREPROCESSING.apply(WIDE[:, :50].copy()), id="left of a wide frame"),
        pytest.param("right", WIDE, PREPROCESSING.apply(WIDE[:, 70:].copy()), id="right of a wide frame"),
        pytest.param("left", TALL, PREPROCESSING.apply(TALL[:50].copy()), id="top of a tall frame"),
        pytest.param("right", TALL, PREPROCESSING.apply(TALL[70:].copy()), id="bottom of a tall frame"),
    ],
)
def test_a_view_shows_its_part_of_the_frame(view: str, rgb: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(cut(rgb, view)[0], expected)


def test_views_come_in_the_given_order_and_mirrored_ones_exchange_left_and_right() -> None:
    assert ALL_VIEWS[4:] == tuple(f"{view}-mirrored" for view in ALL_VIEWS[:4])
    pixels = cut(WIDE, *ALL_VIEWS)
    assert pixels.shape == (8, SIDE_PX, SIDE_PX, 3)
    np.testing.assert_array_equal(pixels[4:], pixels[:4, :, ::-1])
    np.testing.assert_array_equal(cut(WIDE, "right-mirrored", "whole"), pixels[[7, 1]])


@pytest.mark.parametrize(
    ("views", "message"),
    [
        pytest.param(("centre", "top"), "There is no view 'top'. Choose from centre, whole, left", id="unknown"),
        pytest.param(("left", "left"), "one or more different names, got left, left", id="twice"),
        pytest.param((), "one or more different names, got none", id="none"),
    ],
)
def test_invalid_views_are_refused(views: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_views(views)


def test_views_of_a_squashing_encoder_without_antialias_keep_the_ends_undistorted() -> None:
    """Squares at the ends of a frame are resized to the smaller length, and cropped as the whole frame is."""
    frame = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    squashing = Preprocessing(28, (32, 43), "squash", "bilinear", *GREY, antialias=False)
    square = Preprocessing(28, 32, "shortest", "bilinear", *GREY, antialias=False)

    centre, left, right, whole = ViewCutter(squashing, ("centre", "left", "right", "whole")).apply(frame)

    np.testing.assert_array_equal(centre, squashing.apply(frame))
    np.testing.assert_array_equal(left, square.apply(frame[:, :60]))
    np.testing.assert_array_equal(right, square.apply(frame[:, 40:]))
    np.testing.assert_array_equal(whole, replace(square, resize_px=28, resize_mode="squash").apply(frame))

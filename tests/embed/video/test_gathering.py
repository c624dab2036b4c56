import numpy as np
import pytest
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.video.gathering import GatheredPictures, windows_of


def grey(level: int, *, width_px: int = 3) -> NDArray[np.uint8]:
    return np.full((2, width_px, 3), level, dtype=np.uint8)


def test_a_picture_is_at_every_place_of_its_frame() -> None:
    pictures = GatheredPictures(np.array([[7, 9], [9, 4]]))
    for index in (9, 4, 7):
        pictures.put(index, grey(index))
    rgb = pictures.pictures()
    assert rgb is not None
    assert rgb.shape == (3, 2, 3, 3)  # each frame once
    assert windows_of(rgb, pictures.places)[:, :, 0, 0, 0].tolist() == [[7, 9], [9, 4]]


def test_views_of_a_frame_follow_its_place_in_the_shape() -> None:
    pictures = GatheredPictures(np.array([[5], [6]]))
    for index in (5, 6):
        pictures.put(index, np.stack([grey(index), grey(10 * index)]))
    rgb = pictures.pictures()
    assert rgb is not None
    assert rgb[:, :, 0, 0, 0].tolist() == [[5, 50], [6, 60]]


def test_if_one_picture_is_missing_there_are_none() -> None:
    pictures = GatheredPictures(np.array([[0], [1]]))
    pictures.put(0, grey(1))
    assert pictures.pictures() is None


def test_pictures_of_two_sizes_are_refused() -> None:
    pictures = GatheredPictures(np.array([[0], [1]]))
    pictures.put(0, grey(1))
    pictures.put(1, grey(1, width_px=5))
    with pytest.raises(VideoError, match=r"change size \(3x2, 5x2\)\. Set preprocessing to resize them"):
        pictures.pictures()

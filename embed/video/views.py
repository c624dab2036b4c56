"""Several views of each frame: where the square that an encoder sees is cut, and its mirror image.

An encoder's own preprocessing keeps the centre, and most encoders lose what stands at the sides of a wide frame. Views
are stored as more rows of a video: all T of the first view, then all T of the second, and so on. They cost their number
times the encoding; decoding is shared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.video.preprocessing import Preprocessing

CENTRE = "centre"
_MIRRORED = "-mirrored"


def _own(preprocessing: Preprocessing, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return preprocessing.apply(rgb)


def _whole(preprocessing: Preprocessing, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return replace(preprocessing, resize_mode="squash", resize_px=preprocessing.side_px).apply(rgb)


def _first_end(preprocessing: Preprocessing, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side_px = min(rgb.shape[:2])
    return _of_square(preprocessing, rgb[:side_px, :side_px])


def _last_end(preprocessing: Preprocessing, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side_px = min(rgb.shape[:2])
    return _of_square(preprocessing, rgb[-side_px:, -side_px:])


def _of_square(preprocessing: Preprocessing, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return replace(preprocessing, resize_mode="shortest").apply(np.ascontiguousarray(rgb))


_CUTS: dict[str, Callable[[Preprocessing, NDArray[np.uint8]], NDArray[np.uint8]]] = {
    CENTRE: _own,
    "whole": _whole,
    "left": _first_end,
    "right": _last_end,
}

ALL_VIEWS = (*_CUTS, *(name + _MIRRORED for name in _CUTS))
"""Names of the views:

- centre: the encoder's own preprocessing;
- whole: the whole frame, squashed to a square;
- left, right: the square at the left and at the right end of a wide frame; at the top and the bottom of a tall one;
- each of these with "-mirrored": left and right exchanged.
"""


@final
@dataclass(frozen=True)
class ViewCutter:
    """Cuts the same views out of every frame.

    Args:
        preprocessing: the encoder's own.
        views: V names of `ALL_VIEWS`.
    """

    preprocessing: Preprocessing
    views: tuple[str, ...]

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut one frame: (H, W_px, 3) uint8 -> (V, side_px, side_px, 3) uint8."""
        plain = [view.removesuffix(_MIRRORED) for view in self.views]
        cut = {name: _CUTS[name](self.preprocessing, rgb) for name in set(plain)}
        pixels = [cut[name][:, :: -1 if view != name else 1] for name, view in zip(plain, self.views, strict=True)]
        return np.stack(pixels)


def check_views(views: tuple[str, ...]) -> None:
    """Refuse views that do not exist.

    Raises:
        ValueError: there is none, an unknown one, or one twice.
    """
    unknown = [view for view in views if view not in ALL_VIEWS]
    if unknown:
        raise ValueError(f"there is no view {unknown[0]!r}; choose from {', '.join(ALL_VIEWS)}")
    if not views or len(set(views)) < len(views):
        raise ValueError(f"views are one or more different ones, got {', '.join(views) or 'none'}")


def rows_by_view(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Order pixels as they are stored: (T, W, V, side_px, side_px, 3) -> (V x T, W, side_px, side_px, 3).

    >>> rgb = np.zeros((2, 1, 3, 1, 1, 3), dtype=np.uint8)
    >>> rgb[1] = 10
    >>> rgb[:, :, 2] += 2
    >>> rows_by_view(rgb)[:, 0, 0, 0, 0].tolist()
    [0, 10, 0, 10, 2, 12]
    """
    moved = np.moveaxis(rgb, 2, 0)
    return np.ascontiguousarray(moved).reshape(-1, *moved.shape[2:])

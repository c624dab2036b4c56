"""Several views of each frame: different squares cut from it for the encoder, and their mirror images.

An encoder's own preprocessing keeps the centre, and most encoders do not see the sides of a wide frame. Views are
stored as more rows of a video: all T of the first view, then all T of the second, and so on. V views cost V times the
encoding; decoding is shared.
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
    length_px = preprocessing.resize_px if isinstance(preprocessing.resize_px, int) else min(preprocessing.resize_px)
    return replace(preprocessing, resize_mode="shortest", resize_px=length_px).apply(np.ascontiguousarray(rgb))


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
- left, right: the square at the left or right end of a wide frame, or at the top or bottom of a tall frame;
- each of these with "-mirrored": left and right exchanged.
"""


@final
@dataclass(frozen=True)
class ViewCutter:
    """Cuts the same views from every frame.

    Args:
        preprocessing: the encoder's own preprocessing.
        views: V names from `ALL_VIEWS`.
    """

    preprocessing: Preprocessing
    views: tuple[str, ...]

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return one frame's views: (H, W_px, 3) uint8 -> (V, side_px, side_px, 3) uint8."""
        plain = [view.removesuffix(_MIRRORED) for view in self.views]
        cut = {name: _CUTS[name](self.preprocessing, rgb) for name in set(plain)}
        pixels = [cut[name][:, :: -1 if view != name else 1] for name, view in zip(plain, self.views, strict=True)]
        return np.stack(pixels)


def check_views(views: tuple[str, ...]) -> None:
    """Check the names of views.

    Raises:
        ValueError: there is no view, an unknown one, or one is named twice.
    """
    unknown = [view for view in views if view not in ALL_VIEWS]
    if unknown:
        raise ValueError(f"There is no view {unknown[0]!r}. Choose from {', '.join(ALL_VIEWS)}.")
    if not views or len(set(views)) < len(views):
        raise ValueError(f"views must be one or more different names, got {', '.join(views) or 'none'}")


def rows_by_view(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels in the order of storage: (U, V, side_px, side_px, 3) -> (V x U, side_px, side_px, 3).

    >>> rgb = np.zeros((2, 3, 1, 1, 3), dtype=np.uint8)
    >>> rgb[1] = 10
    >>> rgb[:, 2] += 2
    >>> rows_by_view(rgb)[:, 0, 0, 0].tolist()
    [0, 10, 0, 10, 2, 12]
    """
    moved = np.moveaxis(rgb, 1, 0)
    return np.ascontiguousarray(moved).reshape(-1, *moved.shape[2:])

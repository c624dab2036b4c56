"""The pictures of chosen frames, written into one array as they come.

If they were kept apart and joined at the end, they would be in memory twice: an hour at five frames a second is 2.7 GB.
"""

from threading import Lock
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError


@final
class GatheredPictures:
    """Collects pictures from several threads, in any order.

    Args:
        indices: (T, W) int64 the wanted frames; one frame may be at several places.
    """

    def __init__(self, indices: NDArray[np.int64]) -> None:
        self._shape = indices.shape
        self._places: dict[int, list[int]] = {}
        for place, index in enumerate(indices.ravel().tolist()):
            self._places.setdefault(index, []).append(place)
        self._missing = set(self._places)
        self._sizes: set[tuple[int, ...]] = set()
        self._rgb: NDArray[np.uint8] | None = None
        self._lock = Lock()

    def put(self, index: int, picture: NDArray[np.uint8]) -> None:
        """Store the (..., H, W_px, 3) picture of a wanted frame."""
        with self._lock:
            self._missing.discard(index)
            self._sizes.add(picture.shape)
            if self._rgb is None:
                # The views of a frame are stored apart, so that `embed.video.views.rows_by_view` has nothing to move.
                self._rgb = np.empty((*picture.shape[:-3], self._count, *picture.shape[-3:]), dtype=np.uint8)
            if len(self._sizes) == 1:
                self._rgb[..., self._places[index], :, :, :] = picture[..., None, :, :, :]

    @property
    def _count(self) -> int:
        return int(np.prod(self._shape))

    def rgb(self) -> NDArray[np.uint8] | None:
        """Return the (T, W, ..., H, W_px, 3) pictures; None if one has not come.

        Raises:
            VideoError: they differ in size (decode_error).
        """
        if self._missing or self._rgb is None:
            return None
        if len(self._sizes) > 1:
            listed = ", ".join(f"{width_px}x{height_px}" for *_, height_px, width_px, _ in sorted(self._sizes))
            raise VideoError("decode_error", f"its pictures change size ({listed}). Set preprocessing to resize them")
        rgb = self._rgb.reshape(*self._rgb.shape[:-4], *self._shape, *self._rgb.shape[-3:])
        return np.moveaxis(rgb, (-5, -4), (0, 1))

"""The pictures of chosen frames, written into one array as they come, and what stands in for those that do not come.

If they were kept apart and joined at the end, they would be in memory twice: an hour at five frames a second is 2.7 GB.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
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


@dataclass
class Seen:
    """What decoding in order has seen: the frames that came, and those of them that FFmpeg marks as damaged."""

    came: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)

    def note(self, index: int, *, is_damaged: bool) -> None:
        """Add a frame; -1 is none of the timeline's."""
        if index >= 0:
            self.came.add(index)
            if is_damaged:
                self.damaged.add(index)


def stand_ins(indices: NDArray[np.int64], came: Collection[int]) -> NDArray[np.int64]:
    """Return (T, W) indices in which the last frame before it that came stands in for each that did not.

    Before the first that came, that one stands in.

    >>> stand_ins(np.array([[0], [4], [9]]), {2, 3, 4, 7}).tolist()
    [[2], [4], [7]]
    """
    those = np.array(sorted(came), dtype=np.int64)
    nearest: NDArray[np.int64] = those[(np.searchsorted(those, indices, side="right") - 1).clip(0)]
    return nearest


def are_first(indices: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (T,) bool, False where the (T, W) indices differ from those asked for but repeat another row.

    >>> are_first(np.array([[1], [1], [4], [4], [5]]), np.array([[1], [2], [3], [4], [5]])).tolist()
    [True, False, False, True, True]
    """
    is_replaced = (indices != asked).any(axis=1)
    keep: NDArray[np.bool_] = ~is_replaced
    taken = {tuple(row) for row in indices[keep].tolist()}
    for place in np.flatnonzero(is_replaced).tolist():
        row = tuple(indices[place].tolist())
        keep[place] = row not in taken
        taken.add(row)
    return keep

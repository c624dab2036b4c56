"""The pictures of chosen frames, written into one array as they come, and what stands in for those that do not come.

If they were kept apart and joined at the end, they would be in memory twice: an hour at five frames a second is 2.7 GB.
A frame of several clips is kept once, beside its places in them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Lock
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.video.timeline import Timeline


@dataclass(frozen=True)
class Frames:
    """The sampled frames of one video.

    Args:
        pictures: (U, H, W_px, 3) uint8, each frame once, upright; if a cut was applied, (U, ...) of its results.
        places: (T, W) int64, which picture is at each place. Windows may overlap.
        timestamps_s: (T,) float64, the mean moment of the W frames behind each vector, on the timeline's clock.
        spans_s: (T, 2) float64, the moments of the first and the last of these frames.
        timeline: the timeline that they were chosen from.
        damaged_count: how many of the frames that were asked for do not decode, or are marked as damaged by FFmpeg,
            which has then filled in what is missing. A frame that does not decode is replaced by the one before, and is
            left out if that one is among the frames anyway.
    """

    pictures: NDArray[np.uint8]
    places: NDArray[np.int64]
    timestamps_s: NDArray[np.float64]
    spans_s: NDArray[np.float64]
    timeline: Timeline
    damaged_count: int = 0

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """The (T, W, H, W_px, 3) windows, or (T, W, ...) cuts. Windows that overlap are copied."""
        return windows_of(self.pictures, self.places)


@final
class GatheredPictures:
    """Collects pictures from several threads, in any order.

    Args:
        indices: (T, W) int64 the wanted frames; one frame may be at several places.

    Attributes:
        places: (T, W) int64, which of the U pictures is at each place.
    """

    def __init__(self, indices: NDArray[np.int64]) -> None:
        unique, places = np.unique(indices, return_inverse=True)
        self.places: NDArray[np.int64] = places.reshape(indices.shape)
        self._at = {index: at for at, index in enumerate(unique.tolist())}
        self._missing = set(self._at)
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
                self._rgb = np.empty((*picture.shape[:-3], len(self._at), *picture.shape[-3:]), dtype=np.uint8)
            if len(self._sizes) == 1:
                self._rgb[..., self._at[index], :, :, :] = picture

    def pictures(self) -> NDArray[np.uint8] | None:
        """Return the (U, ..., H, W_px, 3) pictures, each once, in the order of the frames; None if one has not come.

        Raises:
            VideoError: they differ in size (decode_error).
        """
        if self._missing or self._rgb is None:
            return None
        if len(self._sizes) > 1:
            listed = ", ".join(f"{width_px}x{height_px}" for *_, height_px, width_px, _ in sorted(self._sizes))
            raise VideoError("decode_error", f"its pictures change size ({listed}). Set preprocessing to resize them")
        return np.moveaxis(self._rgb, -4, 0)


def windows_of(pictures: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the (T, W, ...) pictures at (T, W) places; nothing is copied where each of the pictures is one window.

    >>> windows_of(np.array([7, 8, 9], dtype=np.uint8), np.array([[0, 1], [1, 2]])).tolist()
    [[7, 8], [8, 9]]
    """
    if np.array_equal(places, np.arange(len(pictures))[:, None]):
        return pictures[:, None]
    return pictures[places]


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

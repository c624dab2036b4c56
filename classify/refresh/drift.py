"""Does what comes now look like what came before? Reported, and decides nothing.

Each video is its mean vector, at length 1. A new video is unusual if it is farther from the mean of the old ones than
99 of 100 old videos are. Of videos that look as before, 1 in 100 is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embed.store import EmbeddingStore

_MOST = 2000  # videos of each kind, evenly chosen
_LEAST = 20
_SHARE = 0.99


def measure_drift(store: EmbeddingStore, old: Sequence[str], new: Sequence[str]) -> dict[str, float | int] | None:
    """Return how unusual new videos look.

    Args:
        store: an open store.
        old: ids of the videos of the last training.
        new: ids of the others.

    Returns:
        "new_videos", their number; "unusual_share", the share of them that is unusual, which is 0.01 without drift;
        "shift", the distance between the means of both, from 0 to 2. None where there are too few old videos or no new
        one.
    """
    if len(old) < _LEAST or not new:
        return None
    before, after = (_pooled(store, _some(ids)) for ids in (old, new))
    centre = before.mean(axis=0)
    usual = np.quantile(np.linalg.norm(before - centre, axis=1), _SHARE)
    unusual = np.linalg.norm(after - centre, axis=1) > usual
    return {
        "new_videos": len(new),
        "unusual_share": round(float(unusual.mean()), 4),
        "shift": round(float(np.linalg.norm(after.mean(axis=0) - centre)), 4),
    }


def _some(ids: Sequence[str]) -> list[str]:
    places = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), _MOST)).round().astype(int))
    return [ids[place] for place in places.tolist()]


def _pooled(store: EmbeddingStore, ids: Sequence[str]) -> NDArray[np.float64]:
    means = np.stack([store.read(name).vectors.astype(np.float64).mean(axis=0) for name in ids])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.where(lengths > 0, lengths, 1))

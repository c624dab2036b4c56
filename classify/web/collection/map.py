"""The map of a collection: moments as points of a plane, close if their vectors are alike.

The plane is that of the two principal components of the moments that are shown, so a point's place says no more than
these two tell. A map has 100,000 moments at most; of larger stores they are drawn at random, the same each time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.web.collection.collection import Collection
from classify.web.collection.listing import Opinions, human_labels
from embed.store import EmbeddingStore

MOST_POINTS = 100_000
_MOST_READ = 4 * MOST_POINTS  # rows of whole videos, from which the points are drawn


@dataclass(frozen=True)
class CollectionMap:
    """P moments on a plane.

    Args:
        places: (P,) uint32, whose moment each is: a place in the collection.
        at_s: (P,) float32.
        xy: (P, 2) float32.
        total: moments of the whole store.
    """

    places: NDArray[np.uint32]
    at_s: NDArray[np.float32]
    xy: NDArray[np.float32]
    total: int


def draw_map(found: Collection) -> CollectionMap:
    """Return the map of a collection.

    Raises:
        StoreError: the vectors cannot be read.
    """
    store, draw = found.store, np.random.default_rng(0)
    total = int(store.row_counts.sum())
    videos = np.arange(len(store))
    if total > _MOST_READ:
        order = draw.permutation(videos)
        enough = int(np.searchsorted(store.row_counts[order].cumsum(), _MOST_READ)) + 1
        videos = np.sort(order[:enough])
    rows, at_s, places = _read(found, store, videos)
    if len(rows) > MOST_POINTS:
        kept = np.sort(draw.choice(len(rows), MOST_POINTS, replace=False))
        rows, at_s, places = rows[kept], at_s[kept], places[kept]
    return CollectionMap(places, at_s, on_plane(rows), total)


def _read(
    found: Collection, store: EmbeddingStore, videos: NDArray[np.int64]
) -> tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.uint32]]:
    ids = [store.ids[place] for place in videos.tolist()]
    with found.lock:
        rows, counts = store.read_many(ids)
        at_s = store.read_timestamps(ids)
    return rows, at_s, np.repeat(videos, counts).astype(np.uint32)


def on_plane(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return rows (P, D) on the plane of their two principal components, (P, 2).

    >>> on_plane(np.array([[0.0, 0, 1], [0, 0, 3], [0, 0, 5]])).round(3).tolist()
    [[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]]
    """
    if not len(rows):
        return np.zeros((0, 2), np.float32)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    covariance = np.zeros((rows.shape[1], rows.shape[1]), np.float32)
    for first in range(0, len(rows), 4096):
        part = rows[first : first + 4096].astype(np.float32) - mean
        covariance += part.T @ part
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :2].astype(np.float32)
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # an axis has no direction of its own: the same one each time
    flat = np.concatenate([(rows[f : f + 4096].astype(np.float32) - mean) @ axes for f in range(0, len(rows), 4096)])
    return np.asarray(np.pad(flat, ((0, 0), (0, 2 - flat.shape[1]))) + 0.0, dtype=np.float32)


def labels_on_map(found: Collection, opinions: Opinions) -> tuple[list[str], NDArray[np.int16]]:
    """Return label names, first the head's, and for each video (N,) the place of its label among them.

    It is the first label that people gave it, or else the head's likeliest; -1 where people say that it has none.
    """
    names = list(found.names)
    place_of = {name: place for place, name in enumerate(names)}
    labels = found.probabilities.argmax(axis=1).astype(np.int16)
    for place in range(len(found.ids)):
        said = human_labels(found, opinions, place)
        if said is None:
            continue
        if said and said[0] not in place_of:
            place_of[said[0]] = len(names)
            names.append(said[0])
        labels[place] = place_of[said[0]] if said else -1
    return names, labels

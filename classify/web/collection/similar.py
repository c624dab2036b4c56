"""Videos of the store that are like an upload: by the cosine of mean vectors, centred on the collection."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.web.collection.collection import Collection, public_name
from embed import Hit


@dataclass(frozen=True)
class Example:
    """What is looked for.

    Args:
        direction: (D,) centred as the collection's, of length 1.
        place: the video that it is from, which is left out; None if it is in no store.
    """

    direction: NDArray[np.floating]
    place: int | None = None

    @classmethod
    def of_vectors(cls, found: Collection, vectors: NDArray[np.floating], place: int | None = None) -> "Example":
        """Return the mean of vectors (T, D) as an example."""
        centred = vectors.astype(np.float32).mean(axis=0) - found.centre
        return cls(centred / max(float(np.linalg.norm(centred)), 1e-12), place)


def find_similar(found: Collection, example: Example, count: int) -> list[dict[str, Any]]:
    """Return the most similar videos JSON-ready, best first, each with its moment that is most like the example.

    Args:
        found: the collection.
        example: what is looked for.
        count: how many.
    """
    scores = found.means @ example.direction.astype(np.float16)
    order = np.argsort(-scores.astype(np.float32), kind="stable")
    places = [place for place in order[: count + 1].tolist() if place != example.place][:count]
    return [_hit(found, example, place, float(scores[place])) for place in places]


def _hit(found: Collection, example: Example, place: int, score: float) -> dict[str, Any]:
    with found.lock:
        stored = found.store.read(found.ids[place])
    rows = stored.vectors.astype(np.float32) - found.centre
    likeness = rows @ example.direction / np.linalg.norm(rows, axis=1).clip(1e-12)
    best = int(likeness.argmax())
    return Hit(
        public_name(found.ids[place]),
        found.locations[place],
        score,
        float(stored.spans_s[:, 0].min()),
        float(stored.spans_s[:, 1].max()),
        float(stored.timestamps_s[best]),
    ).to_json()

"""Which videos of a collection are shown, and in which order.

"What to label next" (`next`) takes the mean of two ranks from 0 to 1: that of the doubt (`doubts_of`), and that of the
novelty: 1 minus the cosine to the nearest video that somebody has labelled, of mean vectors centred on the collection.
Ranks, because the two are on different scales. Videos that somebody has labelled come last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from classify.corrections import Correction
from classify.web.collection.collection import Collection

Order = Literal["path", "confidence", "doubt", "next", "newest"]
ORDERS: tuple[Order, ...] = get_args(Order)
By = Literal["predicted", "human", "either"]

_MOST_LABELLED = 4096  # videos that novelty is measured against: 100,000 x 4,096 cosines of 512 take seconds
_AT_ONCE = 4096

Opinions = Mapping[str, Correction]
"""id -> the correction that holds."""


@dataclass(frozen=True)
class Filter:
    """Which videos are asked for.

    Args:
        labels: with one of these labels; empty: with any.
        by: whose labels count.
        unlabelled: only those that nobody has labelled.
        path: only those with this text in their id or location, whatever its case.
    """

    labels: frozenset[str] = frozenset()
    by: By = "either"
    unlabelled: bool = False
    path: str = ""


def human_labels(found: Collection, opinions: Opinions, place: int) -> tuple[str, ...] | None:
    """Return the labels that people gave a video: corrections before earlier ones; None if nobody said anything."""
    corrected = opinions.get(found.ids[place])
    return found.labels[place] or None if corrected is None else corrected.labels


def is_labelled(found: Collection, opinions: Opinions) -> NDArray[np.bool_]:
    """Return which videos (N,) somebody has labelled."""
    labelled = np.array([bool(labels) for labels in found.labels], dtype=np.bool_)
    for place in (found.places_of_ids.get(video_id) for video_id in opinions):
        if place is not None:
            labelled[place] = True
    return labelled


def list_places(
    found: Collection, opinions: Opinions, wanted: Filter, order: Order, *, descending: bool = False
) -> NDArray[np.int64]:
    """Return the places of the videos that are asked for, in order.

    Args:
        found: the collection.
        opinions: what people corrected.
        wanted: which videos.
        order: by what they are sorted; equal ones stay in the order of their ids.
        descending: the other way round.
    """
    kept = np.flatnonzero(_fits(found, opinions, wanted))
    if order == "path":
        return kept[::-1] if descending else kept
    values = _values(found, opinions, order)[kept]
    return np.asarray(kept[np.argsort(-values if descending else values, kind="stable")])


def _fits(found: Collection, opinions: Opinions, wanted: Filter) -> NDArray[np.bool_]:
    fits = np.ones(len(found.ids), dtype=np.bool_)
    if wanted.labels:
        fits &= _has_label(found, opinions, wanted)
    if wanted.unlabelled:
        fits &= ~is_labelled(found, opinions)
    if wanted.path:
        text = wanted.path.casefold()
        pairs = zip(found.ids, found.locations, strict=True)
        fits &= np.array([text in one.casefold() or text in where.casefold() for one, where in pairs], dtype=np.bool_)
    return fits


def _has_label(found: Collection, opinions: Opinions, wanted: Filter) -> NDArray[np.bool_]:
    fits = np.zeros(len(found.ids), dtype=np.bool_)
    if wanted.by != "human":
        columns = [place for place, name in enumerate(found.names) if name in wanted.labels]
        fits |= found.given[:, columns].any(axis=1)
    if wanted.by != "predicted":
        said = (human_labels(found, opinions, place) or () for place in range(len(found.ids)))
        fits |= np.array([not wanted.labels.isdisjoint(labels) for labels in said], dtype=np.bool_)
    return fits


def _values(found: Collection, opinions: Opinions, order: Order) -> NDArray[np.floating]:
    if order == "confidence":
        return np.asarray(found.probabilities.max(axis=1, initial=0))
    if order == "newest":
        return np.asarray(-found.store.column("modified_s"))
    if order == "doubt":
        return found.doubts
    labelled = is_labelled(found, opinions)
    wish = (_ranks(found.doubts) + _ranks(novelties(found, labelled))) / 2
    return np.where(labelled, 1.0, -wish)


def novelties(found: Collection, labelled: NDArray[np.bool_], rows: Sequence[int] | None = None) -> NDArray[np.float32]:
    """Return how unlike anything labelled videos are: from 0, like a labelled one, to 1, also where none is labelled.

    Args:
        found: the collection.
        labelled: (N,) bool. Of more than some thousand, a part is drawn, the same each time.
        rows: which videos; None for all.
    """
    wanted = found.means if rows is None else found.means[list(rows)]
    known = np.flatnonzero(labelled)
    if not len(known):
        return np.ones(len(wanted), np.float32)
    if len(known) > _MOST_LABELLED:
        known = np.sort(np.random.default_rng(0).choice(known, _MOST_LABELLED, replace=False))
    reference = found.means[known].astype(np.float32).T
    nearest = np.empty(len(wanted), np.float32)
    for first in range(0, len(wanted), _AT_ONCE):
        part = wanted[first : first + _AT_ONCE].astype(np.float32)
        nearest[first : first + _AT_ONCE] = (part @ reference).max(axis=1)
    return np.asarray(1 - nearest, dtype=np.float32).clip(0, 1)


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ranks from 0 to 1; equal values have equal ranks.

    >>> _ranks(np.array([0.5, 0.1, 0.5])).tolist()
    [1.0, 0.0, 1.0]
    """
    _, places = np.unique(values, return_inverse=True)
    return np.asarray(places / max(1, places.max(initial=0)), dtype=np.float64)

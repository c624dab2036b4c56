"""Exchange items between the parts of a split until each class can be learned: an item of it trains.

Stratification gives each part its share of a class, which does not promise that: of a class of two items, one may come
to validate and the other to test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_CANDIDATES = 64  # the smallest items of a class, of which one moves
_NOTHING = -1  # in place of an item: another one moves without an exchange


@dataclass(frozen=True)
class Coverage:
    """Which classes must be learned, and from which parts.

    Args:
        learns: (P, H) bool, True where the items of a part train a head. A split trains one head, folds one each.
        classes: (C,) bool, the classes of which each head needs an item.
        may_empty: True if a part may be left without an item.
    """

    learns: NDArray[np.bool_]
    classes: NDArray[np.bool_]
    may_empty: bool = False

    def gaps(self, counts: NDArray[np.integer], parts: NDArray[np.int64]) -> int:
        """Return how many classes the heads lack, of items with `counts` (I, C) in `parts` (I,)."""
        shown = np.stack(
            [(counts[parts == part] > 0).any(axis=0) for part in range(len(self.learns))], axis=1
        )  # (C, P)
        return int((~(shown.astype(np.int64) @ self.learns).astype(np.bool_))[self.classes].sum())


def cover_classes(
    counts: NDArray[np.integer],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    wanted: NDArray[np.float64],
    parts: NDArray[np.int64],
    coverage: Coverage,
) -> NDArray[np.int64]:
    """Return the part of each item, (I,), so that the heads lack no class, as far as single exchanges lead there.

    An item of a class that a head lacks goes where it trains that head, in exchange for an item that the head can do
    without, or alone. Of these, what changes the sizes of the parts least is taken, then what serves the shares of the
    classes best. No other class gets lost.

    Args:
        counts: (I, C) number of videos of each class in each item.
        sizes: (I,) number of videos in each item.
        part_sizes: (P,) number of videos wanted in each part.
        wanted: (C, P) number of videos of each class wanted in each part.
        parts: (I,) where the items are; it is not changed.
        coverage: what must be learned.
    """
    search = _Search(counts, sizes, part_sizes, wanted, parts.copy(), coverage)
    while sum(search.mend(label, head) for label, head in search.gaps()):
        pass  # what could not be mended may be, after others were
    return search.parts


class _Search:
    """The items in their parts, and how far these are from what is wanted."""

    def __init__(
        self,
        counts: NDArray[np.integer],
        sizes: NDArray[np.int64],
        part_sizes: NDArray[np.int64],
        wanted: NDArray[np.float64],
        parts: NDArray[np.int64],
        coverage: Coverage,
    ) -> None:
        self.parts, self._coverage, self._sizes = parts, coverage, sizes
        self._shows = csr_array(
            (counts > 0).astype(np.int64)
        )  # (I, C), sparse: an item has few of thousands of classes
        self._by_class = self._shows.tocsc()
        scale = 1 / np.sqrt(np.maximum(counts.sum(axis=0), 1))  # as exchanges weigh the classes
        self._items = csr_array(counts).astype(np.float64)
        self._items.data *= scale[self._items.indices]
        self._bulks = self._items.power(2).sum(axis=1)  # (I,)
        members = [np.flatnonzero(parts == part) for part in range(len(part_sizes))]
        self._room = part_sizes - np.array([sizes[own].sum() for own in members])  # (P,) videos
        self._excess = np.stack([self._items[own].sum(axis=0) for own in members]) - wanted.T * scale  # (P, C)
        shown = np.stack([self._shows[own].sum(axis=0) for own in members], axis=1)  # (C, P) items
        self._trained = shown @ coverage.learns.astype(np.int64)  # (C, H) items

    def gaps(self) -> list[tuple[int, int]]:
        """Return classes and the heads that lack them, those of the fewest items first."""
        found = np.argwhere((self._trained == 0) & self._coverage.classes[:, None])
        order = np.argsort(np.diff(self._by_class.indptr)[found[:, 0]], kind="stable")
        return [(int(label), int(head)) for label, head in found[order]]

    def mend(self, label: int, head: int) -> bool:
        """Let a head have an item of a class; return False if it has one by now, or no exchange gives it one."""
        if self._trained[label, head]:
            return False
        items = self._by_class.indices[slice(*self._by_class.indptr[label : label + 2])]
        items = items[np.argsort(self._sizes[items], kind="stable")][:_CANDIDATES]
        places = np.flatnonzero(self._coverage.learns[:, head]).tolist()
        found = [self._best(item, place) for item in items.tolist() for place in places]
        best = min((entry for entry in found if entry is not None), default=None)
        if best is None:
            return self._fill_and_move(items.tolist(), places)
        *_, item, other, place = best
        own = int(self.parts[item])
        self._move(item, place)
        if other != _NOTHING:
            self._move(other, own)
        return True

    def _fill_and_move(self, items: list[int], places: list[int]) -> bool:
        """Move an item that is alone in its part, after another part has given an item that it can do without."""
        for item in items:
            own = int(self.parts[item])
            for giver in np.flatnonzero(np.bincount(self.parts, minlength=len(self._room)) > 1).tolist():
                if giver == own or giver in places or self._only(own, places[0])[self._shows[[item]].indices].any():
                    continue
                kept = self._only(giver, own).astype(np.int64)
                free = np.flatnonzero((self.parts == giver) & (self._shows @ kept == 0))
                if len(free):
                    self._move(int(free[0]), own)
                    self._move(item, places[0])
                    return True
        return False

    def _best(self, item: int, place: int) -> tuple[float, float, int, int, int] | None:
        """Return the best exchange that brings an item to a part: its costs, the item, the other item, the part."""
        own = int(self.parts[item])
        shown = self._shows[[item]].toarray()[0] > 0  # (C,)
        leaving, coming = self._only(own, place) & shown, self._only(place, own) & ~shown
        is_free = (self._shows @ coming.astype(np.int64) == 0) & (
            self._shows @ leaving.astype(np.int64) == leaving.sum()
        )
        others = np.flatnonzero((self.parts == place) & is_free)
        vector = self._items[[item]].toarray()[0]  # (C,)
        pull = self._excess[own] - self._excess[place]
        changes = self._bulks[others] + self._items[others] @ (pull - 2 * vector)
        difference = self._sizes[item] - self._sizes[others]
        if not leaving.any() and (self._coverage.may_empty or (self.parts == own).sum() > 1):
            others, changes = np.append(others, _NOTHING), np.append(changes, 0.0)
            difference = np.append(difference, self._sizes[item])
        if not len(others):
            return None
        strain = np.abs(self._room[own] + difference) + np.abs(self._room[place] - difference)
        best = int(np.lexsort((changes, strain))[0])
        strained = float(strain[best] - abs(self._room[own]) - abs(self._room[place]))
        return strained, float(changes[best] + self._bulks[item] - vector @ pull), item, int(others[best]), place

    def _only(self, place: int, target: int) -> NDArray[np.bool_]:
        """Return the classes, (C,), that a head would lose if their only item of a part went to another part."""
        loses = self._coverage.learns[place] & ~self._coverage.learns[target]
        return np.asarray(((self._trained == 1) & loses).any(axis=1) & self._coverage.classes)

    def _move(self, item: int, place: int) -> None:
        own = self.parts[item]
        vector, shown = self._items[[item]].toarray()[0], self._shows[[item]].toarray()[0]
        self._excess[own] -= vector
        self._excess[place] += vector
        self._room[own] += self._sizes[item]
        self._room[place] -= self._sizes[item]
        learns = self._coverage.learns.astype(np.int64)
        self._trained += np.outer(shown, learns[place] - learns[own])
        self.parts[item] = place

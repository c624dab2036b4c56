"""Assign items to parts so that each part looks like the whole.

An item is a unit that stays together: a video, or a group of videos. Everything is counts: an item has a size (its
videos) and, for each class, the number of its videos that have it.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from classify.data.coverage import Coverage, cover_classes

_TRIES = 64
_CANDIDATES = 64  # the most promising items of each part, among which an exchange is sought
_EXCHANGE_WORK = 40_000_000  # limits exchanges x items: about ten seconds
_TRIED_ITEMS = 20_000  # limits tries x items: one try of 20,000 videos takes about 1 s


def share_out(
    counts: NDArray[np.integer],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    wanted: NDArray[np.float64] | None = None,
    coverage: Coverage | None = None,
) -> NDArray[np.int64]:
    """Assign each item to a part: first for classes that must be learned, then for the parts' sizes, then for shares.

    Items of size 1 fill the parts exactly, unless more are needed to learn from. Larger ones fill them as well as the
    best of up to 64 seeded orders does.

    Args:
        counts: (I, C) number of videos of each class in each item, of a signed integer type; a short one saves memory.
        sizes: (I,) number of videos in each item.
        part_sizes: (P,) number of videos wanted in each part; their sum is that of `sizes`.
        rng: chooses between equally good parts.
        wanted: (C, P) number of videos of each class wanted in each part; None wants the same shares of every class.
        coverage: the classes that must be learned; None for none.

    Returns:
        (I,) part of each item.

    Source: iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, On the Stratification of Multi-Label Data,
    algorithm 1), with items instead of examples, and with the sizes of the parts as hard limits if the items permit it.
    These limits worsen the shares of the classes that come last; exchanges of items of equal size between parts repair
    that.
    """
    if wanted is None:
        wanted = counts.sum(axis=0)[:, None] * (part_sizes / part_sizes.sum())
    tries = 1 if (sizes == 1).all() else max(1, min(_TRIES, _TRIED_ITEMS // max(1, len(sizes))))
    best: tuple[tuple[float, float, float], NDArray[np.int64]] | None = None
    for attempt in range(tries):
        order = rng.permutation(len(sizes))
        if attempt == 0:  # the order from large to small fits best most of the time
            order = order[np.argsort(-sizes[order], kind="stable")]
        parts = _exchange(counts, sizes, wanted, _stratify(counts, sizes, part_sizes, wanted, order, rng))
        gaps = 0
        if coverage is not None and coverage.gaps(counts, parts):
            parts = cover_classes(counts, sizes, part_sizes, wanted, parts, coverage)
            gaps = coverage.gaps(counts, parts)
        cost = (gaps, *_cost(counts, sizes, part_sizes, wanted, parts))
        if best is None or cost < best[0]:
            best = cost, parts
    assert best is not None
    return best[1]


def _stratify(
    counts: NDArray[np.integer],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    wanted: NDArray[np.float64],
    order: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Assign the items of the rarest class to the parts that lack it most, class by class, until no item is left."""
    room, wanted = part_sizes.astype(np.float64), wanted.copy()
    left = counts.sum(axis=0)
    parts, items_left = np.full(len(sizes), -1), len(sizes)
    while (left > 0).any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for item in order[(parts[order] < 0) & (counts[order, rarest] > 0)]:
            fits = _fitting(room, part_sizes, sizes[item], items_left)
            part = _neediest(wanted[rarest], room, fits, rng)
            parts[item] = part
            items_left -= 1
            room[part] -= sizes[item]
            wanted[:, part] -= counts[item]
            left = left - counts[item]
    assert items_left == 0, "an item shows no class, or its counts are below 0"
    return parts


def _fitting(room: NDArray[np.float64], part_sizes: NDArray[np.int64], size: int, items_left: int) -> NDArray[np.bool_]:
    """Return which parts can take an item, bool (P,): those with room, but none at the cost of an empty part."""
    empty = (room == part_sizes) & (part_sizes > 0)
    if items_left <= empty.sum():
        return np.asarray(empty)
    fits = room >= size
    return np.asarray(fits if fits.any() else room == room.max())


def _neediest(
    wanted: NDArray[np.float64],
    room: NDArray[np.float64],
    fits: NDArray[np.bool_],
    rng: np.random.Generator,
) -> int:
    """Return the fitting part that lacks the class most; of equal ones the emptiest, of equal ones a random one."""
    # Rounded, so that shares such as 0.1 + 0.2 and 0.3 tie.
    keys = (rng.permutation(len(room)), room.round(6), wanted.round(6), fits)
    return int(np.lexsort(keys)[-1])


def _exchange(
    counts: NDArray[np.integer],
    sizes: NDArray[np.int64],
    wanted: NDArray[np.float64],
    parts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Exchange pairs of items of equal size, the best pair first, while that brings classes nearer to their shares.

    The cost of a class is the square of its distance divided by its videos, so that rare classes weigh as much as
    frequent ones.
    """
    scale = 1 / np.sqrt(np.maximum(counts.sum(axis=0), 1))
    items = csr_array(counts).astype(np.float64)  # sparse: an item has few of thousands of classes
    items.data *= scale[items.indices]
    part_count = wanted.shape[1]
    shares = np.stack([items[parts == part].sum(axis=0) for part in range(part_count)])  # (P, C)
    excess = shares - wanted.T * scale
    bulks = items.power(2).sum(axis=1)
    pairs = list(combinations(range(part_count), 2))
    parts = parts.copy()
    for _ in range(_EXCHANGE_WORK // len(parts)):
        pulls = items @ excess.T  # (I, P): what an item adds to the excess of each part
        change, one, other = min(_best_exchange(items, bulks, sizes, parts, pulls, pair) for pair in pairs)
        if change > -1e-9:
            break
        moved = (counts[other] - counts[one]) * scale
        excess[parts[one]] += moved
        excess[parts[other]] -= moved
        parts[one], parts[other] = parts[other], parts[one]
    return parts


def _best_exchange(
    items: csr_array,
    bulks: NDArray[np.float64],
    sizes: NDArray[np.int64],
    parts: NDArray[np.int64],
    pulls: NDArray[np.float64],
    pair: tuple[int, int],
) -> tuple[float, int, int]:
    """Return the change of cost by the best exchange between two parts (below 0 is better), and its two items."""
    pull = pulls[:, pair[0]] - pulls[:, pair[1]]
    ones, others = (
        _lowest(np.flatnonzero(parts == part), bulks + sign * pull) for part, sign in zip(pair, (-1, 1), strict=True)
    )
    if not len(ones) or not len(others):
        return 0.0, 0, 0
    change = (bulks - pull)[ones][:, None] + (bulks + pull)[others] - 2 * (items[ones] @ items[others].T).toarray()
    change[sizes[ones][:, None] != sizes[others]] = 0
    one, other = np.unravel_index(change.argmin(), change.shape)
    return float(change[one, other]), int(ones[one]), int(others[other])


def _lowest(candidates: NDArray[np.int64], keys: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the candidates with the lowest keys, lowest first."""
    return candidates[np.argsort(keys[candidates], kind="stable")[:_CANDIDATES]]


def _cost(
    counts: NDArray[np.integer],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    wanted: NDArray[np.float64],
    parts: NDArray[np.int64],
) -> tuple[float, float]:
    """Return how far an assignment is from the wanted sizes, and from the shares of the classes."""
    part_count = len(part_sizes)
    found = np.bincount(parts, weights=sizes, minlength=part_count)
    shares = np.stack([counts[parts == part].sum(axis=0) for part in range(part_count)])  # (P, C)
    return float(np.abs(found - part_sizes).sum()), float(((shares - wanted.T) ** 2).sum())

"""Share items out over parts so that each part looks like the whole.

An item is what must not be torn apart: a video, or a group of them. Everything is counts: an item has a size (its
videos) and, for each class, how many of them show it.
"""

import numpy as np
from numpy.typing import NDArray

_TRIES = 64
_TRIED_ITEMS = 20_000  # bounds tries x items, so that a big set takes seconds: one try of 20,000 videos is about 1 s


def share_out(
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Assign each item to a part, keeping to the parts' sizes first and to the classes' shares next.

    Items of size 1 fill the parts exactly. Larger ones fill them as well as the best of up to 64 seeded orders does.

    Args:
        counts: (I, C) videos of each class in each item.
        sizes: (I,) videos in each item.
        part_sizes: (P,) videos wanted in each part; they sum to those of the items.
        rng: chooses between equals.

    Returns:
        (I,) part of each item.

    Source: iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, On the Stratification of Multi-Label Data,
    algorithm 1), with items in place of examples and the parts' sizes as hard limits where the items permit.
    """
    tries = 1 if (sizes == 1).all() else max(1, min(_TRIES, _TRIED_ITEMS // max(1, len(sizes))))
    best: tuple[tuple[float, float], NDArray[np.int64]] | None = None
    for attempt in range(tries):
        order = rng.permutation(len(sizes))
        if attempt == 0:  # large items first fit best most of the time
            order = order[np.argsort(-sizes[order], kind="stable")]
        parts = _stratify(counts, sizes, part_sizes, order, rng)
        cost = _cost(counts, sizes, part_sizes, parts)
        if best is None or cost < best[0]:
            best = cost, parts
    assert best is not None
    return best[1]


def _stratify(
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    order: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Give the rarest class's items to the parts that want it most, until no item is left."""
    room = part_sizes.astype(np.float64)
    wanted = counts.sum(axis=0)[:, None] * (part_sizes / part_sizes.sum())  # (C, P) videos
    left = counts.sum(axis=0)
    parts = np.full(len(sizes), -1)
    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for item in order[(parts[order] < 0) & (counts[order, rarest] > 0)]:
            fits = _fitting(room, part_sizes, sizes[item], int((parts < 0).sum()))
            part = _neediest(wanted[rarest], room, fits, rng)
            parts[item] = part
            room[part] -= sizes[item]
            wanted[:, part] -= counts[item]
            left = left - counts[item]
    return parts


def _fitting(room: NDArray[np.float64], part_sizes: NDArray[np.int64], size: int, items_left: int) -> NDArray[np.bool_]:
    """Say which parts may take an item: those with room, but no part stays empty for it."""
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
    """Choose among the fitting parts the one that wants the class most, then the emptiest, then any."""
    # Rounded: shares such as 0.1 + 0.2 must tie when they are equal on paper.
    keys = (rng.permutation(len(room)), room.round(6), wanted.round(6), fits)
    return int(np.lexsort(keys)[-1])


def _cost(
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    part_sizes: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> tuple[float, float]:
    """Return how far a sharing-out is from the wanted sizes, and from the classes' shares."""
    part_count = len(part_sizes)
    found = np.bincount(parts, weights=sizes, minlength=part_count)
    shares = np.stack([counts[parts == part].sum(axis=0) for part in range(part_count)])  # (P, C)
    wanted = part_sizes[:, None] / part_sizes.sum() * counts.sum(axis=0)
    return float(np.abs(found - part_sizes).sum()), float(((shares - wanted) ** 2).sum())

"""Share labelled videos out among parts, stratified by label, with groups kept whole."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classify.data.coverage import Coverage
from classify.data.labels import LabelTable
from classify.data.stratification import share_out
from classify.errors import SplitError
from embed.machine import counted


def share_videos(
    table: LabelTable,
    part_sizes: NDArray[np.int64],
    seed: int,
    *,
    wanted: NDArray[np.float64] | None = None,
    coverage: Coverage | None = None,
) -> NDArray[np.int64]:
    """Return the part of each of N videos, int64 (N,).

    Args:
        table: the labelled videos, in their groups.
        part_sizes: (P,) number of videos wanted in each part; their sum is N.
        seed: chooses between equally good parts.
        wanted: (C + 1, P) number of videos wanted of each class, and of videos without a label; None wants the same
            shares of every class.
        coverage: the classes, (C,), that must be learned, whatever that makes of the sizes; None for none.
    """
    item_of = _items(table)
    sizes = np.bincount(item_of)
    shown = shown_targets(table)
    kind = np.min_scalar_type(-int(sizes.max()) - 1)  # int8 mostly; -128 fits it, but 128 does not
    counts = np.zeros((len(sizes), shown.shape[1]), dtype=kind)
    np.add.at(counts, item_of, shown)
    if coverage is not None:
        coverage = replace(coverage, classes=np.append(coverage.classes, False))
    return share_out(counts, sizes, part_sizes, np.random.default_rng(seed), wanted=wanted, coverage=coverage)[item_of]


def learn_first(table: LabelTable, part_count: int) -> Coverage:
    """Return that every class must be in the first part, which trains, before it is in another."""
    return Coverage(np.arange(part_count)[:, None] == 0, np.asarray(table.targets.any(axis=0)))


def learn_in_turn(table: LabelTable, folds: int) -> Coverage:
    """Return that every class must be outside each fold, where the head trains that the fold tests.

    A class of one video, or one group, is left out: where it is tested, no head can know it.
    """
    videos, labels = np.nonzero(table.targets)
    pairs = np.unique(_items(table)[videos] * len(table.names) + labels)  # each class of each item, once
    item_counts = np.bincount(pairs % len(table.names), minlength=len(table.names))
    return Coverage(~np.eye(folds, dtype=np.bool_), item_counts > 1)


def _items(table: LabelTable) -> NDArray[np.int64]:
    """Return the item, a video or its group, that each video belongs to, int64 (N,)."""
    return np.unique(np.array(table.groups or table.ids), return_inverse=True)[1].astype(np.int64)


def shown_targets(table: LabelTable) -> NDArray[np.bool_]:
    """Return what parts are stratified by, (N, C + 1): the labels, and whether a video has none."""
    return np.column_stack([table.targets, ~table.targets.any(axis=1)])


def refuse_too_few(table: LabelTable, part_count: int) -> None:
    """Raise SplitError if there are fewer videos, or groups of them, than parts."""
    what = "video" if table.groups is None else "group"
    found = len(set(table.groups or table.ids))
    if found < part_count:
        raise SplitError(
            f"{counted(found, f'labelled {what}')} cannot fill {part_count} parts. Add {what}s, or use fewer parts."
        )

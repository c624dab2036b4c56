"""Share labelled videos out among parts, stratified by label, with groups kept whole."""

import numpy as np
from numpy.typing import NDArray

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
    unlearned: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Return the part of each of N videos, int64 (N,).

    Args:
        table: the labelled videos, in their groups.
        part_sizes: (P,) number of videos wanted in each part; their sum is N.
        seed: chooses between equally good parts.
        wanted: (C + 1, P) number of videos wanted of each class, and of videos without a label; None wants the same
            shares of every class.
        unlearned: (C,) bool, classes that train, the first part, has no video of yet. A video (or group) that is the
            only one of such a class goes there as far as there is room, since it can test nothing that was learned;
            None if no part is train.
    """
    item_of = _items(table)
    sizes = np.bincount(item_of)
    shown = shown_targets(table)
    kind = np.min_scalar_type(-int(sizes.max()) - 1)  # int8 mostly; -128 fits it, but 128 does not
    counts = np.zeros((len(sizes), shown.shape[1]), dtype=kind)
    np.add.at(counts, item_of, shown)
    held = None if unlearned is None else np.bincount(item_of, weights=only_videos(table, unlearned)) > 0
    return share_out(counts, sizes, part_sizes, np.random.default_rng(seed), wanted=wanted, held=held)[item_of]


def only_videos(table: LabelTable, classes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which videos, (N,) bool, are the only one of a class in `classes`, (C,) bool, or in its only group."""
    videos, labels = np.nonzero(table.targets)
    item_of = _items(table)
    pairs = np.unique(np.stack([item_of[videos], labels]), axis=1)  # each class of each item, once
    is_only = (np.bincount(pairs[1], minlength=len(classes)) == 1) & classes
    return np.isin(item_of, pairs[0][is_only[pairs[1]]])


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

"""Keep near duplicates together: videos that are the same footage share a group of a label table."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from classify.data.labels import LabelTable
from embed.machine import counted
from embed.search import NearDuplicates


def group_near_duplicates(table: LabelTable, found: NearDuplicates) -> LabelTable:
    """Return a table whose groups are joined if they have near duplicates of each other, with a note on it.

    Args:
        table: its groups are joined or, if it has none, its videos.
        found: near duplicates among its videos.

    Returns:
        The same labels, with groups. A joined group has the name of its first member.
    """
    groups, joined_count = join_groups(table, [(one, other) for one, other, _ in found.pairs])
    return replace(table, groups=groups, notes=(*table.notes, _describe(found, joined_count)))


def join_groups(table: LabelTable, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, ...], int]:
    """Join the groups of a table or, if it has none, its videos.

    Args:
        table: the videos.
        pairs: ids of two videos whose groups become one.

    Returns:
        (N,) the group of each video, which has the name of its first member, and how many groups joined another.
    """
    names, group_of = np.unique(np.array(table.groups or table.ids), return_inverse=True)
    place = {video_id: index for index, video_id in enumerate(table.ids)}
    ends = np.array([(group_of[place[one]], group_of[place[other]]) for one, other in pairs]).reshape(-1, 2)
    links = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    _, joined = connected_components(links, directed=False)
    first = np.unique(joined, return_index=True)[1]
    return tuple(names[first[joined[group_of]]].tolist()), len(names) - len(first)


def _describe(found: NearDuplicates, joined_count: int) -> str:
    what = f"{counted(len(found.pairs), 'pair')} of near duplicates"
    if found.pairs:
        one, other, similarity = min(found.pairs, key=lambda pair: pair[2])
        what += (
            f" (least similar: {one} and {other}, {similarity:.3f}) joined {counted(joined_count, 'group')} to others"
        )
    if found.nearest is not None:
        what += f"; most similar pair left apart: {found.nearest[0]} and {found.nearest[1]}, {found.nearest[2]:.3f}"
    return f"{what}."

"""What `--prune` drops from a store, of the videos that the sources name no more.

A disk that is not mounted, and a list that was cut short, look like videos that somebody removed. So a video is kept
if its folder is there but holds no video any more, and the run ends if most of what a source had put into the store
would go.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from embed.errors import SourceError
from embed.machine import counted, shown
from embed.sources import Roots, holds_video, is_remote

_MOST_SHARE = 0.5  # of what one source had put into the store
_SHOWN = 3


class Place(NamedTuple):
    """Where a video of a store was: its path or address, and the list that had named it, or ""."""

    location: str
    listed_in: str


@dataclass(frozen=True)
class Loss:
    """What a source named and names no more.

    Args:
        source: a folder, a list, or an address that was searched like a folder.
        gone: ids of embedded videos.
        total: the number of embedded videos that the store has from this source.
    """

    source: str
    gone: tuple[str, ...]
    total: int


def emptied_folders(gone: Mapping[str, Place], roots: Roots) -> dict[str, tuple[str, ...]]:
    """Return folder or link -> ids, of the gone videos that lay in one that is there but leads to no video now."""
    emptied = defaultdict[str, list[str]](list)
    holds = cache(holds_video)
    for video_id, place in gone.items():
        if place.listed_in in roots.lists or is_remote(place.location):
            continue
        if folder := roots.emptied_folder(place.location, holds):
            emptied[folder].append(video_id)
    return {folder: tuple(ids) for folder, ids in emptied.items()}


def losses_of(embedded: Mapping[str, Place], dropped: Collection[str], roots: Roots) -> list[Loss]:
    """Return what would go of each source, largest first.

    Args:
        embedded: the videos of a store.
        dropped: ids that would be dropped.
        roots: the places of the sources.
    """
    totals, gone = Counter[str](), defaultdict[str, list[str]](list)
    for video_id, place in embedded.items():
        source = roots.source_of(*place)
        if source is not None:
            totals[source] += 1
            gone[source] += [video_id] * (video_id in dropped)
    losses = [Loss(source, tuple(ids), totals[source]) for source, ids in gone.items() if ids]
    return sorted(losses, key=lambda loss: -len(loss.gone))


def refuse_most(store: str | Path, losses: Collection[Loss]) -> None:
    """Raise SourceError if more than half of a source's videos would be dropped."""
    for loss in losses:
        if len(loss.gone) > _MOST_SHARE * loss.total:
            examples = ", ".join(map(shown, loss.gone[:_SHOWN]))
            raise SourceError(
                f"--prune would drop {len(loss.gone):,} of the {counted(loss.total, 'video')} that {store} has from "
                f"{loss.source}, e.g. {examples}. That is more than half, as where a list was cut short or a disk is "
                "not mounted. Nothing was changed. If these videos are to go, use --prune-anyway in place of --prune."
            )

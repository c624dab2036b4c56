"""The space on disk that activations will take, told before any is spent.

A vector takes a kilobyte, and what enters a block of a video model takes hundreds of them.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embed.errors import StoreError
from embed.machine import counted, real_path, size_text
from embed.sources import Video
from embed.store import EmbeddingStore, Provenance, is_sharded, is_store
from embed.video import Sampling

_NUMBER_BYTES = 2  # float16


@dataclass(frozen=True)
class Space:
    """What a run will add to a store.

    Args:
        provenance: what makes its rows.
        video_count: videos to embed.
        most_rows: rows of one video at most; None if only the videos tell.
    """

    provenance: Provenance
    video_count: int
    most_rows: int | None

    @property
    def row_bytes(self) -> int:
        """The bytes of one row."""
        return self.provenance.encoder.dimension * _NUMBER_BYTES

    @property
    def most_bytes(self) -> int | None:
        """The bytes of all rows at most; None if only the videos tell."""
        return None if self.most_rows is None else self.video_count * self.most_rows * self.row_bytes

    def __str__(self) -> str:
        encoder = self.provenance.encoder
        shape = " x ".join(f"{length:,}" for length in encoder.shape)
        thing = "frame" if encoder.window == 1 else "clip"
        each = (
            f"What enters {encoder.stop_before} of {encoder.model} takes {size_text(self.row_bytes)} a {thing}: "
            f"{shape} numbers of float16."
        )
        if self.most_bytes is None or self.most_rows is None:
            return f"{each} How many {thing}s the videos have, decoding will tell."
        rows = counted(self.video_count * self.most_rows, thing)
        return (
            f"{each} {counted(self.video_count, 'video')} with at most {rows} take up to {size_text(self.most_bytes)}."
        )


def note_space(provenance: Provenance, sampling: Sampling, store: str | Path, videos: Sequence[Video]) -> str:
    """Return how much space the activations of the videos that a store lacks will take; "" for vectors.

    Raises:
        StoreError: the disk has less room than they may take.
    """
    if not provenance.encoder.stop_before:
        return ""
    missing = len(videos)
    if is_store(store):
        with EmbeddingStore(store) as known:
            missing = sum(video.id not in known for video in videos)
    if not missing:
        return ""
    count = getattr(sampling, "clip_count", None) or getattr(sampling, "frame_count", None)
    space = Space(provenance, missing, count * len(provenance.views) if isinstance(count, int) else None)
    _refuse_full_disk(space, store)
    return str(space)


def _refuse_full_disk(space: Space, store: str | Path) -> None:
    """Raise StoreError if the disk of a store has less room than a run may take.

    At the end of a run, a store in one file is written anew beside its parts, which takes as much again.
    """
    path = real_path(store)
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    copies = 1 if is_sharded(path) else 2
    if (space.most_bytes or 0) * copies <= free:
        return
    twice = (
        f" A store in one file takes twice that while it is written: -o {path.stem}, without .h5, makes a folder of "
        "shards, which does not."
    )
    raise StoreError(
        f"{space} The disk of {store} has {size_text(free)} left.{twice if copies > 1 else ''} Embed fewer clips of "
        "each video, stop before a later block, or name a store on a larger disk with -o."
    )

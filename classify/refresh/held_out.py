"""The held-out videos of a folder of versions: drawn once, never trained on, and every look at them counted.

    heads/held_out.json    ids, groups and content hashes of the videos, and how often heads were compared on them
    heads/split.csv        the parts of the last training
    heads/labels.csv       the labels of the last training, corrections included

A video that comes later joins training or validation, by a hash of its group or id, so it never moves between them. One
that belongs to a held-out group, or is a copy of a held-out video, is set aside: it would give the answers away.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import final

from classify.data import LabelTable, SplitConfig, content_hashes, split_table
from classify.errors import SplitError
from classify.files import csv_text, write_whole
from embed.store import EmbeddingStore

HELD_OUT, SPLIT, LABELS = "held_out.json", "split.csv", "labels.csv"
_STEPS = 1 << 32


@final
@dataclass(frozen=True)
class HeldOut:
    """Videos that only compare heads.

    Args:
        videos: id -> its group ("" without groups) and its content hash ("" where unknown).
        looks: how often heads were compared on them.
    """

    videos: Mapping[str, tuple[str, str]]
    looks: int = 0

    @classmethod
    def read(cls, folder: Path) -> "HeldOut | None":
        """Return the held-out videos of a folder of versions; None if none were drawn yet.

        Raises:
            SplitError: the file is damaged.
        """
        path = folder / HELD_OUT
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            videos = {str(one["id"]): (str(one["group"]), str(one["content_hash"])) for one in found["videos"]}
            return cls(videos, int(found["looks"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SplitError(
                f"{path} cannot be read: {error!r}. Bring it back from a copy: without it, videos that were held out "
                "would be trained on."
            ) from error

    def write(self, folder: Path) -> None:
        """Write the file whole."""
        rows = [{"id": name, "group": group, "content_hash": known} for name, (group, known) in self.videos.items()]
        write_whole(folder / HELD_OUT, json.dumps({"looks": self.looks, "videos": rows}, indent=2) + "\n")

    def seen_again(self) -> "HeldOut":
        """Return the same with one look more."""
        return replace(self, looks=self.looks + 1)

    @classmethod
    def draw(cls, table: LabelTable, store: EmbeddingStore, config: SplitConfig) -> "HeldOut":
        """Hold out a share of the labelled videos, evenly over labels, groups whole.

        Raises:
            SplitError: there are too few videos.
        """
        split = split_table(table, config)
        hashes = content_hashes(store, table.ids)
        groups = table.groups or ("",) * len(table.ids)
        rows = split.indices("test").tolist()
        return cls({table.ids[row]: (groups[row], hashes[row]) for row in rows})


def assign_parts(
    table: LabelTable, hashes: Sequence[str], held_out: HeldOut, validation_size: float
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return id -> part of the labelled videos, and the ids that are set aside.

    Args:
        table: labels and groups of the videos.
        hashes: (N,) content hashes.
        held_out: never in training or validation.
        validation_size: share of the others.
    """
    groups = table.groups or ("",) * len(table.ids)
    taken_groups = {group for group, _ in held_out.videos.values() if group}
    taken_hashes = {known for _, known in held_out.videos.values() if known}
    parts, aside = dict[str, str](), []
    for name, group, known in zip(table.ids, groups, hashes, strict=True):
        if name in held_out.videos:
            parts[name] = "test"
        elif (group and group in taken_groups) or (known and known in taken_hashes):
            aside.append(name)
        else:
            digest = sha256((group or known or name).encode("utf-8", "surrogateescape")).digest()
            place = int.from_bytes(digest[:4], "big") / _STEPS
            parts[name] = "validation" if place < validation_size else "train"
    return parts, tuple(aside)


def write_material(folder: Path, table: LabelTable, parts: Mapping[str, str]) -> None:
    """Write the split and the labels of a training beside the versions."""
    groups = table.groups or ("",) * len(table.ids)
    rows = [(name, parts[name], group) for name, group in zip(table.ids, groups, strict=True) if name in parts]
    columns = 3 if table.groups else 2
    write_whole(folder / SPLIT, csv_text([("id", "part", "group")[:columns], *(row[:columns] for row in rows)]))
    labels = [(name, table.labels_of(row)) for row, name in enumerate(table.ids) if name in parts]
    write_whole(folder / LABELS, csv_text([("id", "labels"), *labels]))

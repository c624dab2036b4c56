"""What `framehead learn` checks before it embeds anything: videos, labels, their split, and the folder for its output.

The labels are read and split as `split-videos` does it later, from the files instead of a store.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from classify.errors import ClassifyError, LabelError, SplitError
from embed.machine import address_refused, counted, real_path

if TYPE_CHECKING:
    from classify.data import LabelConfig, LabelTable, Split, SplitConfig
    from embed import Failure, Video

_MARK = "learned.json"


@dataclass(frozen=True)
class FolderVideos:
    """The videos in a folder, as a listing that labels can be read for.

    Args:
        path: the folder.
        videos: id -> video.
        failures: none, since nothing has been embedded.
    """

    path: Path
    videos: Mapping[str, "Video"]
    failures: "tuple[Failure, ...]" = ()

    @property
    def ids(self) -> list[str]:
        """Ids of the videos, in their order."""
        return list(self.videos)

    def __contains__(self, video_id: object) -> bool:
        """Return True if a video has this id."""
        return video_id in self.videos

    def video(self, video_id: str) -> "Video":
        """Return the video of this id."""
        return self.videos[video_id]


@dataclass(frozen=True)
class LearningPlan:
    """What will be learned from.

    Args:
        videos: all videos in the folder.
        table: the labels of those that have some.
        labels: where they are from.
        split: how they will be split.
    """

    videos: FolderVideos
    table: "LabelTable"
    labels: "LabelConfig"
    split: "SplitConfig"

    def labels_without(self, embedded: Collection[str]) -> list[str]:
        """Return the labels of which no video is among those embedded."""
        is_embedded = [video_id in embedded for video_id in self.table.ids]
        counts = self.table.targets[is_embedded].sum(axis=0)
        return [self.table.names[place] for place in np.flatnonzero(counts == 0)]

    def __str__(self) -> str:
        """Return a sentence with the number of videos of each label, the most frequent first."""
        from classify.data import list_first

        counts = zip(self.table.targets.sum(axis=0).tolist(), self.table.names, strict=True)
        falling = [f"{name} {count}" for count, name in sorted(counts, key=lambda entry: (-entry[0], entry[1]))]
        videos, labels = counted(len(self.table.ids), "labelled video"), counted(len(falling), "label")
        return f"{self.videos.path}: {videos}, {labels}: {list_first(falling)}"


def plan_learning(folder: Path, labels: "LabelConfig", split: "SplitConfig", *, is_sized: bool) -> LearningPlan:
    """Return what will be learned from a folder, if a head can be trained on it and tested.

    Args:
        folder: the videos.
        labels: which labels to take.
        split: how the videos will be split.
        is_sized: True if the sizes were asked for; else folders train/ and val/ or test/ come before them.

    Raises:
        EmbedError: there are no videos, or they cannot be listed.
        LabelError: there are fewer than two labels, or they cannot be read.
        SplitError: there are too few videos to train and to test.
    """
    from classify.data import has_part_folders, make_split
    from embed import find_videos

    videos = FolderVideos(folder, {video.id: video for video in find_videos([folder])})
    table = _read_labels(videos, labels, split.group_by)
    config = replace(split, by_folder=not is_sized and has_part_folders(table.ids))
    parts, _ = make_split(table, config)
    _refuse_untestable(parts, table)
    return LearningPlan(videos, table, labels, config)


def _read_labels(videos: FolderVideos, labels: "LabelConfig", group_by: str | None) -> "LabelTable":
    """Read labels, two or more, each of two videos or more."""
    from classify.data import read_labels

    folder = videos.path
    if labels.path is None and not any("/" in video_id for video_id in videos.ids):
        raise LabelError(
            f"{folder} has videos, such as {videos.ids[0]!r}, but no class folders. Move the videos of each class into "
            f"a folder of their own, such as {folder / 'cooking' / videos.ids[0]}, or name a label file with --labels. "
            f"If {folder} is one of the classes, name the folder that it lies in."
        )
    table = read_labels(videos, labels, group_by=group_by)
    counts = table.targets.sum(axis=0).tolist()
    said = ", ".join(f"{name} {count}" for name, count in zip(table.names, counts, strict=True))
    if len(table.names) < 2:
        where = "in a second class folder" if labels.path is None else f"with a second label to {labels.path}"
        raise LabelError(
            f"All labelled videos of {folder} have one label: {said}. A head learns to tell two or more apart. Add "
            f"videos {where}.{''.join(f' {note}' for note in table.notes)}"
        )
    if sum(count > 1 for count in counts) < 2:
        raise SplitError(
            f"{folder} has too few videos: {said}. At least two labels need two videos each, one to train on and one "
            "to test. Add videos."
        )
    return table


def _refuse_untestable(split: "Split", table: "LabelTable") -> None:
    """Raise SplitError if --arch auto cannot compare heads: without any one video or group, one label is left."""
    rows = split.indices("train")
    units = np.array(table.groups or table.ids)[rows]
    shown = table.targets[rows]
    if not any(shown[units != unit].any(axis=0).sum() > 1 for unit in dict.fromkeys(units.tolist())):
        what = "video" if table.groups is None else "group"
        raise SplitError(
            f"{counted(len(set(units.tolist())), what)} to train on are too few to choose a head: if one of them is "
            f"held out, the others have fewer than two labels. Add {what}s, or ask for a smaller --test-size."
        )


def default_output(folder: Path) -> Path:
    """Return the folder beside the videos' folder that takes what is made of them.

    >>> str(default_output(Path("data/videos/")))
    'data/videos-learned'
    """
    whole = folder if folder.name not in ("", "..") else real_path(folder)
    return whole.parent / f"{whole.name}-learned"


def refuse_output(output: Path, folder: Path) -> None:
    """Raise ClassifyError if files of others, or of another folder's run, could be lost or mixed with new ones."""
    from classify.files import is_unfinished

    if refusal := address_refused(output, "what is learned"):
        raise ClassifyError(refusal)
    if real_path(output).is_relative_to(real_path(folder)):
        raise ClassifyError(f"The output folder {output} is in {folder}, among the videos. Name one outside with -o.")
    found = sorted(path.name for path in output.iterdir()) if output.is_dir() else []
    if all(map(is_unfinished, found)):
        return
    if _MARK not in found:
        raise ClassifyError(
            f"{output} holds {found[0]!r}, and framehead learn did not make this folder. Name another one with -o."
        )
    try:
        known = json.loads((output / _MARK).read_text(encoding="utf-8"))["folder"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClassifyError(f"{output / _MARK} cannot be read: {error}. Name another folder with -o.") from error
    if real_path(output / known) != real_path(folder):
        raise ClassifyError(
            f"{output} holds what was learned from {output / known}, not from {folder}. Name another folder with -o."
        )


def claim_output(output: Path, folder: Path) -> None:
    """Make the output folder, and write into it which folder is learned from.

    Raises:
        ClassifyError: it cannot be written.
    """
    from classify.files import write_whole

    videos = os.path.relpath(real_path(folder), real_path(output))  # relative, so that both can move together
    write_whole(output / _MARK, json.dumps({"folder": videos}, indent=2) + "\n")

"""Folders that say which videos train, validate and test: train/, val/, test/ and their usual other names."""

from collections.abc import Sequence
from pathlib import PurePosixPath

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def has_part_folders(ids: Sequence[str]) -> bool:
    """Return True if the folders in all ids say which videos train and which do not.

    >>> has_part_folders(["train/hug/a.mp4", "val/hug/b.mp4"]), has_part_folders(["train/hug/a.mp4", "hug/b.mp4"])
    (True, False)
    """
    found = {folder_part(video_id) for video_id in ids}
    return None not in found and "train" in found and len(found) > 1


def folder_part(video_id: str) -> str | None:
    """Return the part that the outermost folder with such a name stands for; a class may have such a name too.

    >>> folder_part("val/Cooking/a.mp4"), folder_part("train/test/b.mp4"), folder_part("Cooking/a.mp4")
    ('validation', 'train', None)
    """
    return next((_PARTS[name] for folder in folders_in(video_id) if (name := folder.lower()) in _PARTS), None)


def below_part_folder(video_id: str) -> tuple[str, ...]:
    """Return the folders of an id that lie below the one that names its part.

    >>> below_part_folder("train/Cooking/a.mp4"), below_part_folder("train/test/b.mp4"), below_part_folder("val/c.mp4")
    (('Cooking',), ('test',), ())
    """
    folders = folders_in(video_id)
    place = next((place for place, folder in enumerate(folders) if folder.lower() in _PARTS), -1)
    return folders[place + 1 :]


def folders_in(video_id: str) -> tuple[str, ...]:
    """Return the folders of an id, the outermost first."""
    return PurePosixPath(video_id).parts[:-1]

"""The labels that a split was made with, kept in the split file, so that no later command needs to be told again.

The column labels_from of a split file holds, in each row, the label file's path relative to the split file, the first
16 digits of its sha256, and the settings that are not the defaults: `../labels.csv?sha256=0f3a...&min_count=2`.
"""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from classify.data.label_sources import VideoListing
from classify.data.labels import LabelConfig, Labels, LabelTable, label_config, read_labels
from classify.data.split_files import Split, fit_split, load_split
from classify.errors import LabelError

_HASH = "?sha256="
_DIGITS = 16
_PATHS = ("path", "vocabulary")


def describe_labels(labels: Labels, split: Path) -> str:
    """Return what the column labels_from of a split file says: nothing for folders' names without further settings.

    Args:
        labels: the labels that the split is made with.
        split: the split file. Paths are kept relative to its folder, so that both can move together.
    """
    config = label_config(labels)
    chosen = {name: value for name, value in _settings(config).items() if name != "path"}
    if config.vocabulary is not None:
        chosen["vocabulary"] = _relative(config.vocabulary, split)
    if config.path is None:
        return f"?{_query(chosen)}" if chosen else ""
    kept = _relative(config.path, split) + _HASH + _hash(Path(config.path))
    return f"{kept}&{_query(chosen)}" if chosen else kept


def labels_of_split(path: str | Path, split: Split, labels: Labels = None) -> tuple[LabelConfig, tuple[str, ...]]:
    """Return the labels that a split was made with, where none are named, and notes on them.

    Args:
        path: the split file.
        split: its content.
        labels: what the user named. Settings that are the defaults give way to the split's, unless a label file is
            named that is not the split's.

    Raises:
        LabelError: the split's label file is no longer there, or the split file does not describe labels.
    """
    asked = label_config(labels)
    if not split.labels_from:
        return asked, ()
    if asked.path is not None:
        return _with_label_file(Path(path), split.labels_from, asked, Path(asked.path))
    found, digits = _parse(split.labels_from, Path(path))
    merged = replace(found, **_settings(asked))
    if merged.path is None:
        return merged, ()
    if not Path(merged.path).exists():
        raise LabelError(
            f"{path} was made with the labels of {merged.path}, which is not there. Name the label file with --labels."
        )
    if _hash(Path(merged.path)) == digits:
        return merged, ()
    return merged, (f"{merged.path} has changed since {path} was made with it.",)


def read_labelled_split(store: VideoListing, split: str | Path, labels: Labels = None) -> tuple[LabelTable, Split]:
    """Return the labels and the parts of a store's videos, in one order.

    Args:
        store: the videos.
        split: the split file.
        labels: as for `read_labels`; None takes the labels that the split was made with.

    Raises:
        LabelError: the labels cannot be read, or fit no video.
        SplitError: the split file cannot be read, or does not fit the labelled videos.
    """
    loaded, named = load_split(split)
    config, notes = labels_of_split(split, loaded, labels)
    table = read_labels(store, config)
    return replace(table, notes=(*notes, *table.notes)), fit_split(split, loaded, named, table)


def _with_label_file(split: Path, text: str, asked: LabelConfig, path: Path) -> tuple[LabelConfig, tuple[str, ...]]:
    """Return how to read a label file that the user named: as for the split, if it was made with this file."""
    try:
        found, digits = _parse(text, split)
    except LabelError:  # says to name the label file, as the user does
        return asked, ()
    own, given = (
        {name: value for name, value in _settings(config).items() if name != "path"} for config in (found, asked)
    )
    if not own:
        return asked, ()
    if not _is_file_of(found, digits, path):
        source = "names of folders" if found.path is None else found.path
        return asked, (
            f"{split} was made with {source} and {_typed(own)}, which is not used with {path}. Give it again if it is "
            "meant.",
        )
    taken = {name: value for name, value in own.items() if name not in given}
    changed = {name: value for name, value in own.items() if given.get(name, value) != value}
    notes = (
        *([f"{path} is read with {_typed(taken)}, as for {split}."] if taken else []),
        *([f"{split} was made with {_typed(changed)}, which differs now."] if changed else []),
    )
    return replace(asked, **taken), notes


def _is_file_of(found: LabelConfig, digits: str, path: Path) -> bool:
    """Return True if a path is a split's label file by its place or its content."""
    if found.path is None or not path.exists():
        return False
    return os.path.realpath(found.path) == os.path.realpath(path) or _hash(path) == digits != ""


def _typed(settings: Mapping[str, Any]) -> str:
    """Return settings as options are typed.

    >>> _typed({"min_count": 2, "multi_label": True})
    '--min-count 2 --multi-label'
    """
    options = {f"--{name.replace('_', '-')}": value for name, value in settings.items()}
    return " ".join(option if value is True else f"{option} {value}" for option, value in options.items())


def _settings(config: LabelConfig) -> dict[str, Any]:
    """Return name -> value of the settings that are not the defaults."""
    found = ((setting, getattr(config, setting.name)) for setting in fields(config))
    return {setting.name: value for setting, value in found if value != setting.default}


def _query(chosen: Mapping[str, Any]) -> str:
    return urlencode(chosen, errors="surrogateescape")  # names that are no UTF-8 keep their bytes


def _relative(path: str | Path, split: Path) -> str:
    return Path(os.path.relpath(path, split.parent)).as_posix()


def _hash(path: Path) -> str:
    """Return the first digits of a file's sha256; none of a folder, such as a head that serves as vocabulary."""
    return sha256(path.read_bytes()).hexdigest()[:_DIGITS] if path.is_file() else ""


def _parse(text: str, split: Path) -> tuple[LabelConfig, str]:
    """Return the labels that a column labels_from names, and the digits of their file's hash.

    Raises:
        LabelError: the text is none of `describe_labels`.
    """
    path, mark, rest = text.rpartition(_HASH)
    digits, _, query = rest.partition("&") if mark else ("", "", text.removeprefix("?"))
    kinds = {setting.name: setting.type for setting in fields(LabelConfig)}
    try:
        chosen: dict[str, Any] = {
            name: _value(value, kinds[name])
            for name, value in parse_qsl(
                query, keep_blank_values=True, strict_parsing=bool(query), errors="surrogateescape"
            )
        }
        if mark:
            chosen["path"] = path
        for name in _PATHS:
            if name in chosen:
                chosen[name] = Path(os.path.normpath(split.parent / chosen[name]))
        return LabelConfig(**chosen), digits
    except (KeyError, ValueError, TypeError) as error:
        raise LabelError(
            f"{split} has {text!r} in the column labels_from, which does not describe labels. Name the label file with "
            "--labels, or make the split again."
        ) from error


def _value(text: str, kind: object) -> str | int | bool:
    """Return a setting of LabelConfig from its text."""
    if kind is bool:
        return {"True": True, "False": False}[text]
    return int(text) if kind is int or (kind == str | int | None and text.isdecimal()) else text

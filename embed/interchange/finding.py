"""Which files an import reads and writes."""

import glob
from pathlib import Path

from embed.errors import SourceError
from embed.interchange.tfrecords import require_tfrecords
from embed.sources import Sources, each_source

SUFFIX = ".tfrecord"
COLUMNS: dict[str, tuple[str, ...]] = {
    "labels": ("id", "labels"),
    "segments": ("id", "labels", "absent", "video"),
}
"""Kind -> columns of the label files beside a store."""
_STORE_SUFFIXES = (".h5", ".hdf5")


def label_files(store: str | Path) -> dict[Path, tuple[str, ...]]:
    """Return path -> columns of the label files of a store: that of videos, and that of segments."""
    path = Path(store)
    stem = path.stem if path.suffix.lower() in _STORE_SUFFIXES else path.name
    return {path.with_name(f"{stem}.{kind}.csv"): columns for kind, columns in COLUMNS.items()}


def find_tfrecords(sources: Sources) -> list[Path]:
    """Return the files that sources name, each once, in the order of the sources and then of their names.

    Args:
        sources: TFRecord files of any name, folders that hold `*.tfrecord` at any depth, or patterns.

    Raises:
        SourceError: a source names no file, or a file cannot be opened.
    """
    found: dict[Path, Path] = {}
    for source in map(str, each_source(sources)):
        named = _files_of(source)
        if not named:
            what = f"folder {source} has no *{SUFFIX}" if Path(source).is_dir() else f"source {source} does not exist"
            raise SourceError(f"The {what}. Name TFRecord files, a folder of them, or a pattern: 'train*{SUFFIX}'.")
        for path in named:
            found.setdefault(path.resolve(), path)
    for path in found.values():
        require_tfrecords(path)
    return [*found.values()]


def _files_of(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        return sorted(path.rglob(f"*{SUFFIX}"))
    if path.exists():
        return [path]
    named = map(Path, glob.glob(source, recursive=True))  # noqa: PTH207 (absolute patterns)
    return sorted(path for path in named if not path.is_dir())

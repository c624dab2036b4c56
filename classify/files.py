"""Files that are written whole or not at all, what they may replace, and hashes that tell whether they were edited."""

import csv
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

from classify.errors import ClassifyError
from embed.machine import OutputError, address_refused, is_left_over, refuse_output, remedy_for


def refuse_output_file(
    path: str | Path,
    *,
    kind: str,
    recognise: Callable[[Path], str | None],
    inputs: Iterable[str | Path] = (),
    overwrite: bool = False,
) -> str | None:
    """Raise ClassifyError unless a file may be written at a path, and return what it replaces, in a sentence.

    Every command calls this before it begins to work. The arguments are those of `embed.machine.refuse_output`.
    """
    try:
        return refuse_output(path, kind=kind, recognise=recognise, inputs=inputs, overwrite=overwrite)
    except OutputError as error:
        raise ClassifyError(str(error)) from error


def refuse_other_folder(
    folder: Path,
    *,
    what: str,
    is_own: Callable[[Path], bool],
    inputs: Iterable[str | Path] = (),
    error: type[ClassifyError] = ClassifyError,
) -> None:
    """Raise an error if a folder is the working folder, a file, in an input, or holds what a command does not write.

    Every command that writes a folder calls this before it begins to work.

    Args:
        folder: the folder, which may be absent.
        what: it is for, as in "a head".
        is_own: returns True for a file or folder in it that the command writes.
        inputs: files and folders that the command reads.
        error: what is raised.
    """
    if refusal := address_refused(folder, what):
        raise error(refusal)
    if str(folder) == ".":  # also Path("")
        raise error(f"'.' is the working folder. Name a folder of its own for {what}.")
    try:
        place = Path(os.path.realpath(folder))
        around = [name for name in inputs if Path(name).is_dir() and place.is_relative_to(os.path.realpath(name))]
        is_file = folder.exists() and not folder.is_dir()
        foreign = sorted(path.name for path in folder.iterdir() if not is_own(path)) if folder.is_dir() else []
    except (OSError, RuntimeError, ValueError) as failure:  # also for a circle of links, and a NUL in the name
        said = (failure.strerror if isinstance(failure, OSError) else None) or failure
        remedy = remedy_for(failure, "Free disk space, make it writable")
        raise error(f"{str(folder)!r} cannot be written: {said}. {remedy}, or name another folder.") from failure
    if is_file:
        raise error(f"{folder} is a file. Name a folder for {what}.")
    if around:
        raise error(f"{folder} lies in {around[0]}, an input of this command. Name a folder outside it for {what}.")
    if foreign:
        raise error(f"{folder} holds {foreign[0]!r}, which is not part of {what}. Name another folder.")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8, to a temporary file, then rename it to `path`; missing folders are created.

    Bytes of a file name that are no UTF-8 (surrogates, as Python reads them) are written as they were. If `path` is a
    link, its target is replaced. What a killed run left of the same file is deleted.

    Raises:
        ClassifyError: the disk does not take it. An older file is unchanged.
        UnicodeEncodeError: the text has other surrogates.
    """
    written = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    with open_whole(path) as file:
        file.write(written)


@contextmanager
def open_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file for what is too large to be held, and rename it to `path` at the end of the block.

    It is as for `write_whole`: a block that raises leaves an older file unchanged.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replaced(target) as file:
            yield file
    except OSError as error:
        raise ClassifyError(
            f"{path} cannot be written: {error.strerror}. An older file there is unchanged. "
            f"{remedy_for(error, 'Free disk space, make the folder writable')}, or name another file."
        ) from error


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    r"""Return rows as the text of a CSV file. A cell with `\r` is quoted, which `csv` does only if lines end in it.

    >>> csv_text([("id", "label"), ("a\r.mp4", "x,y")])
    'id,label\n"a\r.mp4","x,y"\n'
    """
    lines: list[str] = []
    end = "\r\n"
    sink = SimpleNamespace(write=lambda line: lines.append(f"{line.removesuffix(end)}\n"))
    csv.writer(sink, lineterminator=end).writerows(rows)
    return "".join(lines)


def is_unfinished(name: str) -> bool:
    """Return True for the name of a file that `write_whole` has not finished, or did not before it was killed."""
    return re.fullmatch(r"\.[0-9a-f]{8}\.part-\d+", name) is not None


def sync_folder(folder: Path) -> None:
    """Wait until the names of a folder's files are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_text(text: str) -> str:
    """Return the sha256 of a text, as hex digits."""
    return sha256(text.encode(errors="surrogateescape")).hexdigest()


@contextmanager
def _replaced(target: Path) -> Iterator[BinaryIO]:
    stem = f".{zlib.crc32(os.fsencode(target.name)):08x}.part-"  # short, whatever the length of the name
    for left in target.parent.glob(f"{stem}*"):
        if is_left_over(left.name):
            left.unlink(missing_ok=True)
    beside = target.with_name(f"{stem}{os.getpid()}")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        sync_folder(target.parent)
    finally:
        beside.unlink(missing_ok=True)

"""Whether a file may be written: it replaces nothing but an earlier output of the same command, and never an input.

This is checked before any work begins, so that nobody loses a file, or waits for results that cannot be written.
"""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from embed.errors import OutputError as OutputError
from embed.machine.video_suffixes import VIDEO_SUFFIXES

_BLOCK_BYTES = 4096
_MORE_FILES = "Allow more open files (ulimit -n 4096)"
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/|.*?[a-z]://", re.IGNORECASE | re.DOTALL)
_LIMITS = {
    errno.ENAMETOOLONG: "Take a shorter name",
    errno.EFBIG: "Allow larger files (ulimit -f unlimited)",
    errno.EMFILE: _MORE_FILES,
    errno.ENFILE: _MORE_FILES,
}
_PARTS = ".parts"  # behind a store's name: the folder of what a run has not merged yet
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def refuse_output(
    path: str | Path,
    *,
    kind: str,
    recognise: Callable[[Path], str | None],
    inputs: Iterable[str | Path] = (),
    overwrite: bool | None = False,
) -> str | None:
    """Raise OutputError unless a file may be written at a path, and return what it replaces.

    Args:
        path: the file to be written.
        kind: what will be written, as in "a split file".
        recognise: describes a file that an earlier run wrote, as in "the split of 24 videos"; returns None for every
            other file. It may raise OSError or ValueError for a file that it cannot read.
        inputs: files and folders that the command reads. A file in such a folder is replaced only if it is recognised.
        overwrite: replace also what is not recognised, except inputs; None if the command has no such option.

    Returns:
        A sentence about what is replaced; None if nothing is.

    Raises:
        OutputError: the path is an input, a folder or a device, holds something else, or cannot be written.
    """
    try:
        return _refuse(path, kind, recognise, inputs, overwrite)
    except (OSError, RuntimeError, ValueError) as error:  # also for a circle of links, and a NUL in the name
        said = (error.strerror if isinstance(error, OSError) else None) or error
        remedy = remedy_for(error, "Free disk space, make its folder writable")
        raise OutputError(f"{str(path)!r} cannot be written: {said}. {remedy}, or name another file.") from error


def remedy_for(error: BaseException, otherwise: str) -> str:
    """Return what to do about an error of the system: raise the limit that was met, else `otherwise`.

    >>> remedy_for(OSError(errno.EFBIG, "File too large"), "Free disk space")
    'Allow larger files (ulimit -f unlimited)'
    """
    return _LIMITS.get(getattr(error, "errno", None) or 0, otherwise)


def address_refused(path: str | Path, kind: str) -> str | None:
    """Return that an output is an address, which no command writes to, without its secrets; None if it is a path.

    An address has one slash behind its scheme once it was a `Path`.

    >>> address_refused("https:/me:secret@host/a.h5", "a store")
    'An address (https://...) is no place for a store, which is written to this machine. Name a path.'
    """
    found = _ADDRESS.match(str(path))
    if not found:
        return None
    shown = f"({found['scheme'].lower()}://...) " if found["scheme"] else ""
    return f"An address {shown}is no place for {kind}, which is written to this machine. Name a path."


def is_too_long(path: Path) -> bool:
    """Return True if a disk takes no file of this name, or no folder of those above it that are still to be made."""
    there = next(place for place in path.absolute().parents if os.path.lexists(place))
    missing = path.absolute().relative_to(there).parts
    return any(_is_refused_name(place) for place in (path.absolute(), *(there / name for name in missing)))


def _is_refused_name(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def prove_writable(folder: Path) -> None:
    """Write a block into a folder, or into the nearest one above it that exists, and leave nothing.

    Raises:
        OSError: this is not possible; the disk may be full or read-only.
    """
    place = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    with tempfile.TemporaryFile(dir=place) as file:
        file.write(bytes(_BLOCK_BYTES))


def written_when(path: Path) -> str:
    """Return when a file was written: "18:47" for one of today, else "2026-11-30 18:47"."""
    when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    return f"{when:%H:%M}" if when.date() == datetime.now().astimezone().date() else f"{when:%Y-%m-%d %H:%M}"


def is_left_over(name: str) -> bool:
    """Return True if a temporary file or folder, whose name ends in "-" and a process's number, has no writer.

    A name with the number of this process is left over, too: an earlier one had the same number. A name without a
    number is not ours.
    """
    number = name.rpartition("-")[2]
    if not number.isdecimal():
        return False
    if int(number) == os.getpid():
        return True
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it lives, and belongs to somebody else
        return False
    return False


def _refuse(
    path: str | Path,
    kind: str,
    recognise: Callable[[Path], str | None],
    inputs: Iterable[str | Path],
    overwrite: bool | None,
) -> str | None:
    if not str(path) or not os.path.basename(os.path.abspath(path)):  # noqa: PTH100, PTH119 - Path("") is Path(".")
        raise OutputError(f"{str(path)!r} is not the name of a file. Name the file for {kind}.")
    if refusal := address_refused(path, kind):
        raise OutputError(refusal)
    path = Path(path)
    target = Path(os.path.realpath(path))
    mode = _mode_of(target)
    if mode is not None and not stat.S_ISREG(mode):
        raise OutputError(f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'no file')}. Name a file for {kind}.")
    folder = _refuse_inputs(path, target, inputs)
    found = None if mode is None else _described(recognise, target)
    if mode is not None and found is None:
        _refuse_foreign(path, kind, folder, overwrite)
    prove_writable(target.parent)
    if mode is None:
        return None
    return f"{path} is replaced: {found or 'a file that this command did not write'}, from {written_when(target)}."


def _mode_of(target: Path) -> int | None:
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _refuse_inputs(path: Path, target: Path, inputs: Iterable[str | Path]) -> Path | None:
    """Raise OutputError if the target is an input; return the input folder that it lies in, if any."""
    around = None
    for name in inputs:
        place = Path(os.path.realpath(name))
        if place == target or (target.exists() and place.exists() and target.samefile(place)):
            raise OutputError(f"{path} is an input of this command, and would be lost. Name another file.")
        if target.is_relative_to(place) or target.is_relative_to(place.with_name(place.name + _PARTS)):
            around = Path(name)
    return around


def _described(recognise: Callable[[Path], str | None], target: Path) -> str | None:
    try:
        return recognise(target) if target.stat().st_size else "an empty file"
    except (OSError, ValueError):
        return None


def _refuse_foreign(path: Path, kind: str, folder: Path | None, overwrite: bool | None) -> None:
    if folder is not None:
        raise OutputError(
            f"{path} lies in {folder}, an input of this command, and is not {kind} as an earlier run wrote it. It "
            "would be lost. Name another file."
        )
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise OutputError(f"{path} is named as a video, and no command writes over one. Name another file for {kind}.")
    if not overwrite:
        way = "" if overwrite is None else ", or replace it with --overwrite"
        raise OutputError(
            f"{path} exists, and is not {kind} as an earlier run wrote it. It would be lost. Name another file{way}."
        )

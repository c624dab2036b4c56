"""The folder of a head: what it may replace, and how its files appear together, old or new and never between.

    head/
      head.safetensors   the weights
      head.json          everything else that predictions need, and the sha256 of head.safetensors
      history.csv        one row for each epoch         (written by `train_head`)
      report.json        figures of every part          (written by `train_head`)
      learned.txt        the videos it learned from     (`classify.classifier.learned`)
      pca.safetensors    what reduced its vectors       (`classify.classifier.kept_pca`)
      report.html        the same as a page to look at  (written by `write_page`)
      suspects.csv       labels to correct              (written by `write_page`)

The files of a new head are written to `head/.new-PID/`, which is renamed to `head/.finished/` once all are on disk:
this is the moment at which the new head replaces the old one. Then they move to their places. A run that is killed
before this moment leaves the old head, after it the new one: `read_file` looks into `.finished` first, and the next
save moves what is left there. The folder itself is never renamed, since a mounted one cannot be.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from classify.errors import ClassifyError, HeadError
from classify.files import hash_text, is_unfinished, refuse_other_folder, sync_folder, write_whole
from embed.machine import address_refused, is_left_over, prove_writable, remedy_for, written_when

FORMAT = "framehead head 1"
WEIGHTS_FILE, DESCRIPTION_FILE = "head.safetensors", "head.json"
_REPORT_FILE, _PAGE_FILE, _SUSPECTS_FILE = "report.json", "report.html", "suspects.csv"
LEARNED_FILE, PCA_FILE = "learned.txt", "pca.safetensors"
# The suspects go before the page, whose hash tells that nobody edited them: no kill leaves them without it.
_OWN_FILES = (
    *(WEIGHTS_FILE, "history.csv", _REPORT_FILE, LEARNED_FILE, PCA_FILE),
    *(_SUSPECTS_FILE, _PAGE_FILE, DESCRIPTION_FILE),
)
_UNFINISHED, FINISHED = ".new-", ".finished"
_MOVED = ".moved-"  # begins the name of what was `.finished` until all of it had moved
_ON_THE_WAY = re.compile(rf"({re.escape(_UNFINISHED)}|{re.escape(_MOVED)})\d+")
_FILES = "files.json"  # in `.finished`: the names of the new head's files
_READS = 3  # of a head that is replaced meanwhile


def refuse_output_folder(folder: Path, *, overwrite: bool = False) -> str | None:
    """Raise HeadError unless a head can be written to a folder, and return which head it replaces, in a sentence.

    Args:
        folder: the folder.
        overwrite: replace files that have the names of a head's, although they are of no head.

    Returns:
        A sentence about the head that is replaced; None if nothing is.

    Raises:
        HeadError: it is a file, holds other things or labels that were corrected, or cannot be written.
    """
    if "\0" in str(folder):
        raise HeadError(f"{str(folder)!r} has a NUL in it, which no name has. Name the folder for the head again.")
    if refusal := address_refused(folder, "a head"):
        raise HeadError(refusal)
    try:
        return _refuse(folder, overwrite)
    except (OSError, RuntimeError, ValueError) as error:  # such as a circle of links
        raise unwritable(folder, error) from error


def refuse_edited_labels(folder: Path) -> None:
    """Raise HeadError if suspects.csv may hold corrected labels: the page written with it has another hash."""
    page, suspects = folder / _PAGE_FILE, folder / _SUSPECTS_FILE
    if not suspects.exists():
        return
    written = page.read_text(encoding="utf-8", errors="replace") if page.exists() else ""
    if hash_text(suspects.read_text(encoding="utf-8", errors="surrogateescape")) not in written:
        raise HeadError(
            f"{suspects} was edited since it was written, or its {_PAGE_FILE} is gone, so it may hold labels that you "
            "corrected; they would be lost. Name another folder for the head, or move the file out of this one."
        )


def read_file(folder: Path, name: str) -> bytes:
    """Return the content of a head's file, wherever a killed save has left it.

    Raises:
        OSError: it cannot be read.
    """
    for _ in range(_READS):
        with suppress(FileNotFoundError):
            return Path(folder, FINISHED, name).read_bytes()
        with suppress(FileNotFoundError):  # a save may have moved it between the two
            return Path(folder, name).read_bytes()
    return Path(folder, name).read_bytes()


def fill_folder(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Replace all files of a head by these: either all are replaced, or none. Of several at once, one waits.

    Raises:
        OSError, ClassifyError: the disk does not take them. The older head is unchanged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _delete_leftovers(folder)
        _finish(folder)
        beside = folder / f"{_UNFINISHED}{os.getpid()}"
        try:
            beside.mkdir()
            for name, content in files.items():
                write_whole(beside / name, content)
            write_whole(beside / _FILES, json.dumps([*files]))
            beside.rename(folder / FINISHED)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        _finish(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process that has it; some network disks have none."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def unwritable(folder: Path, error: Exception) -> HeadError:
    """Return the error of a folder that cannot be written."""
    said = (error.strerror if isinstance(error, OSError) else None) or error
    remedy = remedy_for(error, "Free disk space, make it writable")
    return HeadError(f"{folder} cannot be written: {said}. {remedy}, or name another folder.")


def _refuse(folder: Path, overwrite: bool) -> str | None:
    refuse_other_folder(
        folder, what="a head", is_own=lambda path: path.name in _OWN_FILES or _is_ours(path), error=HeadError
    )
    refuse_edited_labels(folder)
    head = _describe_head(folder)
    own = sorted(name for name in _OWN_FILES if (folder / name).exists())
    if own and head is None and not overwrite:
        raise HeadError(
            f"{folder} holds {own[0]!r}, but no head, so train-head did not write it. It would be lost. Name another "
            "folder, or replace it with --overwrite."
        )
    prove_writable(folder)
    return f"{head or own[0]} in {folder} is replaced." if own or head else None


def _describe_head(folder: Path) -> str | None:
    """Return which head a folder holds, in words: "The linear head of 18:47, micro-F1 0.71,"; None if it holds none."""
    try:
        head = json.loads(read_file(folder, DESCRIPTION_FILE))
        if head["format"] != FORMAT:
            return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    with suppress(OSError):
        place = next(path for path in (folder / DESCRIPTION_FILE, folder / FINISHED) if path.exists())
        micro_f1 = _micro_f1(head)
        figure = "" if micro_f1 is None else f", micro-F1 {micro_f1:.2f},"
        return f"The {head.get('arch')} head of {written_when(place)}{figure}"
    return None


def _micro_f1(head: Mapping[str, Any]) -> float | None:
    """Return the figure of the test videos, as `train_head` writes it; None if there is none."""
    try:
        return float(head["metrics"]["test"]["micro_f1"])
    except (LookupError, TypeError, ValueError):
        return None


def _is_ours(path: Path) -> bool:
    """Return True for what a save makes on its way: by its name, and if it is a folder, by all that it holds."""
    if not path.is_dir():
        return is_unfinished(path.name)
    is_named = path.name == FINISHED or bool(_ON_THE_WAY.fullmatch(path.name))
    return is_named and all(own.name in {*_OWN_FILES, _FILES} or is_unfinished(own.name) for own in path.iterdir())


def _delete_leftovers(folder: Path) -> None:
    """Delete what killed saves left, but not what another process is writing now."""
    for path in folder.iterdir():
        if is_unfinished(path.name) and is_left_over(path.name):
            path.unlink(missing_ok=True)
        elif _ON_THE_WAY.fullmatch(path.name) and is_left_over(path.name) and _is_ours(path):
            shutil.rmtree(path, ignore_errors=True)


def _finish(folder: Path) -> None:
    """Move the files of a finished head to their places, and delete those of the older one."""
    finished = folder / FINISHED
    try:
        names = json.loads((finished / _FILES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError as error:
        raise ClassifyError(f"{finished / _FILES} is damaged: {error}. Delete {finished}, and run again.") from error
    for name in (own for own in _OWN_FILES if own not in names):
        (folder / name).unlink(missing_ok=True)
    for name in names:
        with suppress(FileNotFoundError):  # a killed save had moved it
            (finished / name).replace(folder / name)
    sync_folder(folder)
    moved = folder / f"{_MOVED}{os.getpid()}"
    finished.rename(moved)
    shutil.rmtree(moved)

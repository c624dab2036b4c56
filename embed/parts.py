"""Which files make up a store at this moment, and who may write them.

A store is `name.h5` and, while a run is under way or after one was killed, a folder `name.h5.parts/` of pieces that are
not merged yet. Two rules make a crash at any moment harmless:

- A part is called by the range of sequence numbers it holds, `00000000-00000031.h5`. A part inside another's range was
  merged into it: it is passed over, and deleted by the next writer.
- `name.h5` says in `merged_through` up to which number it has swallowed the parts.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from embed.errors import StoreBusy
from embed.pieces import Piece


def parts_folder(path: Path) -> Path:
    """Return where the parts of the store `path` lie."""
    return path.with_name(path.name + ".parts")


def part_file(folder: Path, first: int, last: int) -> Path:
    """Return the path of the part that holds the sequence numbers from `first` to `last`."""
    return folder / f"{first:08d}-{last:08d}.h5"


def sequence_numbers(part: Path) -> tuple[int, int]:
    """Return the first and last sequence number that a part holds, from its name."""
    first, last = part.stem.split("-")
    return int(first), int(last)


def _parts_in(folder: Path) -> list[Path]:
    """Return the parts in order, without those that lie inside another's range."""
    parts = sorted(
        folder.glob("[0-9]*-[0-9]*.h5"), key=lambda part: (sequence_numbers(part)[0], -sequence_numbers(part)[1])
    )
    whole: list[Path] = []
    for part in parts:
        if not whole or sequence_numbers(part)[1] > sequence_numbers(whole[-1])[1]:
            whole.append(part)
    return whole


def piece_files(path: Path) -> list[Path]:
    """Return the files that make up a store now, oldest first."""
    parts = _parts_in(parts_folder(path))
    if not path.is_file():
        return parts
    if not parts:
        return [path]
    merged_through = _merged_through(path)
    return [path, *(part for part in parts if sequence_numbers(part)[0] > merged_through)]


def _merged_through(path: Path) -> int:
    with Piece(path) as piece:
        return piece.merged_through


def last_number(path: Path) -> int:
    """Return the highest sequence number that the store has used; -1 in a new one."""
    parts = _parts_in(parts_folder(path))
    merged = _merged_through(path) if path.is_file() else -1
    return max([merged, *(sequence_numbers(part)[1] for part in parts)])


def delete_merged_parts(path: Path) -> None:
    """Delete parts that are contained elsewhere, and what killed writers left half written."""
    folder = parts_folder(path)
    current = set(piece_files(path))
    for file in [*folder.glob("*.h5"), *folder.glob("*.tmp"), *path.parent.glob(f"{path.name}.*.tmp")]:
        if file not in current:
            file.unlink()


def lock_store(path: Path) -> IO[str]:
    """Become the one writer: hold a file lock, which the system drops when the process dies.

    Raises:
        StoreBusy: another process holds it.
    """
    folder = parts_folder(path)
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = (folder / "lock").open("w")
        except FileNotFoundError:
            continue  # the writer before us removed the folder just now
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise StoreBusy(f"Another process is writing to {path}. Wait for it, or write to another file.") from error
        if _is_same_file(file, folder / "lock"):
            return file
        file.close()  # the writer before us removed it after we opened it: lock the new one


def unlock_store(path: Path, lock: IO[str]) -> None:
    """Let the next writer in, and remove the parts' folder where it is empty."""
    folder = parts_folder(path)
    (folder / "lock").unlink(missing_ok=True)
    lock.close()
    with suppress(OSError):  # parts of a merge that failed remain: they are still the store's
        folder.rmdir()


def _is_same_file(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False

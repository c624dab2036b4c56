"""The files that make up a store at this moment, and the lock of its writer.

A store is `name.h5` and, during a run or after one was killed, a folder `name.h5.parts/` of pieces that are not merged
yet. Or it is a folder of such pieces, and stays one: its parts are called shards. Three rules make a crash at any
moment harmless:

- The name of a part is the range of sequence numbers that it holds, `00000000-00000031.h5`. A part inside the range of
  another was merged into it: it is ignored, and the next writer deletes it.
- The attribute `merged_through` of `name.h5` is the last sequence number that was merged into it.
- The ranges follow each other without a gap: if one is missing, vectors are missing.
"""

import fcntl
import os
import re
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO

from embed.errors import StoreBusy, StoreDamaged, StoreError
from embed.machine import VIDEO_SUFFIXES, address_refused, is_too_long, prove_writable, real_path
from embed.store.hdf5_reading import is_hdf5
from embed.store.pieces import Piece
from embed.store.whole_files import refusal_of

_LISTINGS = 20
_LOOKED_AT = 1000  # files, where a folder of videos was named as a store
_PART_NAME = re.compile(r"(\d{8,})-(\d{8,})\.h5")
_HALF = r"\.\d+\.tmp"  # behind a file's name: a process, given by its number, has not finished writing (`whole_files`)
_LEFT_BY_A_KILL = re.compile(_PART_NAME.pattern + _HALF)
_LOCK = "lock"
_FILE_SUFFIXES = (".h5", ".hdf5")
_PARTS = ".parts"
_LONGEST_NUMBER = 4_194_304  # of a process on Linux
_NAMES_BESIDE = ("{}" + _PARTS, f"{{}}.{_LONGEST_NUMBER}.tmp")
_NAMES_OF_A_COPY = (f".{{}}.saved-{_LONGEST_NUMBER}",)
"""Names beside a store while it is written, and while `merge_embeddings` or `repair_embeddings` makes it."""


def no_store(path: Path) -> str:
    """Return that there is no store at a path, what is there instead, and what to do."""
    quoted = shlex.quote(str(path))
    if path.is_dir() and _holds_videos(path):
        return f"{path} is a folder of videos, not a store. Embed them first: embed-videos {quoted} -o embeddings.h5"
    if path.exists():
        return f"{path} is no store. Name the file that embed-videos wrote, such as embeddings.h5."
    return f"There is no store {path}. Make one with: embed-videos FOLDER -o {quoted}"


def _holds_videos(folder: Path) -> bool:
    """Return True if one of the first files below a folder is a video."""
    names = (name for _, _, found in os.walk(folder) for name in found)
    with suppress(RecursionError):  # it is too deep to be looked through
        return any(Path(name).suffix.lower() in VIDEO_SUFFIXES for name in islice(names, _LOOKED_AT))
    return False


def is_sharded(path: Path) -> bool:
    """Return True for a store in a folder of shards: a folder, or a new name that does not end in .h5 or .hdf5."""
    path = real_path(path)
    return path.is_dir() or (path.suffix.lower() not in _FILE_SUFFIXES and not path.is_file())


def parts_folder(path: Path) -> Path:
    """Return the folder of the parts of the store `path`; for a folder of shards, that folder.

    Links are resolved, so that a store has one folder of parts and one lock, beside the file itself.
    """
    path = real_path(path)
    return path if is_sharded(path) else path.with_name(path.name + _PARTS)


def part_file(folder: Path, first: int, last: int) -> Path:
    """Return the path of the part that holds the sequence numbers from `first` to `last`."""
    return folder / f"{first:08d}-{last:08d}.h5"


def sequence_numbers(part: Path) -> tuple[int, int]:
    """Return the first and last sequence number of a part, read from its name."""
    first, last = part.stem.split("-")
    return int(first), int(last)


def piece_files(path: Path) -> list[Path]:
    """Return the files that make up a store now, oldest first.

    Raises:
        StoreDamaged: some of them are missing.
    """
    for _ in range(_LISTINGS):
        files, after_gap = _list_pieces(path)
        if not after_gap:
            return files
        time.sleep(0.005)  # listing a folder takes time: a writer may have merged parts meanwhile
    raise StoreDamaged(
        f"{path} lacks the part that comes before {after_gap}. Restore it, or run inspect-embeddings "
        f"{shlex.quote(str(path))} --repair NEW to save the rest into a new store."
    )


def _list_pieces(path: Path) -> tuple[list[Path], Path | None]:
    """Return the pieces, and the first one that does not follow the one before it."""
    parts = parts_in(parts_folder(path))
    # The parts are listed first, because a writer that merges them writes `name.h5` before it deletes them.
    number = merged_through(path) if parts and path.is_file() else -1
    parts = [part for part in parts if sequence_numbers(part)[0] > number]
    for part in parts:
        if sequence_numbers(part)[0] > number + 1:
            return parts, part
        number = sequence_numbers(part)[1]
    return [path, *parts] if path.is_file() else parts, None


def parts_in(folder: Path) -> list[Path]:
    """Return the parts in order, without those inside the range of another."""
    found = [path for path in folder.glob("*-*.h5") if _PART_NAME.fullmatch(path.name)]
    found.sort(key=lambda part: (sequence_numbers(part)[0], -sequence_numbers(part)[1]))
    whole: list[Path] = []
    for part in found:
        if not whole or sequence_numbers(part)[1] > sequence_numbers(whole[-1])[1]:
            whole.append(part)
    return whole


def group_parts(parts: Sequence[Path], shard_bytes: int) -> list[list[Path]]:
    """Return groups of neighbouring parts to merge into one each, as many as fit into `shard_bytes`.

    A part of more than half that size is finished: it is not written again.
    """
    groups: list[list[Path]] = []
    room = 0
    for part in parts:
        size = part.stat().st_size
        is_finished = size > shard_bytes // 2
        if size > room or is_finished:
            groups.append([])
            room = shard_bytes
        groups[-1].append(part)
        room = 0 if is_finished else room - size
    return [group for group in groups if len(group) > 1]


def merged_through(path: Path) -> int:
    """Return the last sequence number whose part is contained in `name.h5`; -1 if none is.

    Raises:
        StoreDamaged: it cannot be read.
    """
    with Piece(path) as piece:
        return piece.merged_through


def last_number(path: Path) -> int:
    """Return the highest sequence number that the store has used; -1 in a new one."""
    merged = merged_through(path) if path.is_file() else -1
    return max([merged, *(sequence_numbers(part)[1] for part in parts_in(parts_folder(path)))])


def delete_merged_parts(path: Path) -> None:
    """Delete parts that are contained in other files, and unfinished files of killed writers."""
    folder = parts_folder(path)
    current = set(piece_files(path))
    parts = [file for file in folder.glob("*-*.h5") if _PART_NAME.fullmatch(file.name)]
    for file in [*parts, *_halves(path)]:
        if file not in current:
            file.unlink()


def delete_halves(path: Path) -> None:
    """Delete unfinished files of killed writers of a store whose lock this process holds."""
    for file in _halves(path):
        file.unlink()


def has_begun(path: Path) -> bool:
    """Return True if anything is stored at a path, finished or in parts; a killed writer's leavings are nothing."""
    folder = parts_folder(path)
    if path.is_file() or not folder.is_dir():
        return os.path.lexists(path)
    return bool(parts_in(folder)) or not all(map(_is_left_of_us, folder.iterdir()))


def refuse_store_place(path: str | Path) -> None:
    """Raise StoreError if a store cannot be written there. A run calls this before it begins to work.

    Raises:
        StoreError: `path` is a folder of other files, an address or too long, or its disk is full or cannot be written.
        StoreBusy: another process is writing to it.
    """
    path = Path(path)
    refuse_name(path)
    if path.suffix.lower() in VIDEO_SUFFIXES and not (path.is_file() and is_hdf5(path)):
        raise StoreError(f"{path} is the name of a video, not of a store. Name the store, such as {path.stem}.h5.")
    with refusal_of(path):
        _refuse_other_folder(path)
        _refuse_other_parts(path)
        folder = parts_folder(path)
        prove_writable(folder)
        if folder != real_path(path):
            prove_writable(folder.parent)
    if (folder / _LOCK).exists():  # of another run, or left by a killed one
        unlock_store(path, lock_store(path))


def refuse_name(path: Path, *, is_copy: bool = False) -> None:
    """Raise StoreError if a path cannot be a store's, whatever is there now.

    Args:
        path: the store to be written.
        is_copy: True for one that `merge_embeddings` or `repair_embeddings` makes, under a longer name at first.
    """
    if "\0" in str(path):
        raise StoreError(f"{str(path)!r} has a NUL in it, which no name has. Name the store again.")
    if refusal := address_refused(path, "a store"):
        raise StoreError(refusal)
    target = real_path(path)
    names = ["{}", *(_NAMES_OF_A_COPY if is_copy else ())]
    names += _NAMES_BESIDE if target.suffix.lower() in _FILE_SUFFIXES else ()
    if any(is_too_long(target.parent / name.format(target.name)) for name in names):
        raise StoreError(
            f"The name of the store {path} is too long: while the store is written, the disk must take a name that is "
            "some letters longer. Name a shorter one."
        )


def holds_path(store: Path, path: Path) -> bool:
    """Return True if another file at a path would be the store, one of its parts, or in the way of its folder."""
    store, path = real_path(store), real_path(path)
    if path == store or store.is_relative_to(path) or path.is_relative_to(parts_folder(store)):
        return True
    return path.parent == store.parent and bool(re.fullmatch(re.escape(store.name) + _HALF, path.name))


def lock_store(path: Path) -> IO[str]:
    """Become the only writer: hold a file lock, which the system releases when the process dies.

    Raises:
        StoreBusy: another process holds it.
        StoreError: `path` is a folder of other files, or cannot be written.
    """
    folder = parts_folder(path)
    _refuse_other_folder(path)
    _refuse_other_parts(path)
    while True:
        with refusal_of(path):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                file = _open_lock(folder / _LOCK)
            except FileNotFoundError:
                continue  # the writer before us has just removed the folder
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise StoreBusy(
                f"Another process is writing to {path}. Wait until it ends, or write to another file."
            ) from error
        except OSError as error:
            unlock_store(path, file)
            raise StoreError(
                f"{path} is on a disk where files cannot be locked ({error.strerror}), so another run might write to "
                "it at the same time. Write the store to a local disk and copy it, or mount this disk with locks."
            ) from error
        if _is_same_file(file, folder / _LOCK):
            return file
        file.close()  # the writer before us removed it after we opened it: lock the new file


def _open_lock(path: Path) -> IO[str]:
    """Open a lock to write, made if it is not there; not through a link, and without waiting for a pipe."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    return os.fdopen(descriptor, "w")


def unlock_store(path: Path, lock: IO[str]) -> None:
    """Release the lock, and remove the folder of the parts if it is empty."""
    folder = parts_folder(path)
    (folder / _LOCK).unlink(missing_ok=True)
    lock.close()
    with suppress(OSError):  # parts remain if a merge failed: they still belong to the store
        folder.rmdir()


def _refuse_other_folder(path: Path) -> None:
    if path.is_dir() and not parts_in(path) and not all(map(_is_left_of_us, path.iterdir())):
        raise StoreError(f"{path} is a folder of other files. Name a new folder for the shards, or a file name.h5.")
    if path.exists() and not path.is_dir() and not path.is_file():
        raise StoreError(f"{path} is a pipe or a device, not a store. Name another file.")
    if path.is_symlink() and real_path(path).is_symlink():
        raise StoreError(f"{path} is a link that leads to itself, not a store. Remove it, or name another file.")


def _refuse_other_parts(path: Path) -> None:
    """Raise StoreError if what bears the name of the store's folder of parts, or of its lock, is something else."""
    folder = parts_folder(path)
    if folder != real_path(path) and os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        kind = "a link" if folder.is_symlink() else "no folder"
        raise StoreError(
            f"{folder} is {kind}, and {path} needs this name for what is not merged yet. Move it away, or name another "
            "store."
        )
    if (folder / _LOCK).is_dir() or (folder / _LOCK).is_symlink():
        raise StoreError(f"{folder / _LOCK} is no file, and a store's lock has this name. Remove it.")


def _halves(path: Path) -> list[Path]:
    halves = [file for file in parts_folder(path).glob("*.tmp") if _LEFT_BY_A_KILL.fullmatch(file.name)]
    if not is_sharded(path):
        path = real_path(path)
        ours = re.compile(re.escape(path.name) + _HALF)
        halves += [file for file in path.parent.glob("*.tmp") if ours.fullmatch(file.name)]
    return [file for file in halves if not file.is_dir() or file.is_symlink()]  # no writer leaves a folder


def _is_left_of_us(file: Path) -> bool:
    """Return True if a file is what a killed writer may leave in a folder before its first part."""
    return file.is_file() and (file.name == _LOCK or bool(_LEFT_BY_A_KILL.fullmatch(file.name)))


def _is_same_file(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False

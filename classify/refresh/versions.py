"""A folder of versions of a head.

    heads/v0001/              a head folder, with its `lineage.json`; it never changes after it appears
    heads/v0002/
    heads/champion            the name of the version in use, then those that were used before it, the latest first
    heads/.lock               held by who adds, promotes or rolls back

A version appears by one rename and a champion by another, so a process that is killed leaves the old or the new. A
version that is to be the champion has a mark until it is: who holds the lock next finishes that.
"""

import fcntl
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from classify.errors import HeadError
from classify.files import is_unfinished, sync_folder, write_whole

_NAME = re.compile(r"v\d{4,}")
_CHAMPION, _LINEAGE, _LOCK, _MAKING = "champion", "lineage.json", ".lock", ".making"
_MARK = "to-be-champion"


def champion_folder(path: str | Path) -> Path:
    """Return the head folder to load: `path` itself if it is a head, its champion if it is a folder of versions.

    Raises:
        HeadError: the folder has versions, but its champion is absent or damaged.
    """
    folder = Path(path)
    versions = HeadVersions(folder)
    if not (folder / _CHAMPION).is_file():
        if versions.names():
            raise HeadError(f"{folder} has versions of a head, but no champion. Promote one of {versions.names()}.")
        return folder
    names = versions.champions()
    if not names or not versions.path_of(names[0]).is_dir():
        raise HeadError(
            f"{folder / _CHAMPION} names no version that is there. Write one of {versions.names()} into it."
        )
    return versions.path_of(names[0])


@final
class HeadVersions:
    """Reads a folder of versions, and changes which is used.

    Args:
        folder: it may be absent: the first version makes it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path_of(self, name: str) -> Path:
        """Return the head folder of a version."""
        return self.folder / name

    def is_own(self, path: Path) -> bool:
        """Return True for what may lie in the folder: versions, the pointer, and what is being written."""
        return path.name in (_CHAMPION, _LOCK, _MAKING) or is_unfinished(path.name) or bool(_NAME.fullmatch(path.name))

    def names(self) -> list[str]:
        """Return the names of all versions, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = [path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
        return sorted(found, key=lambda name: int(name[1:]))

    def champions(self) -> list[str]:
        """Return the version in use, then those that were used before it, the latest first."""
        try:
            lines = (self.folder / _CHAMPION).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines if _NAME.fullmatch(line)]  # never a path out of the folder

    def champion(self) -> str | None:
        """Return the version in use; None if there is none yet."""
        return next(iter(self.champions()), None)

    def lineage(self, name: str) -> dict[str, object]:
        """Return what a version was made from, as it was given to `add`.

        Raises:
            HeadError: it cannot be read.
        """
        path = self.path_of(name) / _LINEAGE
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise HeadError(f"{path} cannot be read: {error}. Promote another version with whole lineage.") from error

    @contextmanager
    def lock(self, *, is_waiting: bool = False) -> Iterator[None]:
        """Hold the folder against others that change it. The lock of a killed process is free at once.

        Args:
            is_waiting: True waits for another process; False leaves.

        Raises:
            HeadError: another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise HeadError(
                    f"Another process is changing {self.folder}. Wait until it ends, or use --wait."
                ) from error
            yield

    def making(self) -> Path:
        """Return an empty place for the next version, without what a killed run left there. Hold the lock."""
        place = self.folder / _MAKING
        if place.exists():
            shutil.rmtree(place)
        return place

    def add(self, lineage: Mapping[str, object], *, is_champion: bool = False) -> str:
        """Turn the head at `making` into the next version, and return its name. Hold the lock.

        Args:
            lineage: what JSON can hold: data, split, settings, figures.
            is_champion: True also promotes it, after a kill by the next call of `finish`.
        """
        place = self.folder / _MAKING
        if not place.is_dir():
            raise HeadError(f"{place} is absent, so there is no head to add. Train one there first.")
        write_whole(place / _LINEAGE, json.dumps(lineage, indent=2, sort_keys=True) + "\n")
        if is_champion:
            write_whole(place / _MARK, "")
        names = self.names()
        name = f"v{int(names[-1][1:]) + 1 if names else 1:04d}"
        place.rename(self.path_of(name))
        sync_folder(self.folder)
        self.finish()
        return name

    def finish(self) -> None:
        """Promote what was added to be the champion, by a process that was killed before it was. Hold the lock."""
        for name in self.names():
            mark = self.path_of(name) / _MARK
            if mark.exists():
                self.promote(name)
                mark.unlink()

    def promote(self, name: str) -> None:
        """Make a version the champion. Hold the lock.

        Raises:
            HeadError: there is no such version.
        """
        if name not in self.names():
            raise HeadError(f"{self.folder} has no version {name!r}. Name one of {self.names()}.")
        champions = self.champions()
        if champions[:1] != [name]:
            self._write([name, *champions])

    def roll_back(self) -> str:
        """Make the champion before this one the champion again, and return its name. Hold the lock.

        Raises:
            HeadError: there was none.
        """
        self.finish()
        earlier = [name for name in self.champions()[1:] if name in self.names()]
        if not earlier:
            raise HeadError(f"{self.folder} has no earlier champion, so the head in use stays.")
        self._write(earlier)
        return earlier[0]

    def _write(self, names: list[str]) -> None:
        write_whole(self.folder / _CHAMPION, "".join(f"{name}\n" for name in names))

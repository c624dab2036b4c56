"""The folder of copies, on a file system where it cannot be locked."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from embed.errors import EmbedError
from embed.sources.copies import CopyFolder


def test_a_folder_for_copies_without_locks_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(EmbedError, match=r"cannot be kept in .*: No locks available\. Set TMPDIR to another folder"):
        CopyFolder(str(tmp_path)).path()
    assert list(tmp_path.iterdir()) == []


def age(path: Path) -> None:
    """Make a folder look as one that a run left long ago."""
    os.utime(path, (0, 0), follow_symlinks=False)


def begin_run(parent: Path) -> None:
    folder = CopyFolder(str(parent))
    folder.path()
    folder.remove()


def test_the_folder_of_a_killed_run_is_removed_also_without_its_lock(tmp_path: Path) -> None:
    for name in ("locked", "early"):
        (tmp_path / f"framehead-fetch-{name}").mkdir(mode=0o700)
    (tmp_path / "framehead-fetch-locked" / "lock").touch()
    (tmp_path / "framehead-fetch-locked" / "1-a.mp4").touch()
    for path in tmp_path.iterdir():
        age(path)
    begin_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_in_the_place_of_a_lock_does_not_stop_a_run(tmp_path: Path) -> None:
    planted = tmp_path / "framehead-fetch-planted"
    planted.mkdir(mode=0o700)
    os.mkfifo(planted / "lock")
    age(planted)
    begin_run(tmp_path)
    assert (planted / "lock").is_fifo()


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_link_in_the_place_of_a_lock_makes_no_file(tmp_path: Path, mode: int) -> None:
    planted = tmp_path / "framehead-fetch-planted"
    planted.mkdir()
    planted.chmod(mode)
    (planted / "lock").symlink_to(tmp_path / "made")
    age(planted)
    begin_run(tmp_path)
    assert not (tmp_path / "made").exists()


def test_a_folder_behind_a_link_or_of_others_is_left_alone(tmp_path: Path) -> None:
    for name in ("shared", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "film.mp4").touch()
    (tmp_path / "shared").rename(tmp_path / "framehead-fetch-shared")
    (tmp_path / "framehead-fetch-shared").chmod(0o777)
    (tmp_path / "mine").chmod(0o700)
    (tmp_path / "framehead-fetch-link").symlink_to(tmp_path / "mine")
    for path in tmp_path.iterdir():
        age(path)
    begin_run(tmp_path)
    assert (tmp_path / "mine" / "film.mp4").exists()
    assert (tmp_path / "framehead-fetch-shared" / "film.mp4").exists()

"""The folder of copies, on a file system where it cannot be locked."""

import errno
import fcntl
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

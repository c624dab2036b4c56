import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from embed.machine import open_regular, read_regular, require_regular

everything_that_opens = pytest.mark.parametrize("open_path", [open_regular, read_regular, require_regular])


@everything_that_opens
def test_a_pipe_is_refused_without_waiting(tmp_path: Path, open_path: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"it is a pipe \(FIFO\), not a file"):
        open_path(tmp_path / "pipe")


@everything_that_opens
def test_a_link_to_a_device_is_refused(tmp_path: Path, open_path: Callable[[Path], object]) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="it is a device, not a file"):
        open_path(tmp_path / "link")


@everything_that_opens
def test_a_socket_is_refused(tmp_path: Path, open_path: Callable[[Path], object]) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match=r"it is a socket, not a file|No such device"):
            open_path(tmp_path / "s")


@everything_that_opens
def test_a_folder_is_refused(tmp_path: Path, open_path: Callable[[Path], object]) -> None:
    with pytest.raises(IsADirectoryError):
        open_path(tmp_path)


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"abc"

"""Which files may be written: an earlier output of the same command is replaced; an input and a stranger's never."""

import os
import subprocess
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from embed.errors import OutputError
from embed.machine import prove_writable, refuse_output
from tests.processes import mounted_disk


def describe(path: Path) -> str | None:
    return "the list of 3 videos" if path.read_text().startswith("ours") else None


refuse = partial(refuse_output, kind="a list", recognise=describe)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_file_may_be_written_also_into_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert refuse(tmp_path / "new" / "list.csv") is None
    assert not list(tmp_path.iterdir())


def test_an_earlier_output_is_replaced_and_the_answer_says_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("ours")
    os.utime(tmp_path / "list.csv", (0, datetime(2026, 11, 30, 18, 47).timestamp()))

    said = refuse(tmp_path / "list.csv")

    assert said == f"{tmp_path}/list.csv is replaced: the list of 3 videos, from 2026-11-30 18:47."


def test_an_empty_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "list.csv").touch()

    assert "an empty file" in (refuse(tmp_path / "list.csv") or "")


def test_another_file_is_refused_and_the_message_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("theirs")

    with pytest.raises(
        OutputError, match=r"list.csv exists, and is not a list as an earlier run wrote it\..*with --overwrite"
    ):
        refuse(tmp_path / "list.csv")


def test_another_file_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("theirs")

    said = refuse(tmp_path / "list.csv", overwrite=True)

    assert "is replaced: a file that this command did not write, from" in (said or "")


@pytest.mark.parametrize("overwrite", [False, True], ids=["plain", "overwrite"])
@pytest.mark.parametrize("content", ["ours", "theirs"])
@pytest.mark.parametrize("name", ["input.csv", "hard.csv", "soft.csv", "sub/../input.csv"])
def test_an_input_is_never_replaced_under_any_of_its_names(
    tmp_path: Path, name: str, content: str, overwrite: bool
) -> None:
    source = tmp_path / "input.csv"
    source.write_text(content)
    (tmp_path / "sub").mkdir()
    (tmp_path / "hard.csv").hardlink_to(source)
    (tmp_path / "soft.csv").symlink_to("input.csv")

    with pytest.raises(OutputError, match=r"is an input of this command, and would be lost\. Name another file"):
        refuse(tmp_path / name, inputs=[source], overwrite=overwrite)


def test_an_input_that_is_still_to_be_made_is_one_too(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is an input of this command"):
        refuse(tmp_path / "new.h5", inputs=[tmp_path / "new.h5"])


@pytest.mark.parametrize("overwrite", [False, True], ids=["plain", "overwrite"])
@pytest.mark.parametrize("place", ["videos/hug/clip.avi", "videos.parts/0.h5"])
def test_a_file_in_an_input_folder_is_never_replaced(tmp_path: Path, place: str, overwrite: bool) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text("theirs")

    with pytest.raises(OutputError, match=r"lies in .*videos, an input of this command, and is not a list as"):
        refuse(path, inputs=[tmp_path / "videos"], overwrite=overwrite)


def test_an_earlier_output_in_an_input_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("ours")

    assert "the list of 3 videos" in (refuse(tmp_path / "list.csv", inputs=[tmp_path]) or "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("", "'' is not the name of a file. Name the file for a list", id="empty"),
        pytest.param("/", "'/' is not the name of a file", id="root"),
        pytest.param("folder", "folder is a folder. Name a file for a list", id="folder"),
        pytest.param(".", " is a folder", id="working folder"),
        pytest.param("/dev/null", "/dev/null is a device. Name a file", id="device"),
        pytest.param("pipe", "pipe is a pipe. Name a file", id="pipe"),
        pytest.param("/proc/list.csv", "'/proc/list.csv' cannot be written: ", id="proc"),
        pytest.param("file/list.csv", "'file/list.csv' cannot be written: Not a directory", id="below a file"),
        pytest.param("a\0b", "cannot be written: ", id="NUL"),
        pytest.param("n" * 300, "cannot be written: File name too long", id="too long"),
        pytest.param("circle/list.csv", "cannot be written: ", id="circle of links"),
        pytest.param("circle", "cannot be written: ", id="circle itself"),
    ],
)
def test_a_place_for_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("ours")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OutputError) as refused:
        refuse(name, overwrite=True)

    assert said in str(refused.value)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 100 KB, if that is allowed."""
    with mounted_disk(tmp_path, "100k") as mounted:
        yield mounted


def test_a_full_disk_is_noticed_before_work_begins(disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (disk / "big").write_bytes(bytes(1 << 20))

    with pytest.raises(OutputError, match=r"cannot be written: No space left on device\. Free disk space"):
        refuse(disk / "list.csv")


def test_a_read_only_disk_is_noticed_before_work_begins(disk: Path) -> None:
    (disk / "list.csv").write_text("ours")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    with pytest.raises(OutputError, match=r"cannot be written: Read-only file system\..*make its folder writable"):
        refuse(disk / "list.csv")
    with pytest.raises(OSError, match="Read-only"):
        prove_writable(disk)
    assert files(disk) == {"list.csv": b"ours"}


def test_a_file_named_as_a_video_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "clip.avi").write_bytes(b"RIFF")

    with pytest.raises(OutputError, match=r"clip\.avi is named as a video, and no command writes over one"):
        refuse_output(tmp_path / "clip.avi", kind="a split file", recognise=lambda _: None, overwrite=True)

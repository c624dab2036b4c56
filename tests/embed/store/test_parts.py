"""The files beside a store, and the lock of its writer."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from embed.errors import StoreBusy, StoreError
from embed.store import (
    EmbeddingStore,
    StoreWriter,
    is_store,
    merge_embeddings,
    refuse_store_place,
    repair_embeddings,
)
from embed.store.inspection import inspect_embeddings
from tests.embed.stores import PROVENANCE, append, write_store

KILLED = """
import os, signal, sys
from embed.store import whole_files
from tests.embed.stores import PROVENANCE, append
from embed.store import StoreWriter

whole_files._sync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
writer = StoreWriter(sys.argv[1], PROVENANCE)
append(writer, "a", 0)
writer.commit()
"""


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_store_whose_first_commit_was_killed_can_be_continued(tmp_path: Path, name: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / name)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.rglob("00000000-00000000.h5.*.tmp"))) == 1
    assert EmbeddingStore(write_store(tmp_path / name, ["a"])).ids == ["a"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_other_files_beside_a_store_are_left_alone(tmp_path: Path) -> None:
    mine, left_by_a_kill = tmp_path / "s.h5.backup.tmp", tmp_path / "s.h5.4711.tmp"
    mine.write_text("mine")
    left_by_a_kill.write_text("half")
    write_store(tmp_path / "s.h5", ["a"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.h5", mine.name]


@pytest.fixture(params=["a file", "nothing yet"])
def link(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A link on one disk to a store on another."""
    for place in ("small", "large"):
        (tmp_path / place).mkdir()
    if request.param == "a file":
        write_store(tmp_path / "large" / "real.h5", ["a"])
    (tmp_path / "small" / "s.h5").symlink_to(tmp_path / "large" / "real.h5")
    return tmp_path / "small" / "s.h5"


def test_a_store_behind_a_link_is_written_where_the_link_leads(link: Path) -> None:
    with StoreWriter(link, PROVENANCE) as writer:
        append(writer, "b", 1)
        writer.commit()
        assert "b" in EmbeddingStore(link)
        assert sorted(path.name for path in link.parent.iterdir()) == ["s.h5"]
    assert link.is_symlink()
    assert is_store(link)
    assert "b" in EmbeddingStore(link.resolve())
    assert [path.name for path in link.resolve().parent.iterdir()] == ["real.h5"]
    assert inspect_embeddings(link, is_verifying=True).problems == ()


def test_a_link_to_a_store_does_not_admit_a_second_writer(link: Path) -> None:
    with StoreWriter(link, PROVENANCE), pytest.raises(StoreBusy):
        StoreWriter(link.resolve(), PROVENANCE)


@pytest.mark.parametrize("name", ["s.h5", "shards"])
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match=rf"cannot be locked \({os.strerror(code)}\).*Write the store to a local"):
        StoreWriter(tmp_path / name, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_videos_is_no_store_and_the_error_shows_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "my videos" / "hug").mkdir(parents=True)
    (tmp_path / "my videos" / "hug" / "a.MP4").touch()

    with pytest.raises(StoreError, match=r"is a folder of videos, not a store\. Embed them .* embed-videos '.*' -o"):
        EmbeddingStore(tmp_path / "my videos")


def test_an_empty_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is no store\. Name the file that embed-videos wrote"):
        EmbeddingStore(tmp_path)


def test_a_store_is_not_named_like_a_video(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"fake\.mp4 is the name of a video, not of a store\. .* such as fake\.h5"):
        refuse_store_place(tmp_path / "fake.mp4")


def test_a_video_is_no_place_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "clip.avi").write_bytes(b"RIFF")

    with pytest.raises(StoreError, match=r"clip\.avi is the name of a video"):
        refuse_store_place(tmp_path / "clip.avi")


def test_a_name_that_leaves_no_room_for_those_beside_the_store_is_refused(tmp_path: Path) -> None:
    for length in (244, 249, 252, 300):
        with pytest.raises(StoreError, match=r"The name of the store .* is too long: .* Name a shorter one\."):
            refuse_store_place(tmp_path / "new folder" / f"{'n' * (length - 3)}.h5")
    with pytest.raises(StoreError, match="is too long"):
        refuse_store_place(tmp_path / ("n" * 300) / "s.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [f"{'n' * 240}.h5", "n" * 255])
def test_the_longest_names_that_are_allowed_can_be_written(tmp_path: Path, name: str) -> None:
    refuse_store_place(tmp_path / name)
    assert EmbeddingStore(write_store(tmp_path / name, ["a"])).ids == ["a"]


@pytest.mark.parametrize("command", [merge_embeddings, repair_embeddings], ids=["merge", "repair"])
def test_merge_and_repair_refuse_what_cannot_be_a_store(tmp_path: Path, command: Callable[..., object]) -> None:
    store = write_store(tmp_path / "s.h5", ["a"])
    for name, said in (("n" * 250, "is too long"), ("https://me:PW@h/x.h5?token=T", "is no place for a store")):
        with pytest.raises(StoreError, match=said) as refused:
            command([store] if command is merge_embeddings else store, name)
        assert "PW" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]


@pytest.mark.parametrize("address", ["https://me:PW@h/x.h5?token=PW", "s3://AK:PW@b/x.h5", "file:///PW/x.h5"])
@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_is_no_place_for_a_store_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, kind: Callable[[str], str | Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"is no place for a store, which is written to this machine") as refused:
        refuse_store_place(kind(address))
    assert "PW" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_folder_named_as_an_unfinished_file_is_left_alone(tmp_path: Path, name: str) -> None:
    write_store(tmp_path / name, ["a"])
    strange = tmp_path / ("shards/00000000-00000000.h5.123.tmp" if name == "shards" else "s.h5.123.tmp")
    strange.mkdir()

    assert EmbeddingStore(write_store(tmp_path / name, ["b"])).ids == ["a", "b"]
    assert strange.is_dir()


@pytest.mark.parametrize("kind", ["link", "file", "lock folder", "lock link"])
def test_what_is_in_the_way_of_the_parts_is_named_and_kept(tmp_path: Path, kind: str) -> None:
    other, parts = tmp_path / "other", tmp_path / "s.h5.parts"
    other.mkdir()
    if kind == "link":
        parts.symlink_to(other)
    elif kind == "file":
        parts.touch()
    else:
        parts.mkdir()
        (parts / "lock").mkdir() if kind == "lock folder" else (parts / "lock").symlink_to(other / "file")

    for refuse in (refuse_store_place, partial(StoreWriter, provenance=PROVENANCE)):
        with pytest.raises(StoreError, match=r"s\.h5\.parts(/lock)? is (a link|no folder|no file)"):
            refuse(tmp_path / "s.h5")
    assert not list(other.iterdir())


def test_a_link_named_as_the_folder_of_a_killed_merge_is_removed_and_not_followed(tmp_path: Path) -> None:
    store, other = write_store(tmp_path / "s.h5", ["a"]), tmp_path / "other"
    other.mkdir()
    (other / "mine").touch()
    (tmp_path / ".saved.h5.saved-99999999").symlink_to(other)
    (tmp_path / ".merged.new-99999999").symlink_to(other)

    repair_embeddings(store, tmp_path / "saved.h5")
    merge_embeddings([store], tmp_path / "merged")

    assert (other / "mine").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged", "other", "s.h5", "saved.h5"]

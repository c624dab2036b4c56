"""There is always a champion, whole, whenever a process is killed."""

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest

from classify import HeadError
from classify.refresh import HeadVersions, champion_folder


def add(versions: HeadVersions, text: str) -> str:
    place = versions.making()
    place.mkdir(parents=True)
    (place / "head.json").write_text(text)
    return versions.add({"text": text})


def promote_next(folder: Path, text: str) -> None:
    versions = HeadVersions(folder)
    with versions.lock(is_waiting=True):
        versions.promote(add(versions, text))


@pytest.fixture
def versions(tmp_path: Path) -> HeadVersions:
    return HeadVersions(tmp_path / "heads")


def test_versions_are_numbered_and_keep_their_lineage(versions: HeadVersions) -> None:
    promote_next(versions.folder, "one")
    with versions.lock():
        add(versions, "two")
    assert versions.names() == ["v0001", "v0002"]
    assert champion_folder(versions.folder) == versions.folder / "v0001"
    assert versions.lineage("v0002") == {"text": "two"}


def test_a_head_is_its_own_champion(tmp_path: Path) -> None:
    assert champion_folder(tmp_path) == tmp_path


def test_each_rollback_goes_one_champion_back_and_deletes_nothing(versions: HeadVersions) -> None:
    for text in ("one", "two", "three"):
        promote_next(versions.folder, text)
    with versions.lock():
        assert [versions.roll_back(), versions.roll_back()] == ["v0002", "v0001"]
        with pytest.raises(HeadError, match="has no earlier champion, so the head in use stays"):
            versions.roll_back()
        assert add(versions, "four") == "v0004"
    assert versions.names() == ["v0001", "v0002", "v0003", "v0004"]
    assert champion_folder(versions.folder).name == "v0001"


@pytest.mark.parametrize("text", ["", "../../etc", "v0009", "\0"])
def test_a_pointer_to_nothing_is_refused_and_leads_nowhere_else(versions: HeadVersions, text: str) -> None:
    promote_next(versions.folder, "one")
    (versions.folder / "champion").write_text(text)
    with pytest.raises(HeadError, match=r"names no version that is there\. Write one of \['v0001'\] into it"):
        champion_folder(versions.folder)


def test_two_at_once_one_leaves_with_a_message(versions: HeadVersions) -> None:
    with versions.lock(), pytest.raises(HeadError, match=r"Another process is changing .* use --wait"), versions.lock():
        pass
    with versions.lock():
        pass


def test_two_that_wait_both_add(versions: HeadVersions) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=promote_next, args=(versions.folder, name)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert versions.names() == ["v0001", "v0002", "v0003", "v0004"]
    assert sorted(str(versions.lineage(name)["text"]) for name in versions.names()) == list("abcd")


def killed_at(folder: Path, number: int, *, is_after: bool) -> None:
    """Promote another version, and die before or after one of its renames."""
    calls = 0

    def watch(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal calls
        if event == "os.rename":
            calls += 1
            if calls == number + is_after:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    promote_next(folder, "killed")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("is_after", [False, True])
def test_a_kill_at_any_rename_leaves_a_champion_and_the_next_run_goes_on(
    versions: HeadVersions, number: int, is_after: bool
) -> None:
    promote_next(versions.folder, "one")
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=killed_at, args=(versions.folder, number), kwargs={"is_after": is_after})
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL

    champion = champion_folder(versions.folder)
    assert (champion / "head.json").read_text() == json.loads((champion / "lineage.json").read_text())["text"]
    promote_next(versions.folder, "next")
    assert (champion_folder(versions.folder) / "head.json").read_text() == "next"
    assert not (versions.folder / ".making").exists()

"""A watched folder: what is whole is labelled once, copies under way wait, and a stop is no loss."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from classify import ClassifyError, Prediction, StreamConfig, watch_folders
from classify.streaming import Result, watching

LINES = StreamConfig(file_format="jsonl")


class Clock:
    """Time that passes only when the watch pauses. What happens meanwhile is a list of steps, then Ctrl-C."""

    def __init__(self, steps: list[Callable[[], object]]) -> None:
        self.now_s, self.steps, self.pauses = 0.0, iter(steps), 0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return time.time()

    def sleep(self, _: float) -> None:
        self.now_s += 1
        self.pauses += 1
        step = next(self.steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def watch(clips: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Watch the folder while steps happen, one a second, and return the ids in the order in which they were taken."""

    def run(*steps: Callable[[], object], config: StreamConfig = LINES) -> list[str]:
        taken: list[str] = []

        def take(result: Result) -> None:
            taken.append(result.video_id if isinstance(result, Prediction) else f"failed {result.id}")

        monkeypatch.setattr(watching, "time", Clock([*steps]))
        watch_folders(clips / "head", [folder], tmp_path / "out", config=config, on_result=take)
        return taken

    return run


def nothing() -> None:
    """Let a second pass."""


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_a_file_is_labelled_when_it_has_stayed_the_same_for_three_seconds(
    watch: Callable[..., list[str]], clips: Path, folder: Path, tmp_path: Path
) -> None:
    whole = (clips / "new" / "red.avi").read_bytes()
    seen: list[list[str]] = []

    def write(share: float) -> None:
        (folder / "a.avi").write_bytes(whole[: int(share * len(whole))])

    def look() -> None:
        seen.append(ids_in(tmp_path / "out"))

    copying = [lambda: write(0.3), nothing, lambda: write(0.6), nothing, nothing, lambda: write(1)]
    found = watch(*copying, look, look, look, look, look)

    assert found == ["a.avi"]
    assert [len(own) for own in seen] == sorted(len(own) for own in seen)
    assert seen[1] == []
    assert seen[-1] == ["a.avi"]


def test_what_lies_there_before_is_labelled_at_once_and_only_once(
    watch: Callable[..., list[str]], clips: Path, folder: Path, tmp_path: Path
) -> None:
    for name in ("red.avi", "both.avi"):
        os.utime(shutil.copy(clips / "new" / name, folder / name), (1, 1))
    assert sorted(watch(nothing)) == ["both.avi", "red.avi"]
    shutil.copy(clips / "new" / "red.avi", folder / "c.avi")
    with (tmp_path / "out").open("ab") as file:
        file.write(b'{"id": "c.av')  # torn by a kill

    again = watch(nothing, nothing, nothing, nothing)

    assert again == ["c.avi"]
    assert ids_in(tmp_path / "out")[2:] == ["c.avi"]
    assert (tmp_path / "out.unfinished").exists()


def test_a_broken_file_is_tried_again_when_it_changes(
    watch: Callable[..., list[str]], clips: Path, folder: Path
) -> None:
    (folder / "a.avi").write_bytes(b"no video")
    os.utime(folder / "a.avi", (1, 1))
    whole = (clips / "new" / "red.avi").read_bytes()
    found = watch(nothing, nothing, lambda: (folder / "a.avi").write_bytes(whole), *[nothing] * 5)
    assert found == ["failed a.avi", "a.avi"]


def test_a_folder_may_be_empty_and_files_may_go(
    watch: Callable[..., list[str]], clips: Path, folder: Path, tmp_path: Path
) -> None:
    steps = [
        lambda: shutil.copy(clips / "new" / "red.avi", folder / "a.avi"),
        lambda: (folder / "a.avi").unlink(),
        lambda: (folder / "notes.txt").write_text("no video"),
    ]
    assert watch(*steps, *[nothing] * 4) == []
    assert (tmp_path / "out").read_text() == ""


def test_a_csv_grows_row_by_row(watch: Callable[..., list[str]], clips: Path, folder: Path, tmp_path: Path) -> None:
    os.utime(shutil.copy(clips / "new" / "red.avi", folder / "a.avi"), (1, 1))
    rows: list[int] = []

    def look() -> None:
        rows.append((tmp_path / "out").read_text().count("\n"))

    watch(look, look, config=StreamConfig())
    assert rows == [2, 2]


@pytest.mark.parametrize(
    ("source", "config", "message"),
    [
        ("head", StreamConfig(file_format="parquet"), r"--watch writes each row.*--format parquet has an end. Use"),
        ("embeddings.h5", LINES, r"--watch is for folders, and .*embeddings.h5 is none"),
        ("nowhere", LINES, r"nowhere is none. Name the folder that videos arrive in"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    clips: Path, tmp_path: Path, source: str, config: StreamConfig, message: str
) -> None:
    with pytest.raises(ClassifyError, match=message):
        watch_folders(clips / "head", [clips / source], tmp_path / "out", config=config)

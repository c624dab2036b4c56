"""Corrections are never lost, never half there, and can be taken back."""

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from classify import LabelError
from classify.corrections import Correction, CorrectionLog, state_path
from classify.data import LabelConfig, read_labels
from embed import EmbeddingStore


@pytest.fixture
def log(tmp_path: Path) -> CorrectionLog:
    return CorrectionLog(tmp_path / "e.state.sqlite")


def labels_in(log: CorrectionLog) -> dict[str, tuple[str, ...] | None]:
    return {video_id: correction.labels for video_id, correction in log.current().items()}


def test_the_last_correction_of_a_video_holds_and_all_are_kept(log: CorrectionLog) -> None:
    assert (log.current(), log.version()) == ({}, 0)
    assert not log.path.exists()  # who only reads makes no file

    log.append([Correction("a.mp4", ("hug",), "4f"), Correction("b.mp4", ())], who="Ada")
    log.append([Correction("a.mp4", ("kick", "hug", "kick"))])

    assert labels_in(log) == {"a.mp4": ("kick", "hug"), "b.mp4": ()}
    assert [(one.video_id, one.labels, one.who, one.batch) for one in log.history()] == [
        ("a.mp4", ("hug",), "Ada", 1),
        ("b.mp4", (), "Ada", 1),
        ("a.mp4", ("kick", "hug"), "", 2),
    ]
    assert log.history()[0].content_hash == "4f"
    assert log.version() == 2


def test_an_undo_brings_back_what_held_before_and_can_be_undone(log: CorrectionLog) -> None:
    log.append([Correction("a.mp4", ("hug",))])
    second = log.append([Correction("a.mp4", ("kick",)), Correction("b.mp4", ("hug",))])

    undo = log.undo(second)
    assert labels_in(log) == {"a.mp4": ("hug",)}
    redo = log.undo(undo)
    assert labels_in(log) == {"a.mp4": ("kick",), "b.mp4": ("hug",)}
    log.undo(redo)
    assert labels_in(log) == {"a.mp4": ("hug",)}
    assert len(log.history()) == 3
    with pytest.raises(LabelError, match=f"The batch {second} of corrections is taken back already"):
        log.undo(second)
    with pytest.raises(LabelError, match="There is no batch 99"):
        log.undo(99)


def test_nobody_knowing_any_more_leaves_the_video_to_its_labels(log: CorrectionLog) -> None:
    log.append([Correction("a.mp4", ("hug",))])
    log.append([Correction("a.mp4", None)])
    assert log.current() == {}


def test_names_of_any_bytes_come_back(log: CorrectionLog) -> None:
    log.append([Correction("f\udce9.mp4", ("caf\udce9", "<b>'; drop table corrections"))])
    assert labels_in(log) == {"f\udce9.mp4": ("caf\udce9", "<b>'; drop table corrections")}


@pytest.mark.parametrize("name", ["", " ", "a|b", "a\0b", "x" * 1001])
def test_what_cannot_be_a_label_is_refused_before_anything_is_stored(log: CorrectionLog, name: str) -> None:
    with pytest.raises(LabelError, match="cannot be a label or a name: it needs 1 to 1,000 characters"):
        log.append([Correction("a.mp4", ("hug",)), Correction("b.mp4", (name,))])
    with pytest.raises(LabelError, match="There is no correction to store"):
        log.append([])
    assert not log.path.exists()


def test_a_file_of_something_else_is_refused_and_stays(log: CorrectionLog) -> None:
    log.path.write_text("my notes, which are no database")
    with pytest.raises(LabelError, match=r"e\.state\.sqlite cannot be written: file is not a database"):
        log.append([Correction("a.mp4", ("hug",))])
    assert log.path.read_text() == "my notes, which are no database"


def test_the_label_file_trains(log: CorrectionLog, toy_store: Path, tmp_path: Path) -> None:
    log.append([Correction("hug/00.mp4", ("kick",)), Correction("hug/01.mp4", ("hug", "wave"))], who="Ada, at night")
    log.append([Correction("gone.mp4", ("hug",))])
    (tmp_path / "c.csv").write_text(log.to_csv())

    with EmbeddingStore(toy_store) as store:
        table = read_labels(store, LabelConfig(str(tmp_path / "c.csv")))

    assert {video_id: table.labels_of(row) for row, video_id in enumerate(table.ids)} == {
        "hug/00.mp4": "kick",
        "hug/01.mp4": "hug|wave",
    }


def test_it_lies_beside_the_store() -> None:
    assert state_path(Path("sets") / "shards") == Path("sets/shards.state.sqlite")


def correct_many(path: Path, name: str, count: int) -> None:
    log = CorrectionLog(path)
    for number in range(count):
        log.append([Correction(f"{name}-{number}-{part}.mp4", ("hug",)) for part in range(3)], who=name)


def test_two_processes_lose_nothing_of_each_other(log: CorrectionLog) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=correct_many, args=(log.path, name, 10)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(log.current()) == 2 * 10 * 3
    assert log.version() == 20


def test_a_killed_process_leaves_whole_batches(log: CorrectionLog) -> None:
    worker = multiprocessing.get_context("fork").Process(target=correct_many, args=(log.path, "a", 10**6))
    worker.start()
    while not log.path.exists() or log.version() < 3:
        time.sleep(0.01)
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()

    batches = [one.batch for one in log.history()]
    assert all(batches.count(batch) == 3 for batch in set(batches))
    assert log.append([Correction("b.mp4", ("hug",))]) == max(batches) + 1
    with sqlite3.connect(log.path) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)

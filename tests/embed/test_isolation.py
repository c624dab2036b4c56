import os
import signal
import time
from pathlib import Path

import pytest

from embed.errors import StoreBusy, StoreDamaged
from embed.isolation import read_apart


def add_to_name(path: Path, text: str) -> str:
    return path.name + text


def hang(_: Path) -> None:
    time.sleep(1000)


def crash(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse(path: Path) -> None:
    raise StoreBusy(f"{path} is busy")


def fail(_: Path) -> None:
    raise LookupError("no such thing")


def test_the_answer_of_another_process_comes_back(tmp_path: Path) -> None:
    assert read_apart(add_to_name, tmp_path / "a", "b") == "ab"


def test_what_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="had no end, and was stopped after 2 s"):
        read_apart(hang, tmp_path / "a", limit_s=2)


def test_what_crashes_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match=r"a is damaged: reading it crashed \(SIGSEGV\)"):
        read_apart(crash, tmp_path / "a")


def test_an_error_of_ours_comes_back_as_itself(tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="a is busy"):
        read_apart(refuse, tmp_path / "a")


def test_another_error_says_what_it_was(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="LookupError: no such thing"):
        read_apart(fail, tmp_path / "a")

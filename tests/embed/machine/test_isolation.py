import os
import signal
import time
from pathlib import Path

import pytest

from embed.errors import StoreBusy, StoreDamaged
from embed.machine.isolation import read_apart, reading_limit_s


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


def test_a_call_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="did not end and was stopped after 2 s"):
        read_apart(hang, tmp_path / "a", limit_s=2)


def test_a_call_that_crashes_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match=r"a is damaged: reading it crashed \(SIGSEGV\)"):
        read_apart(crash, tmp_path / "a")


def test_an_error_of_ours_comes_back_as_itself(tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="a is busy"):
        read_apart(refuse, tmp_path / "a")


def test_another_error_is_reported_with_its_text(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="LookupError: no such thing"):
        read_apart(fail, tmp_path / "a")


def test_a_module_in_the_working_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('not mine')")
    monkeypatch.chdir(tmp_path)
    assert read_apart(add_to_name, tmp_path / "a", "b") == "ab"


def test_the_time_limit_is_enough_for_all_files_on_a_slow_disk(tmp_path: Path) -> None:
    for path, size in (("s.h5", 4_000_000), ("s.h5.parts/0.h5", 40_000_000), ("s.h5.parts/1.h5", 400_000_000)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
        os.truncate(tmp_path / path, size)
    assert reading_limit_s(tmp_path / "s.h5", tmp_path / "s.h5.parts") == 60 + 1 + 10 + 100
    assert reading_limit_s(tmp_path / "absent.h5") == 60

"""Folders too deep and names of other encodings are found, or refused with what to do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from embed.errors import SourceError
from embed.sources import find_videos, is_gone, is_same_place


def test_a_folder_of_more_levels_than_python_calls_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1300):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.mp4").touch()
    os.chdir(tmp_path)
    Path("z.mp4").touch()

    assert [video.id for video in find_videos(".")] == ["d/" * 1300 + "a.mp4", "z.mp4"]
    with pytest.raises(SourceError, match=r"too deep for a pattern\. Name the folder in place of the pattern"):
        find_videos("**/*.mp4")
    subprocess.run(["rm", "-rf", "d"], check=True)


def test_a_listed_name_that_the_encoding_of_the_system_lacks_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("v/é猫.mp4\n", encoding="utf-8")
    code = "from embed.sources import find_videos; find_videos('list.txt')"
    environment = {
        **os.environ,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
        "PYTHONPATH": str(Path.cwd()),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert re.search(r"SourceError: list\.txt, entry 1: names of files are ascii here.*Set PYTHONUTF8=1\.", done.stderr)


def test_a_place_with_a_nul_is_another_place_and_no_error(tmp_path: Path) -> None:
    assert not is_same_place(f"{tmp_path}/a\0b.mp4", f"{tmp_path}/a.mp4")
    assert not is_gone(f"{tmp_path}/a\0b.mp4")

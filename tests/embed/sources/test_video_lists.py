from pathlib import Path

import pytest

from embed.errors import SourceError
from embed.sources.videos import find_videos


def test_an_entry_with_a_nul_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,id\na.mp4,a\nb.mp4,b\0\n")
    with pytest.raises(SourceError, match=r"list.csv, entry 2: a path or id has a NUL in it. Write the list again"):
        find_videos([tmp_path / "list.csv"])

from pathlib import Path

import pytest

from classify.files import write_whole


def test_a_text_is_written_as_it_is_and_its_folder_is_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.csv", "id\nä\n")

    assert (tmp_path / "new" / "a.csv").read_bytes() == "id\nä\n".encode()


def test_an_older_file_is_replaced_and_nothing_is_left_beside(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("older and longer")

    write_whole(tmp_path / "a.csv", "new")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_a_text_that_cannot_be_written_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("older")

    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.csv", "\ud800")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]

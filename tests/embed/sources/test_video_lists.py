from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from embed.errors import SourceError
from embed.sources.videos import find_videos


def test_an_entry_with_a_nul_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,id\na.mp4,a\nb.mp4,b\0\n")
    with pytest.raises(SourceError, match=r"list.csv, entry 2: a path or id has a NUL in it. Write the list again"):
        find_videos([tmp_path / "list.csv"])


@pytest.mark.parametrize(
    ("name", "separator"), [("list.csv", ";"), ("list.csv", "\t"), ("list.tsv", "\t"), ("list.tsv", ",")]
)
def test_a_list_may_have_semicolons_or_tabs_between_its_columns(name: str, separator: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f"title{separator}PATH{separator}id\nA{separator}a.mp4{separator}x\n")
    assert [(video.id, video.location) for video in find_videos(tmp_path / name)] == [("x", str(tmp_path / "a.mp4"))]


def test_two_columns_of_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,Path\na.mp4,b.mp4\n")
    columns = [pa.array(["a.mp4"]), pa.array(["b.mp4"])]
    parquet.write_table(pa.table(columns, names=["path", "path"]), tmp_path / "list.parquet")
    for name in ("list.csv", "list.parquet"):
        with pytest.raises(SourceError, match=rf"{name} has 2 columns `path`. Keep one of them"):
            find_videos(tmp_path / name)


@pytest.mark.parametrize("values", [[b"a.mp4"], [["a.mp4"]], [1]], ids=["bytes", "lists", "numbers"])
def test_a_parquet_column_that_has_no_texts_is_refused(values: list[object], tmp_path: Path) -> None:
    parquet.write_table(pa.table({"path": values}), tmp_path / "list.parquet")
    with pytest.raises(
        SourceError, match=r"The column path of .*list.parquet has values of the type .* Write paths as"
    ):
        find_videos(tmp_path / "list.parquet")


def test_a_column_of_categories_is_one_of_texts(tmp_path: Path) -> None:
    column = pa.array(["a.mp4"]).dictionary_encode()
    parquet.write_table(pa.table({"path": column}), tmp_path / "list.parquet")
    assert [video.id for video in find_videos(tmp_path / "list.parquet")] == ["a.mp4"]


def test_a_damaged_utf_16_list_is_not_said_to_be_of_windows(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path\na.mp4\n".encode("utf-16") + b"x")
    with pytest.raises(SourceError, match=r"list.csv begins as UTF-16, but is damaged. Write it again, as UTF-8"):
        find_videos(tmp_path / "list.csv")

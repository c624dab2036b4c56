from pathlib import Path

import pytest

from embed.errors import SourceError
from embed.videos import Video, find_videos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cats/b.mp4", "cats/a.MKV", "dogs/c.webm", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_gives_its_videos_sorted_with_ids_below_it(folder: Path) -> None:
    assert [video.id for video in find_videos([folder])] == ["cats/a.MKV", "cats/b.mp4", "dogs/c.webm"]


def test_a_single_file_may_have_any_ending(folder: Path) -> None:
    assert find_videos([folder / "notes.md"]) == [Video("notes.md", str(folder / "notes.md"))]


def test_a_csv_list_is_relative_to_its_own_folder(folder: Path) -> None:
    (folder / "list.csv").write_text("path,label\ncats/b.mp4,cat\n\ndogs/c.webm,dog\n")
    videos = find_videos([folder / "list.csv"])
    assert videos[1] == Video("dogs/c.webm", str(folder / "dogs/c.webm"))


def test_an_id_column_names_the_videos(folder: Path) -> None:
    (folder / "list.csv").write_text("id,path\nfelix,cats/b.mp4\n,dogs/c.webm\n")
    assert [video.id for video in find_videos([folder / "list.csv"])] == ["felix", "dogs/c.webm"]


def test_a_spreadsheets_byte_order_mark_hides_no_column(folder: Path) -> None:
    (folder / "list.csv").write_text("path\ncats/b.mp4\n", encoding="utf-8-sig")
    assert [video.id for video in find_videos([folder / "list.csv"])] == ["cats/b.mp4"]


def test_a_text_list_has_a_path_a_line_and_comments(folder: Path) -> None:
    (folder / "list.txt").write_text("# mine\ncats/b.mp4\n\ndogs/c.webm\n")
    assert [video.id for video in find_videos([folder / "list.txt"])] == ["cats/b.mp4", "dogs/c.webm"]


def test_a_listed_path_inside_the_folder_gets_the_same_id_as_the_folder_gives(folder: Path) -> None:
    (folder / "list.txt").write_text(f"{folder / 'cats/b.mp4'}\n")
    assert find_videos([folder / "list.txt"])[0].id == "cats/b.mp4"


def test_a_listed_file_that_is_absent_is_still_a_video(folder: Path) -> None:
    (folder / "list.txt").write_text("gone.mp4\n")
    assert find_videos([folder / "list.txt"])[0].id == "gone.mp4"


def test_the_same_video_named_twice_is_one_video(folder: Path) -> None:
    assert len(find_videos([folder, folder])) == 3


def test_two_files_of_one_id_are_refused_with_a_way_out(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "cats"
    other.mkdir(parents=True)
    (other / "b.mp4").touch()
    with pytest.raises(SourceError, match=r"would both be called 'cats/b.mp4'.*CSV list with an id column"):
        find_videos([folder / "cats" / "..", folder / "other"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("absent", None, r"does not exist. Name a folder", id="an absent source"),
        pytest.param(
            "a.csv", "file,label\nx,y\n", r"columns file, label, but no `path`. Name the column", id="no path column"
        ),
        pytest.param("a.csv", "path\n", r"lists no video. Write one path a row", id="an empty list"),
    ],
)
def test_a_source_without_videos_says_what_to_do(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=message):
        find_videos([tmp_path / name])


def test_a_folder_without_videos_lists_the_endings(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no video file.*\.mp4"):
        find_videos([tmp_path])

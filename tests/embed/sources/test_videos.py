import codecs
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pytest
from fsspec.implementations.ftp import FTPFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from pyarrow import parquet

from embed.errors import SourceError
from embed.sources.videos import Video, find_videos
from tests.buckets import bucket


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cats/b.mp4", "cats/a.MKV", "dogs/c.webm", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_gives_its_videos_sorted_by_their_path_below_it(folder: Path) -> None:
    assert [video.id for video in find_videos([folder])] == ["cats/a.MKV", "cats/b.mp4", "dogs/c.webm"]


def test_a_link_to_a_folder_is_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "deep").mkdir()
    (elsewhere / "deep" / "d.mp4").touch()
    (folder / "birds").symlink_to(elsewhere)
    assert find_videos([folder])[0].id == "birds/deep/d.mp4"


@pytest.mark.parametrize("target", ["..", "../cats", "."], ids=["folder above", "folder beside", "folder itself"])
def test_a_link_to_a_folder_that_is_searched_anyway_adds_no_video(folder: Path, target: str) -> None:
    (folder / "cats" / "again").symlink_to(target)
    assert [video.id for video in find_videos([folder])] == ["cats/a.MKV", "cats/b.mp4", "dogs/c.webm"]


def test_folders_that_link_to_each_other_are_searched_once(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mp4").touch()
        (tmp_path / name / "link").symlink_to(tmp_path / other)
    assert [video.id for video in find_videos([tmp_path / "a"])] == ["a.mp4", "link/b.mp4"]


def test_a_single_file_may_have_any_suffix(folder: Path) -> None:
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig"])
@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_a_list_is_read_in_every_encoding_that_has_a_byte_order_mark(
    tmp_path: Path, ending: str, encoding: str
) -> None:
    text = "path\ncafé/猫.mp4\n" if ending == "csv" else "café/猫.mp4\n"
    big_endian = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    (tmp_path / f"list.{ending}").write_bytes(big_endian if encoding == "utf-16-be-sig" else text.encode(encoding))
    assert [video.id for video in find_videos([tmp_path / f"list.{ending}"])] == ["café/猫.mp4"]


@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_a_list_in_another_encoding_says_how_to_save_it(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"my list.{ending}").write_text("path\na.mp4\ncafé.mp4\n", encoding="cp1252")
    message = rf"is not UTF-8 \(line 3\)\. Save it as UTF-8 .*iconv -f WINDOWS-1252 -t UTF-8 '.*my list.{ending}' > new"
    with pytest.raises(SourceError, match=message):
        find_videos([tmp_path / f"my list.{ending}"])


def test_a_quote_that_is_never_closed_is_reported_with_a_line(tmp_path: Path) -> None:
    rows = "".join(f"{number}.mp4,a title\n" for number in range(20_000))
    (tmp_path / "list.csv").write_text(f'path,title\na.mp4,"a title\n{rows}')
    with pytest.raises(SourceError, match=r"cannot be read at line \d+: field larger .*quote that is not closed"):
        find_videos([tmp_path / "list.csv"])


def test_a_text_list_has_one_path_per_line_and_may_have_comments(folder: Path) -> None:
    (folder / "list.txt").write_text("# mine\ncats/b.mp4\n\ndogs/c.webm\n")
    assert [video.id for video in find_videos([folder / "list.txt"])] == ["cats/b.mp4", "dogs/c.webm"]


def test_a_listed_path_gets_the_same_id_as_from_a_search_of_the_folder(folder: Path) -> None:
    (folder / "list.txt").write_text(f"{folder / 'cats/b.mp4'}\n")
    assert find_videos([folder / "list.txt"])[0].id == "cats/b.mp4"


@pytest.mark.parametrize("spelling", ["list.txt", "cats/../list.txt", "../{}/list.txt"])
def test_ids_do_not_depend_on_how_the_lists_path_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "list.txt").write_text(f"{folder / 'cats/b.mp4'}\ndogs/c.webm\n")
    assert [video.id for video in find_videos([spelling.format(folder.name)])] == ["cats/b.mp4", "dogs/c.webm"]


def test_a_listed_path_that_begins_with_its_lists_folder_name_is_still_below_that_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "cats" / "list.txt").write_text("cats/a.mp4\na.mp4\n../dogs/c.webm\n")
    ids = [video.id for video in find_videos(["cats/list.txt"])]
    assert ids == ["cats/a.mp4", "a.mp4", "../dogs/c.webm"]


def test_a_listed_file_that_is_absent_is_still_a_video(folder: Path) -> None:
    (folder / "list.txt").write_text("gone.mp4\n")
    assert find_videos([folder / "list.txt"])[0].id == "gone.mp4"


def test_the_same_video_named_twice_is_one_video(folder: Path) -> None:
    assert len(find_videos([folder, folder])) == 3


@pytest.mark.parametrize("kind", [str, Path])
def test_one_source_needs_no_list(folder: Path, kind: type[str] | type[Path]) -> None:
    assert find_videos(kind(folder)) == find_videos([folder])


def test_two_files_with_one_id_are_refused_and_the_error_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "cats"
    other.mkdir(parents=True)
    (other / "b.mp4").touch()
    with pytest.raises(SourceError, match=r"called 'cats/b.mp4'. Name a folder that both lie in.*or a CSV list"):
        find_videos([folder / "cats" / "..", folder / "other"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("absent", None, r"does not exist. Give a folder", id="an absent source"),
        pytest.param(
            "a.csv",
            "file,label\nx,y\n",
            r"file, label, but no `path`.* Name the column",
            id="no path column",
        ),
        pytest.param("a.csv", "path\n", r"lists no video. Write one path or address per row", id="an empty list"),
    ],
)
def test_a_source_without_videos_says_what_to_do(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=message):
        find_videos([tmp_path / name])


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        pytest.param("**/*.mp4", ["cats/b.mp4"], id="recursive"),
        pytest.param("*/[bc].*", ["cats/b.mp4", "dogs/c.webm"], id="stars and sets"),
        pytest.param("cats/*", ["a.MKV", "b.mp4"], id="fixed folder"),
    ],
)
def test_a_pattern_gives_the_same_ids_as_its_fixed_folder(folder: Path, pattern: str, ids: list[str]) -> None:
    assert [video.id for video in find_videos([f"{folder}/{pattern}"])] == ids


def test_a_pattern_that_matches_no_video_says_so(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"\*\.md holds no video file"):
        find_videos([f"{folder}/*.md"])


def test_a_list_of_links_with_titles_works_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "topics.csv").write_text(
        "link,title,description,category\n"
        'https://www.youtube.com/watch?v=dQw4w9WgXcQ,A song,"One, with a comma",music\n'
        "https://www.youtube.com/watch?v=9bZkp7q19f0,Another,,music\n"
    )
    videos = find_videos([tmp_path / "topics.csv"])
    assert videos[0] == Video("watch?v=dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ")
    assert len(videos) == 2


@pytest.mark.parametrize("column", ["path", "link", "url", "URL"])
def test_the_path_column_has_one_of_three_names(folder: Path, column: str) -> None:
    (folder / "list.csv").write_text(f"title,{column}\na cat,cats/b.mp4\n")
    assert [video.id for video in find_videos([folder / "list.csv"])] == ["cats/b.mp4"]


def test_a_parquet_list_has_the_columns_of_a_csv_list(folder: Path) -> None:
    table = pyarrow.table({"path": ["cats/b.mp4", None, "dogs/c.webm"], "id": [7, 8, None]})
    parquet.write_table(table, folder / "list.parquet")
    assert find_videos([folder / "list.parquet"]) == [
        Video("7", str(folder / "cats/b.mp4")),
        Video("dogs/c.webm", str(folder / "dogs/c.webm")),
    ]


def test_a_damaged_parquet_list_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "list.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"cannot be read as a Parquet file. Write it again"):
        find_videos([tmp_path / "list.parquet"])


def test_an_address_is_a_video_whose_id_is_all_after_the_host() -> None:
    assert find_videos(["https://host/cats/b.mp4"]) == [Video("cats/b.mp4", "https://host/cats/b.mp4")]


def test_secrets_of_an_address_are_kept_only_for_fetching() -> None:
    (video,) = find_videos(["https://me:hush@host/b.mp4?X-Amz-Signature=hush"])
    assert video.address == "https://me:hush@host/b.mp4?X-Amz-Signature=hush"
    assert "hush" not in f"{video} {video.id} {video.location}"


def test_links_that_differ_only_in_secrets_are_refused_and_the_secrets_are_not_shown() -> None:
    with pytest.raises(SourceError, match=r"Two links to https://host/a.mp4 differ only in what signs them") as caught:
        find_videos(["https://host/a.mp4?token=hush", "https://host/a.mp4?token=hush2"])
    assert "hush" not in str(caught.value)


def test_an_address_with_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(
        SourceError,
        match=r"gopher://\(hidden\) has the scheme gopher, which is not allowed\. Allowed are http, https, s3",
    ):
        find_videos(["gopher://host/a.mp4"])


def test_a_missing_extra_is_named_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)  # what fsspec has imported so far
    with pytest.raises(SourceError, match=r"s3:// needs a package .*pip install '\.\[s3\]'"):
        find_videos(["s3://bucket/a.mp4"])


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    keys = ("v/b.mp4", "v/deep/a.mkv", "v/notes.md", "odd")
    with bucket(dict.fromkeys(keys, b"x"), monkeypatch) as address:
        yield address


@pytest.mark.parametrize(
    ("below", "ids"),
    [
        pytest.param("v/", ["b.mp4", "deep/a.mkv"], id="prefix"),
        pytest.param("v", ["b.mp4", "deep/a.mkv"], id="prefix without its slash"),
        pytest.param("v/**/*.mkv", ["deep/a.mkv"], id="pattern"),
        pytest.param("odd", ["odd"], id="one object without a suffix"),
    ],
)
def test_a_remote_stores_prefix_is_searched_like_a_folder(store: str, below: str, ids: list[str]) -> None:
    videos = find_videos([f"{store}/{below}"])
    assert [video.id for video in videos] == ids


def test_a_remote_video_keeps_the_address_to_fetch_it_from(store: str) -> None:
    assert find_videos([f"{store}/v/"])[1].location == f"{store}/v/deep/a.mkv"


class FolderBehindALogin(MemoryFileSystem):
    """A server's folder whose files are listed by path only, without host and login, as with FTP, SFTP and SMB."""

    protocol = "ftp"
    store: dict[str, object] = {}  # noqa: RUF012 (fsspec's own way)
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(FTPFileSystem._strip_protocol(path)).rstrip("/")


@pytest.mark.parametrize("below", ["v/", "v", "v/**/*.m*", ""])
def test_a_video_behind_a_login_keeps_its_server_and_login(below: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_registry, "ftp", FolderBehindALogin)
    FolderBehindALogin().pipe("/v/deep/a.mp4", b"x")
    (video,) = find_videos([f"ftp://me:hush@server/{below}"])
    assert video.address == "ftp://me:hush@server/v/deep/a.mp4"
    assert video.location == "ftp://server/v/deep/a.mp4"
    assert video.id == ("deep/a.mp4" if below else "v/deep/a.mp4")


def test_a_remote_prefix_that_holds_nothing_says_so(store: str) -> None:
    with pytest.raises(SourceError, match=r"s3://bucket-.*/none/ (holds no video file|cannot be listed)"):
        find_videos([f"{store}/none/"])


def test_a_folder_without_videos_lists_the_suffixes(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no video file.*\.mp4"):
        find_videos([tmp_path])


@pytest.fixture
def as_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in the folder as a user to whom permissions apply, even if the tests run as root."""
    user = os.geteuid()
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def forbidden(folder: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Forbid reading a part of the folder; the parameter is a path below it, and the permissions of that path."""
    name, mode = request.param
    (folder / "list.txt").write_text("cats/b.mp4\n")
    (folder / "lost+found").mkdir()
    (folder / name).chmod(mode)
    yield
    (folder / name).chmod(0o700)


@pytest.mark.parametrize(
    ("forbidden", "source", "named"),
    [
        pytest.param(("dogs", 0o000), ".", "dogs", id="a folder that may not be listed"),
        pytest.param(("dogs", 0o444), ".", "dogs/c.webm", id="a folder whose files may not be accessed"),
        pytest.param(("dogs", 0o444), "d*/*", "dogs/c.webm", id="such files, found by a pattern"),
        pytest.param(("dogs", 0o000), "dogs/c.webm", "dogs/c.webm", id="a file inside"),
        pytest.param(("list.txt", 0o000), "list.txt", "list.txt", id="a list"),
    ],
    indirect=["forbidden"],
)
@pytest.mark.usefixtures("forbidden", "as_nobody")
def test_what_may_not_be_read_is_named_and_never_skipped_silently(source: str, named: str) -> None:
    message = rf"{named} cannot be read: Permission denied\. Make it readable, or give sources that do not include it"
    with pytest.raises(SourceError, match=message):
        find_videos([source])


@pytest.mark.parametrize("forbidden", [("lost+found", 0o000)], indirect=True)
@pytest.mark.usefixtures("forbidden", "as_nobody")
def test_an_unreadable_lost_and_found_folder_is_skipped() -> None:
    assert "cats/b.mp4" in {video.id for video in find_videos(["."])}

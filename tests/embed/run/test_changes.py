"""Videos whose names are in the store but whose files differ: changed, moved, or in another folder."""

import os
import shutil
from pathlib import Path

import pytest

from embed import EmbedConfig, embed_videos
from embed.errors import SourceError
from embed.store import EmbeddingStore
from embed.video.sampling import UniformFrames
from tests.media import BarReader, spelled_numbers, write_video
from tests.servers import faulty_server

CONFIG = EmbedConfig(sampling=UniformFrames(3))


def write_folder(folder: Path, first: int) -> Path:
    """Write 0.mp4 and 1.mp4, whose frames are numbered from `first` on."""
    folder.mkdir()
    for number in range(2):
        write_video(folder / f"{number}.mp4", 9, numbers=range(first + number, first + number + 9))
    return folder


def embed(source: Path, store: Path) -> tuple[int, int, int]:
    """Return how many videos were embedded, were there already, and failed."""
    summary = embed_videos([source], store, CONFIG, encoder=BarReader())
    return summary.embedded, summary.skipped, summary.failed


@pytest.mark.parametrize("is_first_there", [True, False], ids=["the first there still", "the first gone"])
def test_a_second_folder_with_the_same_names_is_refused_and_nothing_lost(tmp_path: Path, is_first_there: bool) -> None:
    first, second = write_folder(tmp_path / "a", 0), write_folder(tmp_path / "b", 100)
    embed(first, tmp_path / "s.h5")
    if not is_first_there:
        shutil.rmtree(first)
    before = (tmp_path / "s.h5").read_bytes()
    message = (
        rf"0\.mp4 in .*s\.h5 was embedded from {first}/0\.mp4, but {second}/0\.mp4 is another video of that name\. "
        r"The same is true of 1 other video\. Embed a folder above both, so that their names differ, or write to "
        r"another store with -o"
    )
    with pytest.raises(SourceError, match=message):
        embed(second, tmp_path / "s.h5")
    assert (tmp_path / "s.h5").read_bytes() == before


def test_the_folder_above_two_folders_with_the_same_names_is_embedded_completely(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", 0)
    write_folder(tmp_path / "b", 100)
    assert embed(tmp_path, tmp_path / "s.h5") == (4, 0, 0)
    vectors = EmbeddingStore(tmp_path / "s.h5").read("b/0.mp4").vectors
    assert spelled_numbers(vectors) == [101, 104, 107]


def test_a_folder_that_has_moved_is_not_embedded_again(tmp_path: Path) -> None:
    embed(write_folder(tmp_path / "a", 0), tmp_path / "s.h5")
    (tmp_path / "a").rename(tmp_path / "b")
    os.utime(tmp_path / "b" / "0.mp4", (0, 0))
    assert embed(tmp_path / "b", tmp_path / "s.h5") == (0, 2, 0)


def test_a_copy_of_a_folder_is_not_embedded_again(tmp_path: Path) -> None:
    embed(write_folder(tmp_path / "a", 0), tmp_path / "s.h5")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert embed(tmp_path / "b", tmp_path / "s.h5") == (0, 2, 0)


def test_a_changed_file_is_also_found_by_a_link_to_its_folder(tmp_path: Path) -> None:
    embed(write_folder(tmp_path / "a", 0), tmp_path / "s.h5")
    write_video(tmp_path / "a" / "1.mp4", 20)
    (tmp_path / "b").symlink_to("a")
    assert embed(tmp_path / "b", tmp_path / "s.h5") == (1, 1, 0)


def test_two_folders_that_are_both_called_dot_are_two_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, first in (("a", 0), ("b", 100)):
        write_folder(tmp_path / name, first)
    monkeypatch.chdir(tmp_path / "a")
    embed(Path(), tmp_path / "s.h5")
    monkeypatch.chdir(tmp_path / "b")
    with pytest.raises(SourceError, match="is another video of that name"):
        embed(Path(), tmp_path / "s.h5")


def test_a_file_name_with_a_colon_is_not_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "Dune:Part2.mp4", 9)
    monkeypatch.chdir(tmp_path)
    assert embed(Path(), tmp_path / "s.h5") == (1, 0, 0)


def test_a_failure_in_another_folder_does_not_prevent_a_video_from_being_tried(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.mp4").write_text("x")
    assert embed(tmp_path / "a", tmp_path / "s.h5") == (0, 0, 1)
    assert embed(write_folder(tmp_path / "b", 0), tmp_path / "s.h5") == (2, 0, 0)


def test_a_link_to_another_address_of_the_same_name_is_refused(tmp_path: Path) -> None:
    content = write_video(tmp_path / "a.mp4", 9).read_bytes()
    (tmp_path / "list.csv").write_text("link\n")
    with faulty_server() as one, faulty_server() as other:
        for server in (one, other):
            server.files["/v/a.mp4"] = content
        for server in (one, one):
            (tmp_path / "list.csv").write_text(f"link\n{server.url}/v/a.mp4\n")
            embed(tmp_path / "list.csv", tmp_path / "s.h5")
        (tmp_path / "list.csv").write_text(f"link\n{other.url}/v/a.mp4\n")
        with pytest.raises(SourceError, match=rf"from {one.url}/v/a\.mp4, but {other.url}/v/a\.mp4 is another video"):
            embed(tmp_path / "list.csv", tmp_path / "s.h5")

import os
from pathlib import Path

import pytest

from embed.errors import SourceError, VideoError
from embed.sources.file_states import WatchedFile
from embed.sources.roots import roots_of
from embed.sources.videos import find_videos


@pytest.mark.parametrize("pattern", ["**.mp4", "**/x**.mp4"])
def test_a_pattern_with_stars_inside_a_name_says_how_it_is_written(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(SourceError, match=r"\*\* must stand alone between slashes: write \*\*/.*\*.mp4 in place of"):
        find_videos(f"{tmp_path}/{pattern}")


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_source_is_not_the_current_folder(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="A source is empty, as an unset variable is"):
        find_videos([source])


def test_a_file_address_may_be_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert [video.id for video in find_videos(f"file://{tmp_path}/*.mp4")] == ["a.mp4"]
    assert roots_of(f"file://{tmp_path}/*.mp4").folders == {str(tmp_path)}
    with pytest.raises(SourceError, match="does not exist"):
        find_videos(f"file://{tmp_path}/a?b*.mp4")  # what follows the question mark is no part of the path
    assert roots_of(f"file://{tmp_path}/a?b*.mp4").folders == set()


@pytest.mark.parametrize("name", ["list.json", "list.xlsx"])
def test_a_file_that_is_no_list_is_not_tried_as_a_video(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match=rf"{name} is no video, and no list of videos that is understood"):
        find_videos(tmp_path / name)


def test_two_links_do_not_become_one_video_by_a_nul(tmp_path: Path) -> None:
    (tmp_path / "links.txt").write_text("https://host/c%20.mp4\nhttps://host/c%00.mp4?sig=hush\n")
    with pytest.raises(SourceError, match=r"links.txt, entry 2: The address .* has a NUL \(%00\)") as refused:
        find_videos(tmp_path / "links.txt")
    assert "hush" not in str(refused.value)
    (tmp_path / "files.txt").write_text("file:///videos/c%00.mp4\n")
    with pytest.raises(SourceError, match=r"The video '/videos/c\\x00.mp4' has a NUL in its name"):
        find_videos(tmp_path / "files.txt")


@pytest.mark.parametrize("source", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_source(source: str) -> None:
    with pytest.raises(SourceError, match=rf"{source} cannot be read: it is a device, not a file"):
        find_videos(source)


def test_a_pipe_is_no_source(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match=r"a.mp4 cannot be read: it is a pipe \(FIFO\), not a file"):
        find_videos(tmp_path / "a.mp4")


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="this user cannot read /proc/kmsg")
def test_a_file_of_the_system_that_keeps_its_readers_waiting_is_unreadable() -> None:
    try:
        os.close(os.open("/proc/kmsg", os.O_RDONLY))
    except OSError:
        pytest.skip("this system does not open /proc/kmsg")
    with pytest.raises(VideoError, match="unreadable: /proc/kmsg gives its bytes only as they come"):
        WatchedFile("/proc/kmsg")

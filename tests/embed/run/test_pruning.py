"""What --prune drops, what it keeps back, and where it refuses."""

import json
import os
import shutil
from pathlib import Path

import pytest

from embed import EmbedConfig, EmbedSummary, embed_videos
from embed.errors import SourceError
from embed.run import summary_text
from embed.store import EmbeddingStore
from embed.video import UniformFrames
from tests.media import BarReader, write_video

CLASSES = {"hug": 2, "kick": 2, "wave": 4}
NAMES = [f"{name}/{number}.mp4" for name, count in CLASSES.items() for number in range(count)]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Return a folder of eight different videos in three class folders."""
    folder = tmp_path / "videos"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, 5 + number)
    return folder


@pytest.fixture(params=["s.h5", "shards"], ids=["one file", "shards"])
def store(request: pytest.FixtureRequest, tmp_path: Path, videos: Path) -> Path:
    """Return a store of the videos."""
    path: Path = tmp_path / request.param
    embed(videos, store=path)
    return path


def embed(
    *sources: Path, store: Path, pruning: bool = False, anyway: bool = False, log: Path | None = None
) -> EmbedSummary:
    config = EmbedConfig(
        sampling=UniformFrames(2), is_pruning=pruning, is_pruning_anyway=anyway, log=str(log) if log else None
    )
    return embed_videos(sources, store, config, encoder=BarReader())


def text_of(summary: EmbedSummary) -> str:
    return " ".join(summary_text(summary).split())


def test_a_class_folder_that_is_merely_empty_is_told_and_kept(videos: Path, store: Path) -> None:
    shutil.rmtree(videos / "hug")
    (videos / "hug").mkdir()
    lost = ("hug/0.mp4", "hug/1.mp4")
    told = embed(videos, store=store)
    pruned = embed(videos, store=store, pruning=True)
    assert [(each.gone, each.dropped, dict(each.emptied)) for each in (told, pruned)] == [
        (lost, (), {str(videos / "hug"): lost})
    ] * 2
    assert f"2 of these lay in {videos}/hug: a folder without any video, or a link that" in text_of(pruned)
    assert "So --prune keeps them. To drop them, remove it first, or use --prune-anyway" in text_of(pruned)
    assert EmbeddingStore(store).ids == NAMES


@pytest.mark.parametrize("way", ["the folder is removed", "anyway"])
def test_an_empty_class_folder_is_pruned_where_that_is_surely_meant(videos: Path, store: Path, way: str) -> None:
    shutil.rmtree(videos / "hug")
    if way == "anyway":
        (videos / "hug").mkdir()
    summary = embed(videos, store=store, pruning=True, anyway=way == "anyway")
    assert (summary.dropped, summary.gone, summary.emptied) == (("hug/0.mp4", "hug/1.mp4"), (), {})
    assert EmbeddingStore(store).ids == NAMES[2:]


def test_a_link_to_a_folder_on_a_disk_that_is_not_mounted_keeps_its_videos(videos: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (videos / "hug").rename(disk)
    (videos / "hug").symlink_to(disk)
    embed(videos, store=tmp_path / "s.h5")
    disk.rename(tmp_path / "elsewhere")
    summary = embed(videos, store=tmp_path / "s.h5", pruning=True)
    assert (summary.dropped, list(summary.emptied)) == ((), [str(videos / "hug")])


def test_links_to_files_on_a_disk_that_is_not_mounted_keep_their_videos(videos: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    for name in ("hug/0.mp4", "hug/1.mp4", "wave/0.mp4"):
        place = (videos / name).rename(disk / name.replace("/", "-"))
        (videos / name).symlink_to(place)
    embed(videos, store=tmp_path / "s.h5")
    disk.rename(tmp_path / "elsewhere")
    summary = embed(videos, store=tmp_path / "s.h5", pruning=True)
    assert summary.dropped == ()
    assert dict(summary.emptied) == {
        str(videos / "hug"): ("hug/0.mp4", "hug/1.mp4"),
        str(videos / "wave" / "0.mp4"): ("wave/0.mp4",),
    }
    assert "3 of these lay in 2 places, such as" in text_of(summary)
    (videos / "wave" / "0.mp4").unlink()
    assert embed(videos, store=tmp_path / "s.h5", pruning=True).dropped == ("wave/0.mp4",)


def test_a_disk_within_the_folder_keeps_the_videos_of_all_its_folders(videos: Path, tmp_path: Path) -> None:
    embed(tmp_path, store=tmp_path / "s.h5")
    write_video(tmp_path / "other.mp4", 40)
    for name in CLASSES:
        shutil.rmtree(videos / name)
    summary = embed(tmp_path, store=tmp_path / "s.h5", pruning=True)
    assert summary.dropped == ()
    assert {folder: len(ids) for folder, ids in summary.emptied.items()} == {str(videos): 8}


def test_a_folder_with_videos_that_a_pattern_passes_over_is_not_empty(videos: Path, store: Path) -> None:
    (videos / "hug" / "0.mp4").unlink()
    (videos / "hug" / "1.mp4").rename(videos / "hug" / "1.mkv")
    pattern = Path(f"{videos}/*/*.mp4")
    assert embed(pattern, store=store, pruning=True).dropped == ("hug/0.mp4", "hug/1.mp4")


def test_a_link_to_the_whole_folder_does_not_hide_that_class_folders_hold_videos(videos: Path, store: Path) -> None:
    link = videos.with_name("link")
    link.symlink_to(videos)
    (videos / "hug" / "0.mp4").unlink()
    assert embed(link, store=store, pruning=True).dropped == ("hug/0.mp4",)


@pytest.mark.usefixtures("videos")
def test_a_list_that_was_cut_short_stops_the_run_before_anything_changes(tmp_path: Path) -> None:
    listed, other, store = tmp_path / "videos.txt", tmp_path / "other.txt", tmp_path / "s.h5"
    listed.write_text("".join(f"videos/{name}\n" for name in NAMES[:4]))
    other.write_text("".join(f"videos/{name}\n" for name in NAMES[4:]))
    embed(listed, other, store=store)
    listed.write_text(f"videos/{NAMES[0]}\n")
    before = store.read_bytes()
    message = (
        rf"--prune would drop 3 of the 4 videos that {store} has from {listed}, e.g\. videos/hug/1\.mp4, "
        r"videos/kick/0\.mp4, videos/kick/1\.mp4\. That is more than half.* Nothing was changed\. .*--prune-anyway"
    )
    with pytest.raises(SourceError, match=message):
        embed(listed, other, store=store, pruning=True)
    assert store.read_bytes() == before
    assert len(embed(listed, other, store=store, pruning=True, anyway=True).dropped) == 3
    assert len(EmbeddingStore(store)) == 5


@pytest.mark.usefixtures("videos")
def test_half_of_a_list_is_pruned(tmp_path: Path) -> None:
    listed, store = tmp_path / "videos.txt", tmp_path / "s.h5"
    listed.write_text("".join(f"videos/{name}\n" for name in NAMES[:4]))
    embed(listed, store=store)
    listed.write_text("".join(f"videos/{name}\n" for name in NAMES[:2]))
    assert len(embed(listed, store=store, pruning=True).dropped) == 2


def test_most_files_of_a_folder_gone_one_by_one_stop_the_run(videos: Path, store: Path) -> None:
    for name in NAMES:
        if not name.endswith("0.mp4"):
            (videos / name).unlink()
    with pytest.raises(SourceError, match=rf"5 of the 8 videos that {store} has from {videos}, e\.g\. "):
        embed(videos, store=store, pruning=True)
    assert EmbeddingStore(store).ids == NAMES


def test_what_moved_is_not_counted_as_lost(videos: Path, store: Path) -> None:
    for name in NAMES[:6]:
        (videos / name).rename(videos / "wave" / name.replace("/", "-"))
    shutil.rmtree(videos / "hug")
    summary = embed(videos, store=store, pruning=True)
    assert (len(summary.moved), summary.dropped, summary.gone) == (6, (), ())


def test_the_first_names_are_shown_and_the_others_counted(videos: Path, tmp_path: Path) -> None:
    store, log = tmp_path / "s.h5", tmp_path / "log.jsonl"
    embed(videos, store=store)
    for name in NAMES[:7]:
        (videos / name).rename(videos / name.replace(".mp4", "-new.mp4"))
    text = summary_text(moved := embed(videos, store=store, log=log))
    assert "7 videos moved and kept the vectors:\n  hug/0.mp4 is hug/0-new.mp4 now\n  hug/1.mp4 is" in text
    assert text.count(" now\n") == 5
    assert f"... and 2 more, inspect-embeddings {store} --list shows all ids" in " ".join(text.split())
    for name in moved.moved.values():
        (videos / name).unlink()
    text = summary_text(embed(videos, store=store))
    assert "7 videos of the store are no longer in these sources:\n  hug/0-new.mp4\n  hug/1-new.mp4\n  kick/" in text
    assert "\n  ... and 2 more, which --json lists\n" in text
    text = summary_text(embed(videos, store=store, anyway=True, log=log))
    assert "7 videos dropped from the store:\n  hug/0-new.mp4\n" in text
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["id"], line["status"]) for line in lines] == [
        *((new, "moved") for new in moved.moved.values()),
        *((new, "dropped") for new in moved.moved.values()),
    ]
    assert lines[0]["old_id"] == "hug/0.mp4"
    assert lines[7]["location"] == str(videos / "hug" / "0-new.mp4")


def test_a_folder_that_cannot_be_searched_keeps_its_videos(videos: Path, tmp_path: Path) -> None:
    if not os.geteuid():
        pytest.skip("this user may read everything")
    store = tmp_path / "s.h5"
    embed(videos, store=store)
    (videos / "hug" / "0.mp4").unlink()
    (videos / "hug").chmod(0o300)
    try:
        assert embed(Path(f"{videos}/[kw]*/*.mp4"), store=store, pruning=True).dropped == ()
    finally:
        (videos / "hug").chmod(0o700)

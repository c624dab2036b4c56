"""The store follows the folder: files that are moved, removed, doubled, or named in two ways."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embed import EmbedConfig, EmbedSummary, embed_videos
from embed.encoders import Encoder
from embed.errors import SourceError
from embed.run import pipeline
from embed.sources import Video
from embed.store import EmbeddingStore, StoreWriter, inspect_embeddings
from embed.video import UniformFrames
from tests.media import BarReader, spelled_numbers, write_video

FIRST = {"hug/a.mp4": 0, "hug/b.mp4": 100, "kick/c.mp4": 200}


class Blind(BarReader):
    """An encoder that must not be asked."""

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError(f"{len(rgb)} frames were embedded again")


@pytest.fixture(params=["s.h5", "shards"], ids=["one file", "shards"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path: Path = tmp_path / request.param
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Return a folder of three videos in two class folders, whose frames count from different numbers."""
    folder = tmp_path / "videos"
    for name, number in FIRST.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, 9, numbers=range(number, number + 9))
    return folder


def embed(
    *sources: Path, store: Path, encoder: Encoder | None = None, pruning: bool = False, retrying: bool = False
) -> EmbedSummary:
    config = EmbedConfig(sampling=UniformFrames(3), is_pruning=pruning, is_retrying=retrying)
    return embed_videos(sources, store, config, encoder=encoder or BarReader())


def numbers_in(store: Path) -> dict[str, int]:
    """Return the number that the first vector of each video shows."""
    assert inspect_embeddings(store, is_verifying=True).problems == ()
    with EmbeddingStore(store) as opened:
        return {video_id: spelled_numbers(opened.read(video_id).vectors)[0] for video_id in opened.ids}


def test_a_file_moved_to_another_class_folder_takes_its_vectors_along(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    (videos / "hug" / "a.mp4").rename(videos / "kick" / "a.mp4")
    summary = embed(videos, store=store, encoder=Blind())
    assert (summary.embedded, summary.skipped, dict(summary.moved)) == (0, 3, {"hug/a.mp4": "kick/a.mp4"})
    assert numbers_in(store) == {"hug/b.mp4": 101, "kick/a.mp4": 1, "kick/c.mp4": 201}
    assert EmbeddingStore(store).video("kick/a.mp4").location == str(videos / "kick" / "a.mp4")


def test_files_that_exchange_or_pass_on_their_names_take_their_vectors_along(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    for number, name in enumerate(FIRST):
        os.utime(videos / name, (number, number))
    embed(videos, store=store)
    (videos / "kick" / "c.mp4").unlink()
    (videos / "hug" / "b.mp4").rename(videos / "kick" / "c.mp4")
    (videos / "hug" / "a.mp4").rename(videos / "hug" / "b.mp4")
    assert embed(videos, store=store, encoder=Blind()).embedded == 0
    assert numbers_in(store) == {"hug/b.mp4": 1, "kick/c.mp4": 101}


def test_removed_files_are_told_and_dropped_when_asked(videos: Path, store: Path) -> None:
    (videos / "broken.mp4").write_text("x")
    embed(videos, store=store)
    (videos / "hug" / "a.mp4").unlink()
    (videos / "broken.mp4").unlink()
    summary = embed(videos, store=store, encoder=Blind())
    assert (summary.gone, summary.dropped, len(EmbeddingStore(store))) == (("hug/a.mp4", "broken.mp4"), (), 3)
    summary = embed(videos, store=store, encoder=Blind(), pruning=True)
    assert (summary.gone, summary.dropped) == ((), ("hug/a.mp4", "broken.mp4"))
    assert numbers_in(store) == {"hug/b.mp4": 101, "kick/c.mp4": 201}
    assert (EmbeddingStore(store).failures, embed(videos, store=store).gone) == ([], ())


def test_a_run_over_another_folder_neither_claims_nor_drops_videos_of_the_first(
    videos: Path, store: Path, tmp_path: Path
) -> None:
    embed(videos, store=store)
    other = tmp_path / "other"
    other.mkdir()
    shutil.move(videos / "hug" / "a.mp4", other / "x.mp4")
    (videos / "hug" / "b.mp4").unlink()
    summary = embed(other, store=store, pruning=True)
    assert (summary.embedded, summary.moved, summary.gone, summary.dropped) == (1, {}, (), ())
    assert len(EmbeddingStore(store)) == 4


def test_a_video_that_a_list_names_no_more_belongs_to_that_list_alone(videos: Path) -> None:
    tmp_path = videos.parent
    store = tmp_path / "s.h5"
    january, february = tmp_path / "january.txt", tmp_path / "february.txt"
    january.write_text("videos/hug/a.mp4\nvideos/hug/b.mp4\n")
    february.write_text("videos/kick/c.mp4\n")
    embed(january, store=store)
    assert embed(february, store=store, pruning=True).dropped == ()
    january.write_text("videos/hug/a.mp4\n")
    assert embed(january, store=store, pruning=True).dropped == ("videos/hug/b.mp4",)
    assert EmbeddingStore(store).ids == ["videos/hug/a.mp4", "videos/kick/c.mp4"]


def test_a_damaged_video_is_embedded_again_when_it_moves(videos: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.h5"
    embed(videos, store=store)
    content = bytearray(store.read_bytes())
    rows = EmbeddingStore(store).read("hug/a.mp4").vectors.tobytes()
    content[content.index(rows) + 4] ^= 1
    store.write_bytes(content)
    (videos / "hug" / "a.mp4").rename(videos / "kick" / "a.mp4")
    summary = embed(videos, store=store)
    assert (summary.embedded, summary.moved, summary.gone) == (1, {}, ())
    assert EmbeddingStore(store).read("kick/a.mp4").vectors.tobytes() == rows


@pytest.mark.parametrize("is_whole_folder_moved", [False, True], ids=["to another id", "to another place"])
def test_a_damaged_video_that_moved_is_embedded_though_nothing_else_is_missing(
    videos: Path, tmp_path: Path, is_whole_folder_moved: bool
) -> None:
    store, config = tmp_path / "s.h5", EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2))
    embed_videos(videos, store, config)
    rows = EmbeddingStore(store).read("hug/a.mp4").vectors.tobytes()
    content = bytearray(store.read_bytes())
    content[content.index(rows) + 4] ^= 1
    store.write_bytes(content)
    if is_whole_folder_moved:
        videos = videos.rename(tmp_path / "elsewhere")
    else:
        (videos / "hug" / "a.mp4").rename(videos / "hug" / "z.mp4")
    name = "hug/a.mp4" if is_whole_folder_moved else "hug/z.mp4"
    assert embed_videos(videos, store, config).embedded == 1
    assert EmbeddingStore(store).read(name).vectors.tobytes() == rows
    assert embed_videos(videos, store, config).embedded == 0


@pytest.mark.parametrize("is_replaced", [False, True], ids=["removed", "replaced"])
def test_a_moved_file_that_changes_before_the_store_follows_is_not_taken_over(
    videos: Path, store: Path, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    embed(videos, store=store)
    goal = (videos / "hug" / "a.mp4").rename(videos / "kick" / "a.mp4")
    follow = pipeline._Run.follow

    def follow_later(run: pipeline._Run, missing: list[Video]) -> list[Video]:
        goal.unlink()
        if is_replaced:
            write_video(goal, 30, numbers=range(700, 730))
        return follow(run, missing)

    monkeypatch.setattr(pipeline._Run, "follow", follow_later)
    summary = embed(videos, store=store)
    assert (summary.embedded, summary.failed, summary.moved) == (int(is_replaced), int(not is_replaced), {})
    if is_replaced:
        assert numbers_in(store)["kick/a.mp4"] == 705
    else:
        assert summary.failures[0].reason == "not_found"


def test_the_files_of_a_folder_within_are_known_and_not_embedded_twice(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    summary = embed(videos / "hug", store=store, encoder=Blind())
    assert dict(summary.known_as) == {"a.mp4": "hug/a.mp4", "b.mp4": "hug/b.mp4"}
    assert (summary.embedded, summary.skipped, summary.gone) == (0, 2, ())
    assert sorted(numbers_in(store)) == sorted(FIRST)


def test_the_folder_above_gives_known_files_the_ids_with_their_class_folders(videos: Path, store: Path) -> None:
    embed(videos / "hug", store=store)
    summary = embed(videos, store=store)
    assert dict(summary.moved) == {"a.mp4": "hug/a.mp4", "b.mp4": "hug/b.mp4"}
    assert (summary.embedded, sorted(numbers_in(store))) == (1, sorted(FIRST))


def test_a_file_that_one_run_names_twice_is_embedded_once(videos: Path, store: Path) -> None:
    summary = embed(videos / "hug", videos, store=store)
    assert dict(summary.known_as) == {"a.mp4": "hug/a.mp4", "b.mp4": "hug/b.mp4"}
    assert sorted(numbers_in(store)) == sorted(FIRST)


def test_copies_under_several_ids_are_told(videos: Path, store: Path) -> None:
    shutil.copy(videos / "hug" / "a.mp4", videos / "kick" / "z.mp4")
    summary = embed(videos, store=store)
    assert (summary.embedded, summary.copies) == (4, (("hug/a.mp4", "kick/z.mp4"),))


def test_a_replaced_file_with_the_same_time_but_another_size_is_noticed(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    path = videos / "hug" / "a.mp4"
    before = path.stat()
    write_video(path, 30, numbers=range(500, 530))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    summary = embed(videos, store=store)
    assert (summary.embedded, summary.changed, numbers_in(store)["hug/a.mp4"]) == (1, 1, 505)


def test_a_failed_file_that_is_another_one_now_is_tried_again(videos: Path, store: Path) -> None:
    (videos / "hug" / "d.mp4").write_text("half a copy")
    assert embed(videos, store=store).failed == 1
    assert embed(videos, store=store, encoder=Blind()).failed == 1
    write_video(videos / "hug" / "d.mp4", 9)
    assert (embed(videos, store=store).embedded, EmbeddingStore(store).failures) == (1, [])


def test_a_list_of_which_no_file_exists_makes_no_store(
    videos: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (videos.parent / "lists").mkdir()
    listed = videos.parent / "lists" / "l.csv"
    listed.write_text("path\nvideos/hug/a.mp4\nvideos/hug/b.mp4\n")
    monkeypatch.chdir(videos.parent)
    message = (
        rf"None of 2 videos that {listed} names exists.*count from the list's folder, {listed.parent}; but {videos}"
    )
    with pytest.raises(SourceError, match=message):
        embed_videos([listed], store, EmbedConfig(model="a model that nobody has"))
    assert not store.exists()
    listed.write_text(f"path\nvideos/hug/a.mp4\n{videos}/hug/b.mp4\n")
    (failure,) = embed(listed, store=store).failures
    assert (failure.reason, failure.listed_in) == ("not_found", str(listed))
    assert f"but {videos}/hug/a.mp4 exists" in failure.detail


def test_a_run_with_nothing_to_do_loads_no_encoder(videos: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(2))
    embed_videos([videos], store, config)
    monkeypatch.setattr(pipeline, "choose_encoder", None)  # loading would fail
    (videos / "hug" / "a.mp4").rename(videos / "kick" / "a.mp4")
    summary = embed_videos([videos], store, config)
    assert (summary.skipped, len(summary.moved), summary.vectors) == (3, 1, 0)


def test_the_shadows_that_macos_leaves_are_passed_over(videos: Path, store: Path) -> None:
    (videos / "hug" / "._a.mp4").write_text("x")
    summary = embed(videos, store=store)
    assert (summary.embedded, summary.failed) == (3, 0)


def test_a_run_killed_before_it_ends_has_moved_its_videos_or_not(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    (videos / "hug" / "a.mp4").rename(videos / "kick" / "a.mp4")
    shutil.rmtree(videos / "hug")
    child = os.fork()
    if child == 0:  # dies right before the first file of the store would be replaced
        Path.replace = lambda *_: os._exit(9)  # type: ignore[assignment,method-assign]
        embed(videos, store=store, pruning=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert sorted(numbers_in(store)) == sorted(FIRST)
    embed(videos, store=store, encoder=Blind(), pruning=True)
    assert sorted(numbers_in(store)) == ["kick/a.mp4", "kick/c.mp4"]
    assert not list(store.parent.rglob("*.tmp"))


def test_a_summary_with_moves_is_json(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    (videos / "hug" / "a.mp4").rename(videos / "kick" / "a.mp4")
    assert json.loads(json.dumps(embed(videos, store=store).to_json()))["moved"] == {"hug/a.mp4": "kick/a.mp4"}


def test_the_writer_leaves_another_video_under_a_new_id_out(videos: Path, store: Path) -> None:
    embed(videos, store=store)
    with EmbeddingStore(store) as opened:
        record = opened.video("kick/c.mp4")
        provenance = opened.provenance
    with StoreWriter(store, provenance) as writer:
        writer.revise({"hug/a.mp4": record}, ())
    assert numbers_in(store) == {"hug/b.mp4": 101, "kick/c.mp4": 1}


def test_a_list_whose_ids_were_exchanged_and_corrected_takes_the_vectors_along(videos: Path, store: Path) -> None:
    listed = videos.parent / "list.csv"
    listed.write_text("id,path\none,videos/hug/a.mp4\ntwo,videos/kick/c.mp4\n")
    embed(listed, store=store)
    listed.write_text("id,path\nuno,videos/hug/a.mp4\none,videos/kick/c.mp4\n")
    assert embed(listed, store=store, encoder=Blind()).embedded == 0
    assert numbers_in(store) == {"one": 201, "uno": 1}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_file_whose_name_something_else_took_is_gone(make: Callable[[Path], None], videos: Path, store: Path) -> None:
    embed(videos, store=store)
    (videos / "hug" / "a.mp4").unlink()
    make(videos / "hug" / "a.mp4")
    assert embed(videos, store=store).gone == ("hug/a.mp4",)
    assert embed(videos, store=store, pruning=True).dropped == ("hug/a.mp4",)

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from classify.errors import ClassifyError
from classify.training.batches import LabelledSet, StoredVideos, VideoSet, open_videos, take_videos
from embed import EmbeddingStore, Provenance
from embed.errors import StoreDamaged


@pytest.fixture
def videos() -> VideoSet:
    """Videos of 1, 3 and 2 vectors of 2 dimensions, 0 to 11 in their order."""
    vectors = np.arange(12, dtype=np.float16).reshape(6, 2)
    return VideoSet(("a", "b", "c"), vectors, np.array([1, 3, 2]))


def test_rows_come_in_the_order_asked_for(videos: VideoSet) -> None:
    assert videos.rows_of(np.array([2, 0]))[:, 0].tolist() == [8, 10, 0]


def test_taken_videos_keep_their_order_views_and_timestamps() -> None:
    rows, moments = np.arange(12, dtype=np.float16)[:, None], np.arange(12, dtype=np.float32) / 4
    videos = VideoSet(("a", "b", "c"), rows, np.array([2, 4, 6]), view_count=2, read_timestamps=lambda: moments)

    taken = take_videos(videos, np.array([2, 0]))

    assert (taken.ids, taken.row_counts.tolist(), taken.view_count) == (("c", "a"), [6, 2], 2)
    assert taken.vectors[:, 0].tolist() == [6, 7, 8, 9, 10, 11, 0, 1]
    assert taken.timestamps_of(np.array([1, 0])).tolist() == [0, 0.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75]


def test_videos_on_disk_are_those_in_memory(toy_store: Path) -> None:
    chosen = np.array([30, 2, 59, 2])

    with EmbeddingStore(toy_store) as store:
        ids = store.ids[::-1]
        in_memory, on_disk = open_videos(store, ids, stream=False), open_videos(store, ids, stream=True)
        assert isinstance(on_disk, StoredVideos)
        assert (on_disk.ids, on_disk.dimension) == (in_memory.ids, in_memory.dimension)
        np.testing.assert_array_equal(on_disk.row_counts, in_memory.row_counts)
        np.testing.assert_array_equal(on_disk.rows_of(chosen), in_memory.rows_of(chosen))
        np.testing.assert_array_equal(on_disk.timestamps_of(chosen), in_memory.timestamps_of(chosen))


@pytest.mark.parametrize("stream", [False, True], ids=["in memory", "on disk"])
def test_each_view_of_a_video_comes_as_a_video(
    make_store: Callable[..., Path], provenance: Provenance, stream: bool
) -> None:
    rows = np.arange(10)[:, None] * np.ones((1, 16))
    made_by = replace(provenance, views=("left", "right"))
    path = make_store({"a.mp4": rows[:6], "b.mp4": rows[6:]}, made_by=made_by)

    with EmbeddingStore(path) as store:
        videos = open_videos(store, ["b.mp4", "a.mp4"], stream=stream)
        views = videos.each_view()
        assert (len(videos), videos.view_count, videos.row_counts.tolist()) == (2, 2, [4, 6])
        assert (len(views), views.view_count, views.row_counts.tolist()) == (4, 1, [2, 2, 3, 3])
        assert views.ids == ("b.mp4", "b.mp4", "a.mp4", "a.mp4")
        assert views.rows_of(np.array([3, 0, 3]))[:, 0].tolist() == [3, 4, 5, 6, 7, 3, 4, 5]


def test_rows_that_views_cannot_share_are_refused() -> None:
    with pytest.raises(
        ClassifyError, match=r"rows of the video 'b' is 3, not a multiple of its 2 views. Embed it again"
    ):
        VideoSet(("a", "b"), np.zeros((7, 2), dtype=np.float32), np.array([4, 3]), view_count=2)


def test_a_small_store_is_read_into_memory(toy_store: Path) -> None:
    with EmbeddingStore(toy_store) as store:
        assert isinstance(open_videos(store, store.ids), VideoSet)


def test_a_store_that_would_take_more_than_half_of_the_memory_stays_on_disk(
    toy_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddingStore(toy_store) as store:
        needed = int(store.row_counts.sum()) * store.dimension * 6
        monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2 * needed - 2, "SC_PAGE_SIZE": 1}.get)
        assert isinstance(open_videos(store, store.ids), StoredVideos)


def test_processes_that_share_the_memory_leave_sooner_on_disk_what_one_could_read(
    toy_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddingStore(toy_store) as store:
        needed = int(store.row_counts.sum()) * store.dimension * 6
        monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 5 * needed, "SC_PAGE_SIZE": 1}.get)
        assert isinstance(open_videos(store, store.ids, shared_by=2), VideoSet)
        assert isinstance(open_videos(store, store.ids, shared_by=3), StoredVideos)


def test_a_store_that_would_fill_more_than_half_of_a_gpus_free_memory_stays_on_disk(
    toy_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with EmbeddingStore(toy_store) as store:
        needed = int(store.row_counts.sum()) * store.dimension * 4
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 * needed - 2, 2**40))
        assert isinstance(open_videos(store, store.ids, device="cuda"), StoredVideos)
        assert isinstance(open_videos(store, store.ids, device="auto"), StoredVideos)
        assert isinstance(open_videos(store, store.ids, device="cpu"), VideoSet)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 * needed, 2**40))
        assert isinstance(open_videos(store, store.ids, device="cuda"), VideoSet)


def test_row_counts_that_do_not_fit_the_rows_are_refused() -> None:
    with pytest.raises(
        ClassifyError, match=r"with sum 5\) and rows \(6\) do not fit together.*one row count for each video"
    ):
        VideoSet(("a", "b"), np.zeros((6, 2), dtype=np.float32), np.array([2, 3]))


def test_timestamps_that_do_not_fit_the_rows_are_refused() -> None:
    short = VideoSet(("a",), np.zeros((3, 2)), np.array([3]), read_timestamps=lambda: np.zeros(2, dtype=np.float32))

    with pytest.raises(ClassifyError, match=r"timestamps have shape \(2,\), but there are 3 rows. Return one each"):
        short.timestamps_of(np.array([0]))


def test_a_video_without_vectors_is_refused() -> None:
    with pytest.raises(ClassifyError, match=r"'b' has no vectors.*Leave it out"):
        VideoSet(("a", "b"), np.zeros((2, 2), dtype=np.float32), np.array([2, 0]))


def test_one_video_of_two_labels_makes_the_task_that_of_the_whole_set_and_its_parts(videos: VideoSet) -> None:
    one_each = np.array([[True, False], [False, True], [True, False]])
    both_at_last = one_each | one_each[[0, 1, 1]]
    single, several = (LabelledSet(videos, ("x", "y"), targets) for targets in (one_each, both_at_last))

    assert (single.is_multi_label, several.is_multi_label) == (False, True)
    part = several.take(np.array([1, 0]))
    assert (part.videos.ids, part.targets.tolist()) == (("b", "a"), [[False, True], [True, False]])
    assert part.is_multi_label


def test_targets_of_another_shape_are_refused(videos: VideoSet) -> None:
    with pytest.raises(ClassifyError, match=r"bool \(2, 2\), but videos and names need bool \(3, 2\)"):
        LabelledSet(videos, ("x", "y"), np.zeros((2, 2), dtype=np.bool_))


@pytest.mark.parametrize("stream", [False, True], ids=["in memory", "from disk"])
def test_rows_that_changed_on_the_disk_are_refused_with_the_command_that_saves_the_others(
    toy_store: Path, tmp_path: Path, *, stream: bool
) -> None:
    path = tmp_path / "s.h5"
    shutil.copy(toy_store, path)
    with EmbeddingStore(path) as store:
        damaged = store.ids[3]
        rows = store.read(damaged).vectors.tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(rows)] ^= 1
    path.write_bytes(content)
    with EmbeddingStore(path) as store, pytest.raises(StoreDamaged, match=rf"rows of {damaged} .* --repair NEW"):
        open_videos(store, store.ids, stream=stream).rows_of(np.arange(len(store)))

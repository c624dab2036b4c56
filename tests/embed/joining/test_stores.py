"""Stores side by side: the nearest rows in time, scaled, of the same videos only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from embed import Clips, EmbedConfig, UniformFrames, embed_videos, join_stores
from embed.errors import StoreError, StoreMismatch
from embed.joining import join_like
from embed.joining.stores import _nearest
from embed.store import EmbeddingStore, Provenance, StoreWriter, VideoRecord, inspect_embeddings
from tests.embed.clip_reader import ClipReader
from tests.embed.stores import PROVENANCE
from tests.media import BarReader, write_video

OTHER = replace(PROVENANCE, encoder=replace(PROVENANCE.encoder, model="other", weights_sha256="two"))


def write(path: Path, provenance: Provenance, videos: dict[str, NDArray[np.floating]], *, content: str = "") -> Path:
    """Write videos, id -> moments; a row has its video's number and its own moment in its numbers."""
    with StoreWriter(path, provenance) as writer:
        for number, (video_id, moments_s) in enumerate(videos.items(), 1):
            rows = np.full((len(moments_s), 10), number, dtype=np.float32)
            rows[:, 0] = moments_s
            writer.append(VideoRecord(video_id, content_hash=content + video_id), rows, moments_s)
    return path


@pytest.fixture
def stores(tmp_path: Path) -> list[Path]:
    many = {"a": np.arange(8.0), "b": np.arange(3.0)}
    few = {"a": np.array([0.4, 4.6, 6.0]), "b": np.array([1.0])}
    return [write(tmp_path / "1.h5", PROVENANCE, many), write(tmp_path / "2.h5", OTHER, few)]


def test_each_row_of_the_first_store_stands_before_the_nearest_of_another(stores: list[Path], tmp_path: Path) -> None:
    report = join_stores(stores, tmp_path / "both.h5", scaling="none")

    assert (report.videos, report.vectors, report.dimensions) == (2, 11, (10, 10))
    with EmbeddingStore(tmp_path / "both.h5") as both:
        video = both.read("a")
        assert video.vectors.shape == (8, 20)
        assert video.vectors[:, 0].tolist() == list(range(8))
        nearest = [0.4, 0.4, 0.4, 4.6, 4.6, 4.6, 6.0, 6.0]
        np.testing.assert_allclose(video.vectors[:, 10], nearest, rtol=1e-3)
        assert both.read("b").vectors[:, 10].tolist() == [1, 1, 1]
        assert both.read("a").timestamps_s.tolist() == list(range(8))
    assert inspect_embeddings(tmp_path / "both.h5", is_verifying=True).problems == ()


def test_parts_are_scaled_and_keep_their_factor(stores: list[Path], tmp_path: Path) -> None:
    join_stores(stores, tmp_path / "l2.h5")
    join_stores(stores, tmp_path / "standardised.h5", scaling="standardised")

    with EmbeddingStore(tmp_path / "l2.h5") as store:
        rows = store.read("a").vectors.astype(np.float64)
        np.testing.assert_allclose(np.linalg.norm(rows[:, :10], axis=1), 1, atol=2e-3)
        np.testing.assert_allclose(np.linalg.norm(rows[:, 10:], axis=1), 1, atol=2e-3)
    with EmbeddingStore(tmp_path / "standardised.h5") as store, EmbeddingStore(stores[0]) as first:
        parts = np.concatenate([store.read(video_id).vectors for video_id in store.ids])[:, :10].astype(np.float64)
        assert np.sqrt(np.square(parts).mean()) == pytest.approx(1, abs=2e-3)
        raw = first.read("a").vectors.astype(np.float64)
        np.testing.assert_allclose(store.read("a").vectors[:, :10], raw * store.provenance.factors[0], rtol=2e-3)


@given(
    st.lists(st.floats(0, 100, width=32), min_size=1, max_size=12, unique=True).map(sorted),
    st.lists(st.floats(0, 100, width=32), min_size=1, max_size=12, unique=True).map(sorted),
)
def test_the_nearest_moment_is_that_of_a_plain_search(grid: list[float], moments: list[float]) -> None:
    found = _nearest(np.array([grid], np.float32), np.array([moments], np.float32))

    for moment, place in zip(grid, found.tolist(), strict=True):
        distances = [abs(moment - other) for other in moments]
        assert distances[place] == pytest.approx(min(distances), abs=1e-4)


def test_the_provenance_names_all_parts_and_is_read_back(stores: list[Path], tmp_path: Path) -> None:
    join_stores(stores, tmp_path / "both.h5")

    with EmbeddingStore(tmp_path / "both.h5") as both:
        made = both.provenance
    assert [part.encoder.model for part in made.parts] == ["bar-reader", "other"]
    assert (made.encoder.model, made.encoder.dimension) == ("bar-reader + other", 20)
    assert Provenance.from_json(made.to_json()) == made
    assert "parts" not in PROVENANCE.to_json()
    assert "part 2 model is other, not none" in str(made.difference(PROVENANCE))


def test_videos_that_differ_are_refused_and_named(tmp_path: Path) -> None:
    first = write(tmp_path / "1.h5", PROVENANCE, {"a": np.arange(3.0), "b": np.arange(3.0)})
    second = write(tmp_path / "2.h5", OTHER, {"a": np.arange(3.0), "c": np.arange(3.0)})
    edited = write(tmp_path / "3.h5", OTHER, {"a": np.arange(3.0), "b": np.arange(3.0)}, content="other")

    with pytest.raises(StoreError, match=r"2 videos not in all stores, such as b, which .*2\.h5 lacks.*--common"):
        join_stores([first, second], tmp_path / "both.h5")
    with pytest.raises(StoreError, match="2 videos of other content under one id, such as a"):
        join_stores([first, edited], tmp_path / "both.h5")
    assert not (tmp_path / "both.h5").exists()

    report = join_stores([first, second], tmp_path / "both.h5", is_common=True)

    assert (report.videos, report.left_out) == (1, ("b", "c"))


def test_stores_that_cannot_be_joined_are_refused_with_what_to_do(stores: list[Path], tmp_path: Path) -> None:
    again = write(tmp_path / "again.h5", PROVENANCE, {"a": np.arange(2.0), "b": np.arange(2.0)})
    join_stores(stores, tmp_path / "both.h5")

    with pytest.raises(StoreMismatch, match=r"hold vectors of the same encoder.*inspect-embeddings --merge"):
        join_stores([stores[0], again], tmp_path / "new.h5")
    with pytest.raises(StoreMismatch, match="is joined already: join the stores that it was made of"):
        join_stores([tmp_path / "both.h5", stores[0]], tmp_path / "new.h5")
    with pytest.raises(StoreError, match=r"1 store cannot be joined\. Name two or more"):
        join_stores(stores[:1], tmp_path / "new.h5")
    with pytest.raises(StoreError, match="is a store that is read"):
        join_stores(stores, stores[1])


def test_a_second_call_goes_on_where_the_first_was_killed(stores: list[Path], tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die(done: int, _: int) -> None:
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        join_stores(stores, tmp_path / "both.h5", on_progress=die)
    report = join_stores(stores, tmp_path / "both.h5")

    assert (report.videos, report.skipped) == (1, 1)


def test_frames_and_clips_of_real_videos_are_joined_and_new_ones_alike(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "1.mp4", 30)
    frames, clips = EmbedConfig(sampling=UniformFrames(6), workers=1), EmbedConfig(sampling=Clips(4, 3), workers=1)
    for name in ("a", "b"):
        embed_videos(tmp_path / name, tmp_path / f"{name}-clips.h5", clips, encoder=ClipReader(4))
        embed_videos(tmp_path / name, tmp_path / f"{name}-frames.h5", frames, encoder=BarReader())

    join_stores([tmp_path / "a-clips.h5", tmp_path / "a-frames.h5"], tmp_path / "a.h5")
    with EmbeddingStore(tmp_path / "a.h5") as made:
        join_like([tmp_path / "b-clips.h5", tmp_path / "b-frames.h5"], tmp_path / "b.h5", made.provenance)
        with EmbeddingStore(tmp_path / "b.h5") as like:
            assert like.provenance.difference(made.provenance) is None
            assert np.array_equal(like.read("1.mp4").vectors, made.read("1.mp4").vectors)
            assert (made.read("1.mp4").spans_s[:, 1] > made.read("1.mp4").spans_s[:, 0]).all()
        with pytest.raises(StoreMismatch, match="is not like the part"):
            join_like([tmp_path / "b-frames.h5", tmp_path / "b-clips.h5"], tmp_path / "c.h5", made.provenance)
    with pytest.raises(StoreMismatch, match=r"joined of vectors of clip-reader and bar-reader.*join-stores again"):
        embed_videos(tmp_path / "a", tmp_path / "a.h5", frames, encoder=BarReader())

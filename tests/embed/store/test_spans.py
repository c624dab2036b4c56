"""The span of each row, where an encoder has several frames behind one vector."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from embed.errors import StoreDamaged
from embed.store import (
    EmbeddingStore,
    StoreWriter,
    VideoRecord,
    inspect_embeddings,
    merge_embeddings,
    repair_embeddings,
)
from tests.embed.stores import PROVENANCE, vectors_of, write_store

OF_CLIPS = replace(PROVENANCE, encoder=replace(PROVENANCE.encoder, window=16))


def spans_of(number: int, count: int = 3) -> NDArray[np.float32]:
    """Return (count, 2) spans that no other video has."""
    first = number + np.arange(count, dtype=np.float32)
    return np.stack([first, first + 0.5], axis=1)


def write_clips(path: Path, names: list[str], *, first: int = 0) -> Path:
    with StoreWriter(path, OF_CLIPS) as writer:
        for number, name in enumerate(names, first):
            spans_s = spans_of(number)
            writer.append(VideoRecord(name, content_hash=name), vectors_of(number), spans_s.mean(axis=1), spans_s)
    return path


@pytest.mark.parametrize("name", ["e.h5", "shards"])
def test_spans_are_read_as_they_were_written_in_any_order(tmp_path: Path, name: str) -> None:
    with EmbeddingStore(write_clips(tmp_path / name, ["a", "b", "c"])) as store:
        assert np.array_equal(store.read("b").spans_s, spans_of(1))
        assert np.array_equal(store.read("b").timestamps_s, spans_of(1).mean(axis=1))
        assert np.array_equal(store.read_spans(["c", "a"]), np.concatenate([spans_of(2), spans_of(0)]))
        assert np.array_equal(store.read_timestamps(["c"]), spans_of(2).mean(axis=1))
        store.read_many(store.ids, is_checked=True)


def test_the_span_of_a_single_frame_is_its_moment(tmp_path: Path) -> None:
    path = write_store(tmp_path / "e.h5", ["a", "b"])

    with EmbeddingStore(path) as store:
        assert store.read_spans(["b"]).tolist() == [[0, 0], [1, 1]]
        assert store.read("a").spans_s.tolist() == [[0, 0]]
    with h5py.File(path) as file:
        assert "spans_s" not in file


def test_merging_and_repair_keep_spans(tmp_path: Path) -> None:
    stores = [write_clips(tmp_path / "1.h5", ["a"]), write_clips(tmp_path / "2.h5", ["b", "c"], first=1)]

    merge_embeddings(stores, tmp_path / "both.h5")
    repaired = repair_embeddings(tmp_path / "both.h5", tmp_path / "saved.h5")

    assert repaired.kept == 3
    with EmbeddingStore(tmp_path / "saved.h5") as store:
        assert np.array_equal(store.read_spans(["a", "b", "c"]), np.concatenate([spans_of(n) for n in range(3)]))


def test_a_video_under_a_new_name_keeps_its_spans(tmp_path: Path) -> None:
    path = write_clips(tmp_path / "e.h5", ["a", "b"])

    with StoreWriter(path, OF_CLIPS) as writer:
        assert not writer.revise({"a": VideoRecord("z", content_hash="a")}, ["b"])

    with EmbeddingStore(path) as store:
        assert store.ids == ["z"]
        assert np.array_equal(store.read("z").spans_s, spans_of(0))


def test_a_changed_span_is_found(tmp_path: Path) -> None:
    path = write_clips(tmp_path / "e.h5", ["a", "b"])
    with h5py.File(path, "r+") as file:
        file["spans_s"][4, 1] += 1

    problems = inspect_embeddings(path, is_verifying=True).problems

    assert problems == ("b: its rows are not the ones that were written (checksum)",)
    assert repair_embeddings(path, tmp_path / "saved.h5").lost == ("b",)


@pytest.mark.parametrize("kind", ["missing", "too short", "of another type"])
def test_a_piece_without_its_spans_is_damaged(tmp_path: Path, kind: str) -> None:
    path = write_clips(tmp_path / "e.h5", ["a"])
    with h5py.File(path, "r+") as file:
        del file["spans_s"]
        if kind == "too short":
            file["spans_s"] = np.zeros((2, 2), np.float32)
        elif kind == "of another type":
            file["spans_s"] = np.zeros((3, 2), np.float64)

    with pytest.raises(StoreDamaged, match="spans"):
        EmbeddingStore(path)


def test_spans_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with (
        StoreWriter(tmp_path / "e.h5", OF_CLIPS) as writer,
        pytest.raises(ValueError, match=r"a: spans \(2, 2\) do not fit 3 timestamps"),
    ):
        writer.append(VideoRecord("a"), vectors_of(0), np.arange(3), np.zeros((2, 2)))

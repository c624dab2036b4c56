from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embed.errors import StoreError, StoreMismatch
from embed.store import EmbeddingStore, Failure, StoreWriter, VideoRecord
from embed.store.inspection import inspect_embeddings
from embed.store.merging import merge_embeddings
from tests.embed.stores import PROVENANCE, vectors_of, write_store


def write_hashed(path: Path, hashes: dict[str, str]) -> Path:
    """Write a store of videos with content hashes. Equal hashes give equal vectors."""
    with StoreWriter(path, PROVENANCE) as writer:
        for name, content_hash in hashes.items():
            writer.append(
                VideoRecord(name, content_hash=content_hash), vectors_of(ord(content_hash[:1] or "0")), range(3)
            )
    return path


@pytest.mark.parametrize("output", ["all.h5", "all"])
def test_stores_and_folders_become_one_store(tmp_path: Path, output: str) -> None:
    sources = [write_store(tmp_path / "a.h5", ["a", "d"]), write_store(tmp_path / "b", ["b", "c"])]
    store = EmbeddingStore(merge_embeddings(sources, tmp_path / output))
    assert store.ids == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(store.read("d").vectors, vectors_of(1, 2))
    assert not inspect_embeddings(tmp_path / output, is_verifying=True).problems
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.h5", "b", output])


def test_a_merged_store_can_be_appended_to(tmp_path: Path) -> None:
    sources = [write_store(tmp_path / name, [name]) for name in ("a", "b", "c")]
    merge_embeddings(sources, tmp_path / "all", shard_bytes=1000)
    assert len(list((tmp_path / "all").iterdir())) == 3
    write_store(tmp_path / "all", ["d"])
    assert EmbeddingStore(tmp_path / "all").ids == ["a", "b", "c", "d"]


def test_other_vectors_are_refused_with_the_difference(tmp_path: Path) -> None:
    a, b = write_store(tmp_path / "a.h5", ["a"]), tmp_path / "b.h5"
    with StoreWriter(b, replace(PROVENANCE, sampling={"name": "uniform", "frame_count": 9})):
        pass
    with pytest.raises(StoreMismatch, match=r"b.h5 was made in another way than .*a.h5: its sampling is .*9.*not .*4"):
        merge_embeddings([a, b], tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()


@pytest.mark.parametrize("output", ["all.h5", "all"])
def test_the_same_video_in_two_stores_is_kept_once(tmp_path: Path, output: str) -> None:
    a, b = write_hashed(tmp_path / "a.h5", {"x": "1", "y": "2"}), write_hashed(tmp_path / "b.h5", {"x": "1", "z": "3"})
    assert EmbeddingStore(merge_embeddings([a, b], tmp_path / output)).ids == ["x", "y", "z"]


@pytest.mark.parametrize("content_hash", ["2", ""], ids=["another hash", "no hash"])
def test_different_videos_under_one_id_are_refused(tmp_path: Path, content_hash: str) -> None:
    a, b = write_hashed(tmp_path / "a.h5", {"x": ""}), write_hashed(tmp_path / "b.h5", {"x": content_hash})
    with pytest.raises(StoreError, match=r"Different videos have the same id in these stores \(1 id\): x\. Embed one"):
        merge_embeddings([a, b], tmp_path / "all.h5")


def test_a_video_that_failed_in_one_store_gets_its_vectors_from_another(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "b.h5", PROVENANCE) as writer:
        writer.append_failure(Failure("a", "/a", "timeout", "slow"))
    sources = [write_store(tmp_path / "a.h5", ["a"]), tmp_path / "b.h5"]
    store = EmbeddingStore(merge_embeddings(sources, tmp_path / "all.h5"))
    assert (store.ids, store.failures) == (["a"], [])


def test_a_store_is_never_merged_over_another(tmp_path: Path) -> None:
    a, b = write_store(tmp_path / "a.h5", ["a"]), write_store(tmp_path / "b.h5", ["b"])
    with pytest.raises(StoreError, match=r"b.h5 exists already\. Name a new"):
        merge_embeddings([a], b)


@pytest.mark.parametrize("output", ["all.h5", "all"])
def test_a_store_named_twice_is_merged_once(tmp_path: Path, output: str) -> None:
    a, b = write_hashed(tmp_path / "a.h5", {"x": "1"}), write_hashed(tmp_path / "b.h5", {"y": "2"})
    (tmp_path / "again.h5").symlink_to(a)
    store = EmbeddingStore(merge_embeddings([a, b, a, tmp_path / "again.h5"], tmp_path / output))
    assert store.ids == ["x", "y"]

"""Videos that get other ids or are dropped, in one file and in folders of shards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embed.store import EmbeddingStore, Failure, StoreWriter, inspect_embeddings
from tests.embed.stores import PROVENANCE, append, vectors_of


@pytest.fixture(params=["s.h5", "shards"], ids=["one file", "shards"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a store of a, b, c, d, written in three parts; b was written twice, and f failed."""
    store: Path = tmp_path / request.param
    for names in ("ab", "bc", "d"):
        with StoreWriter(store, PROVENANCE, shard_bytes=1) as writer:
            for name in names:
                writer.embedded.discard(name)
                append(writer, name, ord(name) + len(names))
            if names == "d":
                writer.append_failure(Failure("f", "/videos/f", "unreadable", "x"))
    return store


def revise(path: Path, renamed: dict[str, str], dropped: set[str]) -> EmbeddingStore:
    with EmbeddingStore(path) as store:
        records = {old: replace(store.video(old), id=new, location=f"/v/{new}") for old, new in renamed.items()}
    with StoreWriter(path, PROVENANCE) as writer:
        assert not writer.revise(records, dropped)
        assert writer.embedded == set(EmbeddingStore(path).ids)
    assert inspect_embeddings(path, is_verifying=True).problems == ()
    return EmbeddingStore(path)


def test_a_video_takes_its_vectors_along_to_another_id(path: Path) -> None:
    store = revise(path, {"a": "a much longer id", "b": "z"}, set())
    assert store.ids == ["a much longer id", "c", "d", "z"]
    np.testing.assert_array_equal(store.read("a much longer id").vectors, vectors_of(ord("a") + 2))
    np.testing.assert_array_equal(store.read("z").vectors, vectors_of(ord("b") + 2))
    assert store.video("z").location == "/v/z"


def test_dropped_videos_and_failures_are_gone_and_the_others_stay(path: Path) -> None:
    store = revise(path, {}, {"a", "b", "f", "unknown"})
    assert (store.ids, store.failures) == (["c", "d"], [])
    np.testing.assert_array_equal(store.read("d").vectors, vectors_of(ord("d") + 1))


def test_a_video_replaces_another_that_had_its_new_id(path: Path) -> None:
    store = revise(path, {"a": "d"}, set())
    assert store.ids == ["b", "c", "d"]
    np.testing.assert_array_equal(store.read("d").vectors, vectors_of(ord("a") + 2))


def test_all_videos_can_be_dropped_and_the_store_continued(path: Path) -> None:
    assert revise(path, {}, set("abcdf")).ids == []
    with StoreWriter(path, PROVENANCE) as writer:
        append(writer, "new", 1)
    assert EmbeddingStore(path).ids == ["new"]


def test_two_videos_can_exchange_their_ids(path: Path) -> None:
    store = revise(path, {"a": "d", "d": "a"}, set())
    np.testing.assert_array_equal(store.read("d").vectors, vectors_of(ord("a") + 2))
    np.testing.assert_array_equal(store.read("a").vectors, vectors_of(ord("d") + 1))

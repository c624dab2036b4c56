from pathlib import Path

import h5py

from embed.store import EmbeddingStore, Failure, StoreWriter, repair_embeddings
from embed.store.records import ADDED_LATER
from tests.embed.stores import PROVENANCE, append, write_store


def test_a_store_from_before_a_column_was_added_is_read_and_continued(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "r+") as file:
        for name in ADDED_LATER["videos"]:
            del file[f"videos/{name}"]
        for name in ADDED_LATER["failures"]:
            del file[f"failures/{name}"]
    with StoreWriter(path, PROVENANCE) as writer:
        append(writer, "c", 2)
        writer.append_failure(Failure("d", "/videos/d", "unreadable", "x"))
    store = EmbeddingStore(path)
    assert (store.ids, store.video("a").size_bytes, store.failures[0].size_bytes) == (["a", "b", "c"], 0, 0)
    assert repair_embeddings(path, tmp_path / "new.h5").kept == 3

"""Texts in the tables of a store: names among the sorted ids, and the details of failures."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from embed.store import EmbeddingStore, Failure, StoreWriter, VideoRecord
from embed.store.tables import encode_text, find_id, find_ids
from tests.embed.stores import PROVENANCE


@given(st.lists(st.text("ab/é\udcff", min_size=1, max_size=4), unique=True), st.text("ab/é\udcff", max_size=5))
def test_one_name_is_found_like_many_names(names: list[str], wanted: str) -> None:
    ids = np.sort(np.array([encode_text(name) for name in names], dtype=np.bytes_))

    for name in (*names, wanted):
        assert find_id(ids, name) == find_ids(ids, [name])[0]


def told_of(tmp_path: Path, detail: str) -> str:
    """Store a failure, and return the detail that is read back."""
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        writer.append_failure(Failure("a", "/a", "crashed", detail))
    return EmbeddingStore(tmp_path / "s.h5").failures[0].detail


@pytest.mark.parametrize("filling", ["é" * 1000, "猫" * 1000, "\udcff猫" * 1000], ids=["é", "猫", "no UTF-8"])
def test_a_long_text_of_a_failure_keeps_both_ends(tmp_path: Path, filling: str) -> None:
    told = told_of(tmp_path, f"/a cannot be read: {filling}. Copy it again")
    assert 350 < len(told.encode()) <= 503
    assert told.startswith("/a cannot be read: ")
    assert told.endswith(". Copy it again")
    assert told.count("…") == 1


def test_a_text_of_500_bytes_is_kept_whole(tmp_path: Path) -> None:
    assert told_of(tmp_path, "é" * 250) == "é" * 250


def test_an_id_with_a_nul_is_refused_and_not_joined_with_another(tmp_path: Path) -> None:
    rows, moments = np.ones((2, PROVENANCE.encoder.dimension)), np.arange(2.0)
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        writer.append(VideoRecord("a b"), rows, moments)
        with pytest.raises(ValueError, match=r"the id 'a\\x00b' has a NUL in it"):
            writer.append(VideoRecord("a\0b"), rows, moments)
        with pytest.raises(ValueError, match=r"the id 'c\\x00d' has a NUL in it"):
            writer.append_failure(Failure("c\0d", "/c", "crashed", ""))
    assert EmbeddingStore(tmp_path / "s.h5").ids == ["a b"]
    assert EmbeddingStore(tmp_path / "s.h5").failures == []

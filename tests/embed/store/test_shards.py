"""Stores that are folders of shards."""

from pathlib import Path

import numpy as np
import pytest

from embed.errors import StoreDamaged, StoreError
from embed.store import EmbeddingStore, StoreWriter
from embed.store.parts import group_parts
from tests.embed.stores import PROVENANCE, append, vectors_of, write_store

SHARD_BYTES = 90_000  # an empty piece has 10 KB


def write_shards(path: Path, first: int, last: int) -> None:
    with StoreWriter(path, PROVENANCE, shard_bytes=SHARD_BYTES) as writer:
        for number in range(first, last):
            append(writer, f"{number:03}", number, count=300)
            writer.commit()


def shards_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def test_a_folder_of_shards_reads_like_a_file(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", 0, 70)
    assert len(shards_of(tmp_path / "shards")) > 5
    store = EmbeddingStore(tmp_path / "shards")
    assert store.ids == [f"{number:03}" for number in range(70)]
    wanted = np.concatenate([vectors_of(number, 300) for number in range(70)])
    np.testing.assert_array_equal(store.read_many(store.ids)[0], wanted)


def test_a_finished_shard_is_never_written_again(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", 0, 40)
    before = shards_of(tmp_path / "shards")
    write_shards(tmp_path / "shards", 40, 80)
    after = shards_of(tmp_path / "shards")
    finished = {name: content for name, content in before.items() if len(content) > SHARD_BYTES // 2}
    assert len(finished) >= len(before) - 1 > 2
    assert finished.items() <= after.items()
    assert len(EmbeddingStore(tmp_path / "shards")) == 80
    assert max(map(len, after.values())) <= SHARD_BYTES


def test_a_shard_is_a_store_itself(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", 0, 40)
    first = min((tmp_path / "shards").iterdir())
    assert EmbeddingStore(first).ids[0] == "000"


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", 0, 40)
    sorted((tmp_path / "shards").iterdir())[1].unlink()
    with pytest.raises(StoreDamaged, match=r"lacks the part that comes before .*Restore it"):
        EmbeddingStore(tmp_path / "shards")


def test_a_folder_of_other_files_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"is a folder of other files\. Name a new folder"):
        StoreWriter(tmp_path, PROVENANCE)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_an_empty_run_leaves_an_empty_folder_store(tmp_path: Path) -> None:
    assert len(EmbeddingStore(write_store(tmp_path / "shards", []))) == 0


def test_files_that_are_not_shards_are_left_alone(tmp_path: Path) -> None:
    path = write_store(tmp_path / "shards", ["a"])
    (path / "2026-notes.h5").write_text("mine")
    write_shards(path, 0, 3)
    assert (path / "2026-notes.h5").read_text() == "mine"


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        pytest.param([1, 1, 1], [[0, 1, 2]], id="small ones become one"),
        pytest.param([4, 4, 4], [[0, 1]], id="no more than fit"),
        pytest.param([6, 1, 1], [[1, 2]], id="a finished one stays as it is"),
        pytest.param([1, 6, 1], [], id="nothing is merged across a finished one"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_parts_are_grouped_up_to_the_size_of_a_shard(tmp_path: Path, sizes: list[int], groups: list[list[int]]) -> None:
    parts = [tmp_path / str(number) for number in range(len(sizes))]
    for part, size in zip(parts, sizes, strict=True):
        part.write_bytes(bytes(size))
    assert group_parts(parts, 10) == [[parts[number] for number in group] for group in groups]

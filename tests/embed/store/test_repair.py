"""Damage of every kind to a small store: the store is refused or repaired, and never returns a wrong vector."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from embed.errors import StoreDamaged, StoreError
from embed.machine.isolation import read_apart
from embed.store import EmbeddingStore, Failure, StoreWriter
from embed.store.repair import repair_embeddings
from embed.store.tables import checksum_rows
from tests.embed.stores import PROVENANCE, append, vectors_of
from tests.processes import mounted_disk

NAMES = [f"{number:03}" for number in range(60)]


def write(path: Path, shard_bytes: int = 1 << 30) -> Path:
    with StoreWriter(path, PROVENANCE, shard_bytes=shard_bytes) as writer:
        writer.append_failure(Failure("bad", "/bad", "unreadable", "no header"))
        for number, name in enumerate(NAMES):
            append(writer, name, number, count=100)
            if number % 10 == 9:
                writer.commit()
    return path


def flip_blocks(path: Path, first: int, size: int = 64, every: int = 64) -> None:
    """Invert every 64th block of 64 bytes."""
    content = np.fromfile(path, dtype=np.uint8)
    for start in range(first * size, len(content), every * size):
        content[start : start + size] ^= 255
    content.tofile(path)


def flip_bits(path: Path, seed: int) -> None:
    """Flip a few bits anywhere, half of them in the structure."""
    draw = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 40)):
        content[draw.randrange(draw.choice([len(content), 6000]))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(path: Path, seed: int) -> None:
    os.truncate(path, random.Random(seed).randrange(path.stat().st_size))


def zero_pages(path: Path, seed: int) -> None:
    """Zero a few pages of 4 KB or sectors of 512 bytes, half of them in the structure."""
    draw = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 4)):
        size = draw.choice([512, 4096])
        start = draw.randrange(0, draw.choice([len(content), 8192]), size)
        content[start : start + size] = bytes(len(content[start : start + size]))
    path.write_bytes(content)


def read_all(path: Path) -> tuple[list[str], list[str]]:
    """Read every video; return the ids whose vectors were read, and those of them whose vectors are wrong."""
    came, wrong = [], []
    with EmbeddingStore(path) as store:
        for name in store.ids:
            try:
                vectors = store.read(name).vectors
            except StoreError:
                continue
            came.append(name)
            if not (name in NAMES and np.array_equal(vectors, vectors_of(int(name), 100))):
                wrong.append(name)
        [store.video(name) for name in came]
        assert store.failures == [Failure("bad", "/bad", "unreadable", "no header")] or path.name == "saved.h5"
    return came, wrong


def refusal_to_read(path: Path) -> str:
    """Return why a damaged store cannot be read, or "" if it can. Then no vector may be wrong."""
    try:
        _, wrong = read_apart(read_all, path, limit_s=60)
    except StoreDamaged as refused:
        return str(refused)
    assert not wrong
    return ""


def refusal_to_repair(path: Path) -> str:
    """Return why nothing could be saved, or "" if something was. Then no vector may be wrong."""
    try:
        report = repair_embeddings(path, path.with_name("saved.h5"))
    except StoreDamaged as refused:
        return str(refused)
    came, wrong = read_all(path.with_name("saved.h5"))
    assert not wrong
    assert len(came) == report.kept > 0
    return ""


def check_is_refused_or_repaired(path: Path) -> None:
    for refusal in (refusal_to_read(path), refusal_to_repair(path)):
        assert "crashed" not in refusal
        assert "did not end" not in refusal


DAMAGE = [
    *(pytest.param(flip_blocks, first, id=f"every 64th block from block {first}") for first in (0, 40)),
    *(pytest.param(flip_bits, seed, id=f"some bits, seed {seed}") for seed in range(3)),
    *(pytest.param(zero_pages, seed, id=f"zeroed pages, seed {seed}") for seed in range(2)),
    *(pytest.param(cut, seed, id=f"cut off, seed {seed}") for seed in range(2)),
]
MUCH_DAMAGE = [
    *(pytest.param(flip_blocks, first, id=f"every 64th block from block {first}") for first in range(64)),
    *(pytest.param(flip_bits, seed, id=f"some bits, seed {seed}") for seed in range(3, 206)),
    *(pytest.param(zero_pages, seed, id=f"zeroed pages, seed {seed}") for seed in range(2, 53)),
    *(pytest.param(cut, seed, id=f"cut off, seed {seed}") for seed in range(2, 53)),
]


@pytest.mark.parametrize(("damage", "seed"), DAMAGE)
def test_a_damaged_store_is_refused_or_repaired(tmp_path: Path, damage: Callable[[Path, int], None], seed: int) -> None:
    damage(write(tmp_path / "s.h5"), seed)
    check_is_refused_or_repaired(tmp_path / "s.h5")


@pytest.mark.nightly
@pytest.mark.parametrize(("damage", "seed"), MUCH_DAMAGE)
def test_much_damage_is_refused_or_repaired(tmp_path: Path, damage: Callable[[Path, int], None], seed: int) -> None:
    damage(write(tmp_path / "s.h5"), seed)
    check_is_refused_or_repaired(tmp_path / "s.h5")


@pytest.mark.parametrize(("damage", "seed"), [(flip_blocks, 0), (flip_bits, 1), (zero_pages, 2), (cut, 3)])
def test_a_damaged_shard_is_refused_or_repaired(tmp_path: Path, damage: Callable[[Path, int], None], seed: int) -> None:
    path = write(tmp_path / "shards", shard_bytes=20_000)
    damage(sorted(path.glob("*.h5"))[2], seed)
    check_is_refused_or_repaired(path)


def test_an_undamaged_store_is_saved_completely(tmp_path: Path) -> None:
    report = repair_embeddings(write(tmp_path / "s.h5"), tmp_path / "new.h5")
    assert (report.kept, report.lost, report.problems) == (60, (), ())
    assert [failure.id for failure in EmbeddingStore(tmp_path / "new.h5").failures] == ["bad"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.h5", "s.h5"]


def test_the_videos_that_are_lost_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        file["embeddings"][550, 3] += np.float16(0.25)
        file["videos/fps"][7] = 12.5
        file["videos/id"][9] = b"xyz"
    report = repair_embeddings(path, tmp_path / "new.h5")
    assert (report.kept, report.lost) == (57, ("005", "007", "xyz"))
    assert len(EmbeddingStore(tmp_path / "new.h5")) == 57


def test_the_front_of_a_store_that_was_cut_off_is_saved(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    with h5py.File(path) as file:
        rows = file["embeddings"]
        middle = rows.id.get_offset() + rows.nbytes // 2
    os.truncate(path, middle)
    report = repair_embeddings(path, tmp_path / "new.h5")
    assert EmbeddingStore(tmp_path / "new.h5").ids == NAMES[:30]
    assert report.lost == tuple(NAMES[30:])


def test_a_damaged_or_missing_shard_loses_only_its_own_videos(tmp_path: Path) -> None:
    path = write(tmp_path / "shards", shard_bytes=20_000)
    shards = sorted(path.iterdir())
    assert len(shards) == 6
    shards[1].unlink()
    shards[3].write_bytes(b"x" * 1000)
    report = repair_embeddings(path, tmp_path / "new")
    assert report.kept == 40
    assert len(report.problems) == 1
    assert shards[3].name in report.problems[0]
    assert EmbeddingStore(tmp_path / "new").ids == NAMES[:10] + NAMES[20:30] + NAMES[40:]


def write_again(path: Path, numbers: dict[str, int]) -> None:
    """Append videos again, as a run does when files have changed, and stop before parts are merged."""
    writer = StoreWriter(path, PROVENANCE)
    writer.embedded -= set(numbers)
    for name, number in numbers.items():
        append(writer, name, number, count=100)
    writer.stop()


def test_the_latest_undamaged_copy_of_a_video_that_was_embedded_again_is_saved(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    write_again(path, {"000": 100, "001": 101})
    write_again(path, {"000": 200, "001": 201})
    with h5py.File(max((tmp_path / "s.h5.parts").glob("*.h5")), "a") as file:
        file["embeddings"][150, 3] += np.float16(0.25)
    report = repair_embeddings(path, tmp_path / "new.h5")
    assert (report.kept, report.lost) == (60, ())
    saved = EmbeddingStore(tmp_path / "new.h5")
    np.testing.assert_array_equal(saved.read("000").vectors, vectors_of(200, 100))
    np.testing.assert_array_equal(saved.read("001").vectors, vectors_of(101, 100))


def test_a_part_that_a_killed_run_merged_and_left_is_older_than_the_store(tmp_path: Path) -> None:
    path = write(tmp_path / "s.h5")
    write_again(path, {"000": 100})
    (part,) = (tmp_path / "s.h5.parts").glob("*.h5")
    left = part.read_bytes()
    write_again(path, {"000": 200})
    with StoreWriter(path, PROVENANCE):
        pass
    part.parent.mkdir()
    part.write_bytes(left)
    repair_embeddings(path, tmp_path / "new.h5")
    np.testing.assert_array_equal(EmbeddingStore(tmp_path / "new.h5").read("000").vectors, vectors_of(200, 100))


def test_a_file_of_another_kind_cannot_be_repaired(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"dear")
    with pytest.raises(StoreDamaged, match=r"Nothing of .*a.h5 can be saved.*file signature not found\)?\. Embed the"):
        repair_embeddings(tmp_path / "a.h5", tmp_path / "new.h5")
    with pytest.raises(StoreError, match="There is no store"):
        repair_embeddings(tmp_path / "absent.h5", tmp_path / "new.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_video_with_values_that_no_vector_has_is_lost_and_the_others_are_saved(tmp_path: Path) -> None:
    store = write(tmp_path / "s.h5")
    with h5py.File(store, "r+") as file:
        for at in (0, 30):  # with a right checksum, as another program may have written them
            first, count = file["videos/first_row"][at], file["videos/row_count"][at]
            file["embeddings"][first] = np.nan
            rows, moments = file["embeddings"][first : first + count], file["timestamps_s"][first : first + count]
            sums = file["videos/crc32"][:]
            sums[at] = checksum_rows(file["videos/id"][at], rows, moments)
            file["videos/crc32"][:] = sums
    report = repair_embeddings(store, tmp_path / "saved.h5")
    assert (report.kept, report.lost) == (58, ("000", "030"))


def test_a_full_disk_is_not_taken_for_a_damaged_store(tmp_path: Path) -> None:
    store = write(tmp_path / "s.h5")
    (tmp_path / "disk").mkdir()
    with mounted_disk(tmp_path / "disk", "60k") as disk, pytest.raises(StoreError, match="No space left") as caught:
        repair_embeddings(store, disk / "saved.h5")
    assert "Nothing of" not in str(caught.value)

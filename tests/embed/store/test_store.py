import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from embed.errors import StoreBusy, StoreDamaged, StoreError, StoreMismatch
from embed.store import EmbeddingStore, Failure, StoreWriter, VideoRecord, is_store
from embed.store.tables import checksum_column
from tests.embed.stores import PROVENANCE, append, vectors_of, write_store


def test_a_store_returns_what_was_written(tmp_path: Path) -> None:
    store = EmbeddingStore(write_store(tmp_path / "s.h5", ["b", "a", "c"]))
    assert store.ids == ["a", "b", "c"]
    assert store.row_counts.tolist() == [2, 1, 3]
    np.testing.assert_array_equal(store.read("a").vectors, vectors_of(1, 2))
    np.testing.assert_array_equal(store.read("a").timestamps_s, [0, 1])
    assert store.video("b") == VideoRecord("b", location="/videos/b", duration_s=2.0, width_px=64, height_px=48)


def test_read_many_returns_the_rows_in_the_requested_order(tmp_path: Path) -> None:
    store = EmbeddingStore(write_store(tmp_path / "s.h5", ["a", "b", "c"]))
    rows, counts = store.read_many(["c", "a"])
    assert store.read_many([])[0].shape == (0, 10)
    assert counts.tolist() == [3, 1]
    np.testing.assert_array_equal(rows, np.concatenate([vectors_of(2, 3), vectors_of(0, 1)]))


def test_read_timestamps_returns_the_moments_of_those_rows(tmp_path: Path) -> None:
    store = EmbeddingStore(write_store(tmp_path / "s.h5", ["a", "b", "c"]))
    assert store.read_timestamps(["c", "a"]).tolist() == [0, 1, 2, 0]
    assert store.read_timestamps([]).shape == (0,)
    with pytest.raises(KeyError, match="no video 'd'"):
        store.read_timestamps(["d"])


def test_a_finished_store_is_one_file_that_any_hdf5_tool_reads(tmp_path: Path) -> None:
    write_store(tmp_path / "s.h5", ["a", "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]
    with h5py.File(tmp_path / "s.h5") as file:
        assert file["embeddings"].shape == (3, 10)
        assert file["videos/id"][:].tolist() == [b"a", b"b"]
        assert file["videos/first_row"][:].tolist() == [0, 1]


def test_ids_may_be_in_any_script(tmp_path: Path) -> None:
    names = ["кошки/барсик.mp4", "猫.mp4", "café.mp4"]
    store = EmbeddingStore(write_store(tmp_path / "s.h5", names))
    assert sorted(names) == store.ids
    assert all(name in store for name in names)


def test_a_file_name_that_is_not_utf8_is_an_id_like_any_other(tmp_path: Path) -> None:
    names = [os.fsdecode(b"caf\xe8.mp4"), os.fsdecode(b"caf\xe9.mp4")]
    store = EmbeddingStore(write_store(tmp_path / "s.h5", names))
    assert store.ids == names
    np.testing.assert_array_equal(store.read(names[1]).vectors, vectors_of(1, 2))


@pytest.mark.parametrize("video_id", ["", "aa", "b" * 10_000, "a\0"])
def test_a_name_that_is_longer_or_shorter_than_all_others_is_not_found(tmp_path: Path, video_id: str) -> None:
    assert video_id not in EmbeddingStore(write_store(tmp_path / "s.h5", ["a", "b"]))


def test_appending_to_a_store_keeps_what_it_has(tmp_path: Path) -> None:
    write_store(tmp_path / "s.h5", ["a", "b"])
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        assert writer.embedded == {"a", "b"}
        append(writer, "aa", 7)
    store = EmbeddingStore(tmp_path / "s.h5")
    assert store.ids == ["a", "aa", "b"]
    np.testing.assert_array_equal(store.read("aa").vectors, vectors_of(7))


def test_an_empty_run_leaves_an_empty_store(tmp_path: Path) -> None:
    assert len(EmbeddingStore(write_store(tmp_path / "s.h5", []))) == 0


def test_a_failure_is_kept_until_its_video_succeeds(tmp_path: Path) -> None:
    failure = Failure("a", "/videos/a", "unreadable", "no header")
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        writer.append_failure(failure)
    assert EmbeddingStore(tmp_path / "s.h5").failures == [failure]
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        assert writer.failed == {"a": failure}
        writer.append_failure(replace(failure, attempts=2))
    assert EmbeddingStore(tmp_path / "s.h5").failures == [replace(failure, attempts=2)]
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        append(writer, "a", 1)
    assert EmbeddingStore(tmp_path / "s.h5").failures == []


def test_what_is_committed_can_be_read_during_the_run(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        append(writer, "a", 1)
        writer.commit()
        append(writer, "b", 2)
        assert EmbeddingStore(tmp_path / "s.h5").ids == ["a"]


def test_many_commits_become_few_files(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for number in range(70):
            append(writer, f"{number:03}", number)
            writer.commit()
        parts = sorted(path.name for path in (tmp_path / "s.h5.parts").glob("*.h5"))
        assert parts[:2] == ["00000000-00000031.h5", "00000032-00000063.h5"]
        assert len(parts) == 2 + 6
        assert len(EmbeddingStore(tmp_path / "s.h5")) == 70
    assert EmbeddingStore(tmp_path / "s.h5").ids == [f"{number:03}" for number in range(70)]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.embed.stores import PROVENANCE, append
from embed.store import whole_files, writing
from embed.store import StoreWriter

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

writer = StoreWriter(Path(sys.argv[1]), PROVENANCE)
for number in range(40):
    append(writer, f"{number:02}", number)
    writer.commit()
moment = sys.argv[2]
if moment == "while writing a part":
    whole_files._sync = die
elif moment == "before parts are deleted":
    writing.delete_merged_parts = die
append(writer, "40", 40)
if moment == "in flight":
    die()
writer.close()
"""


@pytest.mark.parametrize("name", ["s.h5", "shards"])
@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("in flight", 40, id="with a video not committed"),
        pytest.param("while writing a part", 40, id="while a part is written"),
        pytest.param("before parts are deleted", 41, id="after merging, before the parts are deleted"),
    ],
)
def test_a_store_survives_a_kill_and_can_be_continued(tmp_path: Path, moment: str, expected: int, name: str) -> None:
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(EmbeddingStore(path)) == expected
    with StoreWriter(path, PROVENANCE) as writer:
        for number in range(expected, 45):
            append(writer, f"{number:02}", number)
    store = EmbeddingStore(path)
    assert store.ids == [f"{number:02}" for number in range(45)]
    np.testing.assert_array_equal(store.read_many(store.ids)[0], np.concatenate([vectors_of(n) for n in range(45)]))
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert not list(path.glob("*.tmp"))


def test_ctrl_c_commits_and_the_next_run_rewrites_the_file(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a"])
    before = path.stat()
    with suppress(KeyboardInterrupt), StoreWriter(path, PROVENANCE) as writer:
        append(writer, "b", 2)
        raise KeyboardInterrupt
    assert os.path.samestat(path.stat(), before)
    assert EmbeddingStore(path).ids == ["a", "b"]
    with StoreWriter(path, PROVENANCE):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["s.h5"]
    assert EmbeddingStore(path).ids == ["a", "b"]


def test_other_vectors_are_refused_and_the_store_is_unchanged(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a"])
    before = path.read_bytes()
    other = replace(PROVENANCE, encoder=replace(PROVENANCE.encoder, weights_sha256="two"))
    with pytest.raises(
        StoreMismatch, match=r"weights sha256 is one, not two. Use the settings of the store, or write to another"
    ):
        StoreWriter(path, other)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.h5"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE), pytest.raises(StoreBusy, match="Another process is writing"):
        StoreWriter(tmp_path / "s.h5", PROVENANCE)


ANOTHER_WRITER = """
import sys
from tests.embed.stores import PROVENANCE
from embed.store import StoreWriter
StoreWriter(sys.argv[1], PROVENANCE)
"""


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_second_writer_in_another_process_is_refused(tmp_path: Path, name: str) -> None:
    with StoreWriter(tmp_path / name, PROVENANCE):
        other = subprocess.run(
            [sys.executable, "-c", ANOTHER_WRITER, str(tmp_path / name)], capture_output=True, text=True, check=False
        )
    assert other.returncode == 1
    assert "StoreBusy: Another process is writing to" in other.stderr


HOLDING = ANOTHER_WRITER.replace("StoreWriter(", "writer = StoreWriter(") + "print(flush=True); sys.stdin.read()"


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_killed_writer_releases_the_lock(tmp_path: Path, name: str) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        with pytest.raises(StoreBusy, match="Another process is writing"):
            StoreWriter(tmp_path / name, PROVENANCE)
        killed.kill()
    assert EmbeddingStore(write_store(tmp_path / name, ["a"])).ids == ["a"]


def test_a_file_that_is_not_a_store_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").write_bytes(b"dear")
    with pytest.raises(StoreDamaged, match=r"holiday.mp4 is not a store of embeddings, or a damaged one"):
        StoreWriter(tmp_path / "holiday.mp4", PROVENANCE)
    assert (tmp_path / "holiday.mp4").read_bytes() == b"dear"


def test_the_hdf5_file_of_another_program_is_named_as_such(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["features"] = np.zeros(3)
    with pytest.raises(StoreDamaged, match=r"not a store of embeddings: it lacks the attribute format.*/embeddings"):
        EmbeddingStore(tmp_path / "foreign.h5")


def test_a_link_into_another_file_is_not_followed(tmp_path: Path) -> None:
    path, secret = write_store(tmp_path / "s.h5", ["a"]), write_store(tmp_path / "secret.h5", ["a"])
    with h5py.File(path, "a") as file:
        del file["embeddings"]
        file["embeddings"] = h5py.ExternalLink(str(secret), "/embeddings")
    with pytest.raises(StoreDamaged, match="the dataset /embeddings is missing"):
        EmbeddingStore(path)


@pytest.mark.parametrize(
    ("column", "value"), [("first_row", 10**12), ("first_row", -1), ("row_count", -5), ("row_count", 2**62)]
)
def test_rows_outside_the_table_are_refused(tmp_path: Path, column: str, value: int) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a") as file:
        file["videos"][column][1] = value
        file["videos"][column].attrs["crc32"] = checksum_column(file["videos"][column][:])
    with pytest.raises(StoreDamaged, match="rows of a video are outside the table"):
        EmbeddingStore(path)


def test_half_a_file_is_damaged(tmp_path: Path) -> None:
    path = write_store(tmp_path / "my s.h5", [f"{number}" for number in range(50)])
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreDamaged, match=r"Run inspect-embeddings '\S+/my s\.h5' --repair NEW"):
        EmbeddingStore(path)


def test_an_absent_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"There is no store .*s.h5. Make one with: embed-videos FOLDER -o '\S+/my s\.h5'"
    ):
        EmbeddingStore(tmp_path / "my s.h5")


def test_wrong_rows_are_never_returned(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a") as file:
        file["embeddings"][0, 3] += np.float16(0.25)
    store = EmbeddingStore(path)
    np.testing.assert_array_equal(store.read("b").vectors, vectors_of(1, 2))
    with pytest.raises(StoreDamaged, match=r"the rows of a are not the ones .*--repair"):
        store.read("a")


def test_a_table_that_has_changed_is_refused(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a") as file:
        file["videos/id"][0] = b"c"
    with pytest.raises(StoreDamaged, match="the column /videos/id is not the one that was written"):
        EmbeddingStore(path)


def test_a_few_bytes_that_claim_a_huge_table_are_refused(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a") as file:
        del file["videos/first_row"]
        file.create_dataset("videos/first_row", (1 << 44,), np.int64)
    with pytest.raises(StoreDamaged, match="/videos/first_row is not one contiguous run in the file"):
        EmbeddingStore(path)


def test_an_unknown_video_is_a_key_error(tmp_path: Path) -> None:
    store = EmbeddingStore(write_store(tmp_path / "s.h5", ["a"]))
    assert "b" not in store
    with pytest.raises(KeyError, match="has no video 'b'"):
        store.read("b")


@pytest.mark.parametrize(
    ("vectors", "timestamps", "message"),
    [
        pytest.param(np.zeros((2, 9)), np.zeros(2), "do not fit", id="too few dimensions"),
        pytest.param(np.zeros((2, 10)), np.zeros(3), "do not fit", id="one timestamp too many"),
        pytest.param(np.full((1, 10), 1e6), np.zeros(1), "float16 cannot hold", id="a value beyond float16"),
        pytest.param(np.full((1, 10), np.nan), np.zeros(1), "float16 cannot hold", id="not a number"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(
    tmp_path: Path, vectors: np.ndarray, timestamps: np.ndarray, message: str
) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer, pytest.raises(ValueError, match=message):
        writer.append(VideoRecord("a"), vectors, timestamps)


def test_a_video_is_never_appended_twice(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        append(writer, "a", 1)
        with pytest.raises(ValueError, match="a is in the store already"):
            append(writer, "a", 2)


def test_stores_are_distinguished_from_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert is_store(write_store(tmp_path / "s.h5", ["a"]))
    assert not is_store(tmp_path / "a.mp4")
    assert is_store(write_store(tmp_path / "shards", ["a"]))
    assert not is_store(tmp_path)
    assert not is_store(tmp_path / "absent")

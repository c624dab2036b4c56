"""One byte a coefficient: the formulas, and stores of it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from embed.errors import StoreDamaged, StoreMismatch
from embed.store import (
    EmbeddingStore,
    StoreWriter,
    VideoRecord,
    count_clipped,
    dequantise,
    inspect_embeddings,
    merge_embeddings,
    nearest_codes,
    quantise,
    repair_embeddings,
)
from embed.store.quantisation import DECODED
from tests.embed.stores import PROVENANCE, write_store

CODED = replace(PROVENANCE, storage="uint8")
CODES = np.arange(256, dtype=np.uint8)


def coded_vectors(number: int, count: int = 3) -> NDArray[np.float32]:
    """Return (count, 10) vectors, a few of whose values are beyond +-2."""
    return np.random.default_rng(number).normal(0, 1, (count, 10)).astype(np.float32)


def write_coded(path: Path, names: list[str]) -> Path:
    with StoreWriter(path, CODED) as writer:
        for number, name in enumerate(names):
            count = number % 3 + 1
            writer.append(VideoRecord(name), coded_vectors(number, count), np.arange(count, dtype=np.float32))
    return path


def test_every_code_has_the_value_of_the_formula() -> None:
    expected = [code * 4 / 255 + 4 / 512 - 2 for code in range(256)]
    np.testing.assert_allclose(DECODED, expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(dequantise(CODES), np.array(expected, dtype=np.float16))


def test_a_value_has_the_code_of_the_formula() -> None:
    values = np.concatenate([np.linspace(-2.5, 2.5, 100_001), [-np.inf, np.inf]])
    expected = [round((min(max(value, -2.0), 2.0) + 2) * 255 / 4) for value in values.tolist()]
    np.testing.assert_array_equal(quantise(values), expected)


def test_there_and_back_adds_half_of_4_by_256_on_average() -> None:
    values = np.random.default_rng(0).uniform(-2, 2, 1_000_000)
    error = DECODED[quantise(values)] - values
    assert error.mean() == pytest.approx(4 / 512, abs=2e-5)
    assert error.min() > -4e-5
    assert error.max() < 4 / 512 + 2 / 255 + 1e-9


def test_the_nearest_code_of_a_decoded_value_is_its_own() -> None:
    np.testing.assert_array_equal(nearest_codes(dequantise(CODES)), CODES)
    assert not np.array_equal(quantise(dequantise(CODES)), CODES)


@pytest.mark.parametrize("shape", [(0, 7), (1, 1), (3, 0), (700, 401)], ids=str)
def test_codes_of_any_number_are_decoded(shape: tuple[int, int]) -> None:
    codes = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(dequantise(codes), DECODED.astype(np.float16)[codes])
    np.testing.assert_array_equal(dequantise(codes.T), DECODED.astype(np.float16)[codes.T])


def test_only_values_beyond_2_count_as_clipped() -> None:
    assert count_clipped(np.array([-2.01, -2.0, 0.0, 2.0, 2.01, 7.0])) == 3


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_vectors_are_stored_as_one_byte_a_coefficient_and_read_as_float16(tmp_path: Path, name: str) -> None:
    path = write_coded(tmp_path / name, ["b", "a", "c"])
    expected = dequantise(quantise(coded_vectors(2, 3)))
    with EmbeddingStore(path) as store:
        np.testing.assert_array_equal(store.read("c").vectors, expected)
        rows, counts = store.read_many(["c", "b"], is_checked=True)
        assert rows.dtype == np.float16
        np.testing.assert_array_equal(rows[:3], expected)
        assert counts.tolist() == [3, 1]
        np.testing.assert_array_equal(store.read_stored("c").rows, quantise(coded_vectors(2, 3)))
    assert inspect_embeddings(path, is_verifying=True).problems == ()


def test_codes_are_stored_as_they_are(tmp_path: Path) -> None:
    codes = np.resize(CODES, (52, 10))
    with StoreWriter(tmp_path / "s.h5", CODED) as writer:
        writer.append(VideoRecord("a"), codes, np.arange(52.0))
        assert writer.loss.clipped_share is None
    with h5py.File(tmp_path / "s.h5") as file:
        np.testing.assert_array_equal(file["embeddings"], codes)
        scaled = file["embeddings"][:] * file["embeddings"].attrs["scale"] + file["embeddings"].attrs["offset"]
        np.testing.assert_array_equal(scaled, DECODED[codes])
    with pytest.raises(ValueError, match="codes"), StoreWriter(tmp_path / "half.h5", PROVENANCE) as writer:
        writer.append(VideoRecord("a"), codes, np.arange(52.0))


def test_what_is_cut_off_is_counted(tmp_path: Path) -> None:
    vectors = np.zeros((2, 10), dtype=np.float32)
    vectors[0, :3] = 2.5, -2.5, 2.0
    with StoreWriter(tmp_path / "s.h5", CODED) as writer:
        writer.append(VideoRecord("a"), vectors, np.arange(2.0))
        assert writer.loss.clipped_share == 2 / 20
        changes = DECODED[quantise(vectors)] - vectors
        assert writer.loss.error == pytest.approx(np.linalg.norm(changes) / np.linalg.norm(vectors))
        for value in (np.nan, np.inf, 1e9):
            with pytest.raises(ValueError, match="float16 cannot hold"):
                writer.append(VideoRecord("b"), np.full((1, 10), value), np.zeros(1))
    assert EmbeddingStore(tmp_path / "s.h5").ids == ["a"]


def test_a_store_of_codes_is_continued_merged_revised_and_repaired_code_by_code(tmp_path: Path) -> None:
    path = write_coded(tmp_path / "s.h5", ["a", "b"])
    with StoreWriter(path, CODED) as writer:
        writer.append(VideoRecord("c"), coded_vectors(7), np.arange(3.0))
        assert writer.revise({"a": VideoRecord("z")}, ["b"]) == frozenset()
    merged = merge_embeddings([path, write_coded(tmp_path / "t.h5", ["d"])], tmp_path / "m.h5")
    report = repair_embeddings(merged, tmp_path / "saved.h5")
    assert (report.kept, report.lost) == (3, ())
    with EmbeddingStore(tmp_path / "saved.h5") as store:
        assert store.ids == ["c", "d", "z"]
        np.testing.assert_array_equal(store.read_stored("c").rows, quantise(coded_vectors(7)))
        np.testing.assert_array_equal(store.read_stored("z").rows, quantise(coded_vectors(0, 1)))


KILLED = """
import os, signal, sys
from pathlib import Path
from embed.store import StoreWriter, VideoRecord, whole_files
from tests.embed.store.test_quantisation import CODED, coded_vectors

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

writer = StoreWriter(Path(sys.argv[1]), CODED)
for number in range(35):
    writer.append(VideoRecord(f"{number:02}"), coded_vectors(number), range(3))
    writer.commit()
whole_files._sync = die
writer.append(VideoRecord("35"), coded_vectors(35), range(3))
writer.close()
"""


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_a_store_of_codes_survives_a_kill_and_can_be_continued(tmp_path: Path, name: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / name)], check=False)
    assert done.returncode == -signal.SIGKILL
    with StoreWriter(tmp_path / name, CODED) as writer:
        assert len(writer.embedded) == 35
        writer.append(VideoRecord("35"), coded_vectors(35), np.arange(3.0))
    with EmbeddingStore(tmp_path / name) as store:
        expected = np.concatenate([coded_vectors(number) for number in range(36)])
        np.testing.assert_array_equal(store.read_many(store.ids, is_checked=True)[0], dequantise(quantise(expected)))


def test_stores_of_two_types_do_not_mix(tmp_path: Path) -> None:
    coded, half = write_coded(tmp_path / "c.h5", ["a"]), write_store(tmp_path / "h.h5", ["b"])
    with pytest.raises(StoreMismatch, match=r"its storage is float16, not uint8 \(--quantize\)") as caught:
        merge_embeddings([coded, half], tmp_path / "m.h5")
    assert f"reduce-store {half} -o NEW.h5 --quantize" in str(caught.value)
    with pytest.raises(StoreMismatch, match=r"storage is uint8 \(--quantize\), not float16"):
        StoreWriter(coded, PROVENANCE)


def test_a_store_of_float16_does_not_mention_its_type() -> None:
    assert "storage" not in PROVENANCE.to_json()
    assert CODED.from_json(CODED.to_json()) == CODED


def test_another_type_is_refused_when_a_description_is_read() -> None:
    with pytest.raises(ValueError, match=r"storage is 'int4'\. Use one of float16, uint8"):
        PROVENANCE.from_json({**PROVENANCE.to_json(), "storage": "int4"})


def forget_scale(rows: h5py.Dataset) -> None:
    del rows.attrs["scale"]


def change_offset(rows: h5py.Dataset) -> None:
    rows.attrs["offset"] = -2.0


def write_scale_as_text(rows: h5py.Dataset) -> None:
    rows.attrs["scale"] = np.bytes_(b"4/255")


def write_many_scales(rows: h5py.Dataset) -> None:
    rows.attrs["scale"] = np.full(10, 4 / 255)


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        pytest.param(forget_scale, "scale", id="without a scale"),
        pytest.param(change_offset, "offset", id="with another offset"),
        pytest.param(write_scale_as_text, "scale", id="with a text for a scale"),
        pytest.param(write_many_scales, "scale", id="with a scale for each column"),
    ],
)
def test_codes_that_are_to_be_read_otherwise_are_refused(
    tmp_path: Path, harm: Callable[[h5py.Dataset], None], name: str
) -> None:
    path = write_coded(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "r+") as file:
        harm(file["embeddings"])
    with pytest.raises(StoreDamaged, match=f"the attribute {name} of /embeddings, by which codes are read, is not"):
        EmbeddingStore(path)


def test_rows_of_another_type_than_the_provenance_says_are_refused(tmp_path: Path) -> None:
    path = write_coded(tmp_path / "s.h5", ["a", "b"])
    shutil.copy(path, tmp_path / "harmed.h5")
    with h5py.File(tmp_path / "harmed.h5", "r+") as file:
        rows = file["embeddings"][:]
        del file["embeddings"]
        file["embeddings"] = rows.astype(np.float16)
    with pytest.raises(StoreDamaged, match="rows are float16, but its provenance says uint8"):
        EmbeddingStore(tmp_path / "harmed.h5")
    with pytest.raises(StoreDamaged, match="rows are float16, but its provenance says uint8"):
        repair_embeddings(tmp_path / "harmed.h5", tmp_path / "saved.h5")


def test_one_changed_code_is_found(tmp_path: Path) -> None:
    path = write_coded(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "r+") as file:
        file["embeddings"][0, 0] ^= 1
    with EmbeddingStore(path) as store:
        assert [store.read_stored(name).is_damaged for name in ("a", "b")] == [True, False]
        with pytest.raises(StoreDamaged, match="the rows of a are not the ones that were written"):
            store.read("a")
        with pytest.raises(StoreDamaged, match="checksum"):
            store.read_many(["a", "b"], is_checked=True)
    assert repair_embeddings(path, tmp_path / "saved.h5").lost == ("a",)

"""HDF5 files that were made to do harm: each is refused at once, in the same process, with what is wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from embed.errors import StoreDamaged
from embed.store import EmbeddingStore
from embed.store.inspection import inspect_embeddings
from tests.embed.stores import write_store

HUGE = 1 << 50


def replace(file: h5py.File, name: str, make: Callable[[], object]) -> None:
    del file[name]
    make()


def link_to_itself(file: h5py.File) -> None:
    replace(file, "videos", lambda: file.__setitem__("videos", h5py.SoftLink("/videos")))


def link_group_to_another_file(file: h5py.File) -> None:
    other = str(write_store(Path(file.filename).with_name("other.h5"), ["a", "b"]))
    replace(file, "videos", lambda: file.__setitem__("videos", h5py.ExternalLink(other, "/videos")))


def link_to_a_pipe_that_nobody_writes(file: h5py.File) -> None:
    pipe = Path(file.filename).with_name("pipe.h5")
    os.mkfifo(pipe)
    replace(file, "videos", lambda: file.__setitem__("videos", h5py.ExternalLink(str(pipe), "/videos")))


def keep_rows_in_another_file(file: h5py.File) -> None:
    shape, outside = file["embeddings"].shape, [("/dev/zero", 0, h5py.h5f.UNLIMITED)]
    replace(file, "embeddings", lambda: file.create_dataset("embeddings", shape, np.float16, external=outside))


def map_rows_from_another_file(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(file["embeddings"].shape, np.float16)
    layout[:] = h5py.VirtualSource("/dev/zero", "embeddings", file["embeddings"].shape)
    replace(file, "embeddings", lambda: file.create_virtual_dataset("embeddings", layout))


def compress_a_bomb(file: h5py.File) -> None:
    bomb = {"shape": (1 << 30,), "dtype": np.int64, "chunks": (1 << 20,), "compression": "gzip", "fillvalue": 7}
    replace(file, "videos/first_row", lambda: file.create_dataset("videos/first_row", **bomb))


def claim_huge_rows(file: h5py.File) -> None:
    replace(file, "embeddings", lambda: file.create_dataset("embeddings", (HUGE, 10), np.float16))


def claim_a_huge_table_of_empty_texts(file: h5py.File) -> None:
    replace(file, "videos/id", lambda: file.create_dataset("videos/id", (HUGE,), "S8"))


def keep_texts_of_variable_length(file: h5py.File) -> None:
    replace(file, "videos/id", lambda: file.create_dataset("videos/id", data=["a", "b"], dtype=h5py.string_dtype()))


def keep_references(file: h5py.File) -> None:
    replace(
        file, "videos/id", lambda: file.create_dataset("videos/id", data=[file.ref, file.ref], dtype=h5py.ref_dtype)
    )


def describe_by_a_text_of_variable_length(file: h5py.File) -> None:
    file.attrs["provenance"] = "{}"


def describe_by_an_array(file: h5py.File) -> None:
    file.attrs["format"] = np.zeros(1000)


def describe_by_nothing(file: h5py.File) -> None:
    file.attrs["provenance"] = h5py.Empty("S10")


def check_a_column_by_a_list(file: h5py.File) -> None:
    file["videos/first_row"].attrs["crc32"] = np.zeros(1000, dtype=np.int64)


def put_a_table_where_rows_were(file: h5py.File) -> None:
    replace(file, "embeddings", lambda: file.create_group("embeddings"))


HARM = {
    link_to_itself: "/videos/.* is missing",
    link_group_to_another_file: "/videos/.* is missing",
    link_to_a_pipe_that_nobody_writes: "/videos/.* is missing",
    keep_rows_in_another_file: "/embeddings is missing",
    map_rows_from_another_file: "/embeddings is missing",
    compress_a_bomb: "/videos/first_row is not one contiguous run in the file",
    claim_huge_rows: "/embeddings is not one contiguous run in the file",
    claim_a_huge_table_of_empty_texts: "/videos/id is not one contiguous run in the file",
    keep_texts_of_variable_length: "/videos/id is object",
    keep_references: "/videos/id is object",
    describe_by_a_text_of_variable_length: "the attribute provenance is neither a number nor a text of fixed length",
    describe_by_an_array: "the attribute format is neither",
    describe_by_nothing: "the attribute provenance is neither",
    check_a_column_by_a_list: "the attribute crc32 is neither",
    put_a_table_where_rows_were: "/embeddings is missing",
}


@pytest.mark.parametrize(("harm", "message"), [pytest.param(*case, id=case[0].__name__) for case in HARM.items()])
def test_a_hostile_store_is_refused(tmp_path: Path, harm: Callable[[h5py.File], None], message: str) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a", libver=("v108", "v110")) as file:
        harm(file)
    with pytest.raises(StoreDamaged, match=message):
        EmbeddingStore(path)


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
def test_a_file_of_another_program_is_refused_with_what_it_lacks(tmp_path: Path, version: str) -> None:
    with h5py.File(tmp_path / "foreign.h5", "w", libver=version) as file:
        file["features"] = np.zeros(3)
        file.attrs["provenance"] = "of another program"
    lacks = r"it lacks the attribute format, .*the dataset /embeddings, the dataset /timestamps_s, the group /videos\."
    with pytest.raises(StoreDamaged, match=lacks):
        EmbeddingStore(tmp_path / "foreign.h5")


def test_a_store_has_no_structure_without_a_checksum(tmp_path: Path) -> None:
    content = write_store(tmp_path / "s.h5", ["a", "b"]).read_bytes()
    assert content[8] == 2  # the superblock's version
    assert not [kind for kind in (b"GCOL", b"HEAP", b"TREE", b"SNOD") if kind in content]


def test_zeros_over_the_structure_of_a_store_do_not_hang_its_reader(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    content = bytearray(path.read_bytes())
    content[374:749] = bytes(375)
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="Run inspect-embeddings"):
        inspect_embeddings(path, is_verifying=True)

"""Stores whose values are of any kind, under checksums that fit: every command ends in a message, or goes well."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings, strategies as st
from numpy.typing import NDArray

from classify.cli import framehead
from embed.store import Failure, StoreWriter
from embed.store.pieces import _ATTRIBUTES, COLUMNS, _header_checksum
from embed.store.tables import checksum_column, checksum_record, checksum_rows
from tests.embed.stores import PROVENANCE, append

IDS = [f"{label}/{number}.mp4" for label in ("hug", "kick") for number in range(4)]
READING = (
    ("inspect-embeddings", "s.h5"),
    ("inspect-embeddings", "s.h5", "--json"),
    ("inspect-embeddings", "s.h5", "--list"),
    ("inspect-embeddings", "s.h5", "--verify"),
    ("describe-dataset", "s.h5"),
)
USING = (
    ("inspect-embeddings", "s.h5", "--repair", "saved.h5"),
    ("split-videos", "s.h5", "-o", "split.csv"),
    ("train-head", "s.h5", "--split", "good.csv", "-o", "head", "--arch", "linear", "--epochs", "1"),
    ("train-head", "s.h5", "--split", "split.csv", "-o", "other", "--arch", "linear", "--epochs", "1"),
    ("predict-videos", "good", "s.h5", "-o", "p.csv"),
    ("predict-videos", "good", "s.h5", "--json"),
    ("evaluate-head", "good", "s.h5", "-o", "judged"),
)
SEVERAL = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

Texts = st.text() | st.sampled_from(["", "\0", "\ud800", "\udce9", "nan", "1e999", "centre", "uniform", "float32"])
Numbers = st.integers() | st.sampled_from([0, -1, 2**31, 2**63, 10**400]) | st.floats()
Values = st.recursive(
    st.none() | st.booleans() | Numbers | Texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(Texts, inner, max_size=3),
    max_leaves=6,
)
Bytes = st.binary(max_size=12) | st.sampled_from([b"a\0b", b"..", b"/", b"../x", b"a\nb", b"\xff/\xff", b"hug/1.mp4"])


def run(words: Sequence[str]) -> int:
    if "--repair" in words:
        Path("saved.h5").unlink(missing_ok=True)
    result = CliRunner().invoke(framehead, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), (words, result.exc_info)
    return result.exit_code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder: a store of two classes and a failure, a split of it and a head."""
    folder, before = tmp_path_factory.mktemp("hostile"), Path.cwd()
    with StoreWriter(folder / "base.h5", PROVENANCE) as writer:
        for number, video_id in enumerate(IDS):
            append(writer, video_id, number)
        writer.append_failure(Failure("bad.mp4", "/bad.mp4", "decode_error", "x"))
    os.chdir(folder)
    assert run(("split-videos", "base.h5", "-o", "good.csv")) == 0
    assert run(("train-head", "base.h5", "--split", "good.csv", "-o", "good", "--epochs", "1")) == 0
    yield folder
    os.chdir(before)


def write_attributes(path: Path, provenance: str, created: str, merged_through: int) -> None:
    with h5py.File(path, "r+") as file:
        values: dict[str, str | int | None] = {
            "format": file.attrs["format"].decode(),
            "provenance": provenance,
            "created": created,
            "merged_through": merged_through,
        }
        stored = {
            name: np.bytes_(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else value
            for name, value in values.items()
        }
        read = {
            name: value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
            for name, value in stored.items()
        }
        stored["crc32"] = _header_checksum({**read, "crc32": None}, file["embeddings"].shape)
        for name in _ATTRIBUTES:
            file.attrs[name] = stored[name]


def write_column(path: Path, table: str, name: str, column: NDArray[Any]) -> None:
    """Replace a column, and all checksums over it."""
    with h5py.File(path, "r+") as file:
        columns = {one: file[f"{table}/{one}"][:] for one in COLUMNS[table]} | {name: column}
        if table == "videos":
            rows, moments = file["embeddings"][:], file["timestamps_s"][:]
            places = zip(
                columns["id"].tolist(), columns["first_row"].tolist(), columns["row_count"].tolist(), strict=True
            )
            columns["crc32"] = np.array(
                [checksum_rows(own, rows[at : at + count], moments[at : at + count]) for own, at, count in places]
            )
            columns["record_crc32"] = np.array([checksum_record(columns, at) for at in range(len(column))])
        for one, values in columns.items():
            del file[f"{table}/{one}"]
            file[f"{table}/{one}"] = values
            file[f"{table}/{one}"].attrs["crc32"] = checksum_column(values)


def places_in(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    return [at, *(place for name, own in inner for place in places_in(own, (*at, name)))]


def put(described: Any, place: tuple[str, ...], value: Any) -> Any:
    if not place:
        return value
    return {**described, place[0]: put(described[place[0]], place[1:], value)}


DESCRIBED = {**PROVENANCE.to_json(), "views": ["centre"]}


@SEVERAL
@given(place=st.sampled_from(places_in(DESCRIBED)), value=Values)
@example(place=("views",), value=[])
@example(place=("encoder", "preprocessing"), value={"width_px": 10**400})
def test_a_description_of_any_kind_is_read_or_refused(folder: Path, place: tuple[str, ...], value: Any) -> None:
    path = Path(shutil.copy(folder / "base.h5", folder / "s.h5"))
    write_attributes(path, json.dumps(put(DESCRIBED, place, value)), "2026-11-30T21:37:35+00:00", -1)
    for words in (*READING, *USING):
        run(words)


@SEVERAL
@given(provenance=Texts | Values.map(json.dumps), created=Texts, merged_through=st.integers(-(2**63), 2**63 - 1))
def test_attributes_of_any_text_are_read_or_refused(
    folder: Path, provenance: str, created: str, merged_through: int
) -> None:
    path = Path(shutil.copy(folder / "base.h5", folder / "s.h5"))
    for described in (provenance, json.dumps(DESCRIBED)):
        write_attributes(path, described, created, merged_through)
        for words in READING:
            run(words)


@SEVERAL
@given(
    name=st.sampled_from([name for name, kind in COLUMNS["videos"].items() if kind == "S"]),
    cells=st.lists(Bytes, min_size=len(IDS), max_size=len(IDS)),
)
@example(name="id", cells=[b""] * len(IDS))
@example(name="id", cells=[b"hug/%d\0x" % number for number in range(8)])
@example(name="location", cells=[b"/hug/%d\0x" % number for number in range(8)])
@example(name="content_hash", cells=[b"\xff\0\n"] * len(IDS))
def test_texts_of_any_bytes_are_used_or_refused(folder: Path, name: str, cells: list[bytes]) -> None:
    path = Path(shutil.copy(folder / "base.h5", folder / "s.h5"))
    if name == "id":
        cells = sorted(cells)
    write_column(path, "videos", name, np.array(cells, dtype="S12"))
    for words in (*READING, *USING):
        run(words)


@SEVERAL
@given(data=st.data(), table=st.sampled_from(["videos", "failures"]))
def test_numbers_and_failures_of_any_value_are_used_or_refused(folder: Path, data: st.DataObject, table: str) -> None:
    path = Path(shutil.copy(folder / "base.h5", folder / "s.h5"))
    name = data.draw(st.sampled_from([*COLUMNS[table]]))
    kind, count = COLUMNS[table][name], len(IDS) if table == "videos" else 1
    cell = {"S": Bytes, "i8": st.integers(-(2**63), 2**63 - 1), "f8": st.floats()}[kind]
    cells = data.draw(st.lists(cell, min_size=count, max_size=count))
    write_column(path, table, name, np.array(cells, dtype="S12" if kind == "S" else kind))
    for words in (*READING, *USING):
        run(words)

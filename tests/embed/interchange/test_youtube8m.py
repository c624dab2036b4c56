"""Records: whole ones as another library writes them, damaged ones, and ones that nobody wrote."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from embed.interchange import import_youtube8m
from embed.interchange.examples import MessageError, new_example
from embed.interchange.tfrecords import Damage, frame_record, read_tfrecords
from embed.interchange.youtube8m import dimensions_of, model_of, read_record, write_record
from embed.store import EmbeddingStore
from tests.embed.interchange.records import write_frames

SMALL = {"rgb": 3, "audio": 2}
IDS = ["a", "b", "c"]


def small_codes(seed: int) -> "tuple[np.ndarray, np.ndarray]":
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (2, 3), dtype=np.uint8), random.integers(0, 256, (2, 2), dtype=np.uint8)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of another library with three records, all of whose bytes can be tried."""
    videos = [(video_id, [number], small_codes(number)) for number, video_id in enumerate(IDS)]
    return write_frames(tmp_path_factory.mktemp("small") / "x.tfrecord", videos).read_bytes()


def rows_of(path: Path) -> tuple[dict[str, list[list[int]]], int]:
    """Return id -> codes of the records of a file that are whole, and the number of the others."""
    found, damaged = {}, 0
    for record in read_tfrecords(path):
        try:
            if isinstance(record, Damage):
                raise MessageError(record.detail)
            read = read_record(record)
            found[read.id] = read.rows(SMALL).tolist()  # type: ignore[arg-type]
        except MessageError:
            damaged += 1
    return found, damaged


def test_every_flipped_byte_costs_one_video_and_is_counted(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "x.tfrecord").write_bytes(small)
    whole, _ = rows_of(tmp_path / "x.tfrecord")
    for at in range(len(small)):
        (tmp_path / "x.tfrecord").write_bytes(small[:at] + bytes([small[at] ^ 0xFF]) + small[at + 1 :])
        found, damaged = rows_of(tmp_path / "x.tfrecord")
        assert (len(found), damaged) == (2, 1), at
        assert found.items() <= whole.items()


def test_every_byte_of_a_message_may_be_another_under_a_right_checksum(small: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tfrecord").write_bytes(small)
    record = next(read_tfrecords(tmp_path / "x.tfrecord"))
    assert isinstance(record, bytes)
    for at in range(len(record)):
        for changed in (record[:at] + bytes([record[at] ^ 0xFF]) + record[at + 1 :], record[:at]):
            (tmp_path / "x.tfrecord").write_bytes(frame_record(changed))
            found, damaged = rows_of(tmp_path / "x.tfrecord")
            assert len(found) + damaged == 1


def test_every_flipped_byte_of_a_compressed_file_leaves_records_that_are_true(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "x.tfrecord").write_bytes(small)
    whole, _ = rows_of(tmp_path / "x.tfrecord")
    zipped = gzip.compress(small)
    for at in range(2, len(zipped)):  # the first two say that it is compressed
        (tmp_path / "x.tfrecord").write_bytes(zipped[:at] + bytes([zipped[at] ^ 0xFF]) + zipped[at + 1 :])
        found, damaged = rows_of(tmp_path / "x.tfrecord")
        assert found.items() <= whole.items()
        assert len(found) == 3 or damaged


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_bytes_that_nobody_wrote_are_a_record_or_an_error(content: bytes) -> None:
    try:
        record = read_record(content)
        record.rows(SMALL)  # type: ignore[arg-type]
    except MessageError:
        return
    assert record.id


VALUES = st.one_of(
    st.lists(st.binary(max_size=4), max_size=4).map(lambda values: ("bytes_list", values)),
    st.lists(st.floats(width=32), max_size=4).map(lambda values: ("float_list", values)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(lambda values: ("int64_list", values)),
)
NAMES = ("id", "video_id", "labels", "mean_rgb", "mean_audio", "segment_start_times", "segment_labels")
CONTEXTS = st.dictionaries(st.sampled_from([*NAMES, "segment_end_times", "segment_scores"]), VALUES)
LISTS = st.dictionaries(st.sampled_from(["rgb", "audio", "other"]), st.lists(VALUES, max_size=3))


@settings(max_examples=300, deadline=None)
@given(context=CONTEXTS, lists=LISTS)
def test_messages_of_any_values_are_a_record_or_an_error(context: dict, lists: dict) -> None:
    message = new_example()
    for name, (kind, values) in context.items():
        getattr(message.context.feature[name], kind).value.extend(values)
    for name, features in lists.items():
        for kind, values in features:
            getattr(message.feature_lists.feature_list[name].feature.add(), kind).value.extend(values)
    try:
        record = read_record(message.SerializeToString())
        dimensions = {name: record.dimension_of(name) for name in ("rgb", "audio")}
        rows = record.rows(dimensions)  # type: ignore[arg-type]
    except MessageError:
        return
    assert rows.shape[1] == sum(dimensions.values())
    assert np.isfinite(rows).all()
    assert all(label >= 0 for label in record.labels)


@settings(max_examples=100, deadline=None)
@given(
    video_id=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
    labels=st.lists(st.integers(0, 2**63 - 1), unique=True, max_size=5),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
)
def test_what_is_written_is_read(video_id: str, labels: list[int], shape: tuple[int, int, int]) -> None:
    count, rgb, audio = shape
    codes = np.random.default_rng(0).integers(0, 256, (count, rgb + audio), dtype=np.uint8)
    sizes = {"rgb": rgb, "audio": audio}
    record = read_record(write_record(video_id, labels, codes, sizes))  # type: ignore[arg-type]
    assert (record.id, list(record.labels)) == (video_id, labels)
    np.testing.assert_array_equal(record.rows(sizes), codes)  # type: ignore[arg-type]
    assert dimensions_of(model_of(sizes)) == sizes  # type: ignore[arg-type]


def without_id(message: object) -> None:
    del message.context.feature["id"]  # type: ignore[attr-defined]


def with_long_id(message: object) -> None:
    message.context.feature["id"].bytes_list.value[0] = b"x" * 2000  # type: ignore[attr-defined]


def with_label_below_0(message: object) -> None:
    message.context.feature["labels"].int64_list.value.append(-3)  # type: ignore[attr-defined]


def with_two_vectors_a_frame(message: object) -> None:
    frame = message.feature_lists.feature_list["rgb"].feature[0]  # type: ignore[attr-defined]
    frame.bytes_list.value.append(b"abc")


def with_a_short_row(message: object) -> None:
    frame = message.feature_lists.feature_list["audio"].feature[1]  # type: ignore[attr-defined]
    frame.bytes_list.value[0] = b"a"


def with_half_a_segment(message: object) -> None:
    message.context.feature["segment_start_times"].int64_list.value.append(5)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_id, "it has no id"),
        (with_long_id, "its id has 2,000 bytes"),
        (with_label_below_0, "its labels has -3, which is below 0"),
        (with_two_vectors_a_frame, "a frame of its rgb is not one vector"),
        (with_a_short_row, "its audio has rows of 2 bytes or others, not all of 2"),
        (with_half_a_segment, "its segments have 1 starts, 1 ends, 0 labels and 0 scores"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_record_that_lacks_something_says_what(change: Callable[[object], None], said: str) -> None:
    message = new_example()
    codes = np.zeros((2, 5), np.uint8)
    message.ParseFromString(write_record("a", [1], codes, SMALL))  # type: ignore[arg-type]
    change(message)
    with pytest.raises(MessageError, match=said):
        read_record(message.SerializeToString()).rows(SMALL)  # type: ignore[arg-type]


def test_a_length_that_claims_a_gigabyte_takes_no_memory(tmp_path: Path, small: bytes) -> None:
    header = frame_record((1 << 29).to_bytes(8, "little"))[12:]  # 512 MB, under its own, right checksum
    (tmp_path / "x.tfrecord").write_bytes(small + header + b"short")
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.imported, summary.damaged) == (3, 1)
    assert "the file ends within a record" in summary.damage[0]


def test_zeros_after_the_records_are_one_damage_at_once(tmp_path: Path, small: bytes) -> None:
    with (tmp_path / "x.tfrecord").open("wb") as file:
        file.write(small)
        file.truncate(16 << 20)
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.imported, summary.damaged) == (3, 1)


def test_the_next_record_is_found_behind_what_looks_like_one(tmp_path: Path, small: bytes) -> None:
    noise = struct.pack("<QI", 5, 7) * 50 + bytes(range(256)) + bytes(7)
    (tmp_path / "x.tfrecord").write_bytes(noise + small)
    summary = import_youtube8m(tmp_path, tmp_path / "s.h5")
    assert (summary.imported, summary.damaged) == (3, 1)
    with EmbeddingStore(tmp_path / "s.h5") as store:
        assert store.ids == IDS

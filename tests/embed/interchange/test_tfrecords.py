import gzip
from pathlib import Path

import pytest
from tfrecord.reader import tfrecord_iterator
from tfrecord.writer import TFRecordWriter

from embed.errors import SourceError
from embed.interchange.tfrecords import Damage, frame_record, read_tfrecords

RECORDS = [b"", b"a", bytes(40), bytes(range(256)) * 3]
"""The third has zeros only, in which a length could be seen."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.tfrecord").write_bytes(b"".join(map(frame_record, RECORDS)))
    return tmp_path / "a.tfrecord"


def places() -> list[int]:
    """Return where each record begins, and where the file ends."""
    found = [0]
    for record in RECORDS:
        found.append(found[-1] + len(frame_record(record)))
    return found


def test_records_of_another_library_are_read_and_ours_by_it(tmp_path: Path, file: Path) -> None:
    writer = TFRecordWriter(str(tmp_path / "other.tfrecord"))
    writer.write({"id": (b"x", "byte"), "labels": ([1, 2], "int")})
    writer.close()
    (theirs,) = [bytes(record) for record in tfrecord_iterator(str(tmp_path / "other.tfrecord"))]
    assert list(read_tfrecords(tmp_path / "other.tfrecord")) == [theirs]
    assert [bytes(record) for record in tfrecord_iterator(str(file))] == RECORDS
    assert list(read_tfrecords(file)) == RECORDS


def test_a_compressed_file_is_read(file: Path) -> None:
    file.write_bytes(gzip.compress(file.read_bytes()))
    assert list(read_tfrecords(file)) == RECORDS


def test_every_flipped_byte_costs_one_record_and_is_told(file: Path) -> None:
    whole = file.read_bytes()
    starts = places()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        hit = max(index for index, start in enumerate(starts[:-1]) if start <= at)
        found = list(read_tfrecords(file))
        assert [part for part in found if isinstance(part, bytes)] == RECORDS[:hit] + RECORDS[hit + 1 :], at
        damages = [part for part in found if isinstance(part, Damage)]
        assert [damage.offset for damage in damages] == [starts[hit]], at


def test_every_cut_keeps_what_is_before_it_and_is_told_unless_it_is_between_records(file: Path) -> None:
    whole = file.read_bytes()
    starts = places()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        count = sum(end <= length for end in starts[1:])
        found = list(read_tfrecords(file))
        assert found[:count] == RECORDS[:count]
        assert len(found) == count + (length not in starts), length


def test_every_cut_of_a_compressed_file_is_told(file: Path) -> None:
    whole = gzip.compress(file.read_bytes())
    for length in range(3, len(whole)):
        file.write_bytes(whole[:length])
        *records, last = read_tfrecords(file)
        assert records == RECORDS[: len(records)]
        assert isinstance(last, Damage)
        assert "compression is broken" in last.detail


def test_a_length_beyond_memory_is_not_believed(file: Path) -> None:
    header = frame_record((1 << 60).to_bytes(8, "little"))[12:]  # a length with its own, right checksum
    file.write_bytes(header + file.read_bytes())
    assert list(read_tfrecords(file)) == [Damage(0, "a record's length is damaged"), *RECORDS]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none.tfrecord does not exist. Check the path"):
        list(read_tfrecords(tmp_path / "none.tfrecord"))
    with pytest.raises(SourceError, match=r"cannot be read: Is a directory"):
        list(read_tfrecords(tmp_path))

"""TFRecord files: records one after another, each with checksums of its length and of its bytes.

A record is its length (8 bytes, little-endian), a checksum of these, its bytes, and a checksum of those. A file may be
compressed with gzip as a whole. A checksum is CRC-32C, rotated and shifted: data with checksums inside keeps its own.

Source: tensorflow/core/lib/io/record_writer.h and tensorflow/core/lib/hash/crc32c.h.
"""

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

from embed.errors import SourceError
from embed.machine import open_regular

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_GZIP = b"\x1f\x8b"
_SMALL = bytes(4)  # the upper half of a length below 4 GiB
_BLOCK_BYTES = 1 << 20
_MOST_BYTES = 1 << 30
"""The longest record that is read: a length may be right by chance. A video of YouTube-8M has 350 KB."""

Checksum = Callable[[bytes], int]


@dataclass(frozen=True)
class Damage:
    """A part of a file that cannot be read.

    Args:
        offset: its first byte, in the file without compression.
        detail: what is wrong, as text for people.
    """

    offset: int
    detail: str


def read_tfrecords(path: str | Path) -> Iterator[bytes | Damage]:
    """Yield the records of a file in their order, and a `Damage` in place of each that is damaged.

    A record follows one whose bytes are damaged, since its length is known. Where a length is damaged, the next
    record is looked for: a place at which a length agrees with its checksum.

    Raises:
        SourceError: the file does not exist or cannot be read, or a package is not installed.
    """
    checksum = _masked_checksum()
    try:
        with open_regular(path) as file:
            is_zipped = file.read(2) == _GZIP
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if is_zipped else file as content:
                yield from _records(_Stream(content), checksum)
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist. Check the path.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def frame_record(record: bytes) -> bytes:
    """Return a record as it stands in a file."""
    checksum = _masked_checksum()
    length = struct.pack("<Q", len(record))
    return b"".join((length, _CHECKSUM.pack(checksum(length)), record, _CHECKSUM.pack(checksum(record))))


@final
class _Stream:
    """Bytes of a file that are read once, with a way to put some back. Broken compression ends it early.

    Args:
        file: opened to read bytes.
    """

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self._waiting = b""
        self.position = 0
        self.broken = ""

    def read(self, count: int) -> bytes:
        """Return the next bytes, fewer than `count` at the end of the file."""
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if len(taken) < count and not self.broken:
            try:
                taken += self._file.read(count - len(taken))
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self.broken = f"its compression is broken ({error})"
        self.position += len(taken)
        return taken

    def put_back(self, content: bytes) -> None:
        """Let the next read begin with these bytes, which came from the last one."""
        self._waiting = content + self._waiting
        self.position -= len(content)


def _records(stream: _Stream, checksum: Checksum) -> Iterator[bytes | Damage]:
    while header := stream.read(_HEADER.size):
        start = stream.position - len(header)
        if len(header) < _HEADER.size:
            yield Damage(start, stream.broken or "the file ends within a record's length")
            return
        if not _is_header(header, checksum):
            stream.put_back(header[1:])
            _seek_header(stream, checksum)
            yield Damage(start, "a record's length is damaged")
            continue
        length = _HEADER.unpack(header)[0]
        body = stream.read(length + _CHECKSUM.size)
        if len(body) < length + _CHECKSUM.size:
            yield Damage(start, stream.broken or "the file ends within a record")
            return
        if _CHECKSUM.unpack_from(body, length)[0] != checksum(record := body[:length]):
            yield Damage(start, "a record's bytes are damaged")
        else:
            yield record
    if stream.broken:
        yield Damage(stream.position, stream.broken)


def _is_header(header: bytes, checksum: Checksum) -> bool:
    length, stored = _HEADER.unpack(header)
    return bool(length <= _MOST_BYTES and checksum(header[:8]) == stored)


def _seek_header(stream: _Stream, checksum: Checksum) -> None:
    """Read up to the next record's length, or to the end of the file."""
    block = b""
    while True:
        more = stream.read(_BLOCK_BYTES)
        block += more
        place = block.find(_SMALL, 4)
        while 4 <= place <= len(block) - 8:
            if _is_header(block[place - 4 : place + 8], checksum):
                stream.put_back(block[place - 4 :])
                return
            place = block.find(_SMALL, place + 1)
        if not more:
            return
        block = block[-(_HEADER.size - 1) :]


def _masked_checksum() -> Checksum:
    """Return the function that gives a record's checksum."""
    try:
        import google_crc32c
    except ImportError as error:
        raise SourceError(
            "TFRecord files need packages that are not installed. Install them: pip install '.[youtube8m]' in "
            "framehead's folder"
        ) from error

    def checksum(content: bytes) -> int:
        crc: int = google_crc32c.value(content)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

    return checksum

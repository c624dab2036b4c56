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
from functools import cache
from pathlib import Path
from typing import IO, final

import numpy as np
from numpy.typing import NDArray

from embed.errors import SourceError
from embed.machine import open_regular

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_GZIP = b"\x1f\x8b"
_MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, its bits reversed
_BLOCK_BYTES = 1 << 20
_READ_BYTES = 16 << 20  # at once: what a length claims is not allocated before it is there
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


def read_tfrecords(path: str | Path, *, on_read: Callable[[int], None] | None = None) -> Iterator[bytes | Damage]:
    """Yield the records of a file in their order, and a `Damage` in place of each that is damaged.

    A record follows one whose bytes are damaged, since its length is known. Where a length is damaged, the next
    record is looked for: a place at which a length agrees with its checksum. A file that can no longer be read ends
    with a `Damage`.

    Args:
        path: the file; it may be compressed with gzip.
        on_read: called with the bytes of the file that were read so far, compressed ones as they are.

    Raises:
        SourceError: the file does not exist or cannot be opened, or a package is not installed.
    """
    checksum = _masked_checksum()
    with _opened(path) as file:
        is_zipped = file.read(2) == _GZIP
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if is_zipped else file as content:
            for record in _records(_Stream(content), checksum):
                if on_read:
                    on_read(file.tell())
                yield record


def require_tfrecords(path: str | Path) -> None:
    """Check that a file can be opened.

    Raises:
        SourceError: it does not exist or cannot be read.
    """
    _opened(path).close()


def frame_record(record: bytes) -> bytes:
    """Return a record as it stands in a file."""
    checksum = _masked_checksum()
    length = struct.pack("<Q", len(record))
    return b"".join((length, _CHECKSUM.pack(checksum(length)), record, _CHECKSUM.pack(checksum(record))))


@final
class _Stream:
    """Bytes of a file that are read once, with a way to put some back. A broken file ends early.

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
        while len(taken) < count and (more := self._read_more(min(count - len(taken), _READ_BYTES))):
            taken += more
        self.position += len(taken)
        return taken

    def _read_more(self, count: int) -> bytes:
        if self.broken:
            return b""
        try:
            return self._file.read(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.broken = f"its compression is broken ({error})"
        except OSError as error:
            self.broken = f"it cannot be read any further ({error.strerror or error})"
        return b""

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
    while more := stream.read(_BLOCK_BYTES):
        block += more
        for place in _likely_headers(np.frombuffer(block, np.uint8)):
            if _is_header(block[place : place + _HEADER.size], checksum):
                stream.put_back(block[place:])
                return
        block = block[-(_HEADER.size - 1) :]


def _likely_headers(content: NDArray[np.uint8]) -> list[int]:
    """Return the places at which a length below 4 GiB agrees with its checksum.

    A file that was allocated and never filled has zeros for gigabytes: nothing is done place by place.
    """
    count = max(0, len(content) - _HEADER.size + 1)
    is_small = np.ones(count, dtype=np.bool_)
    for byte in range(4, 8):
        is_small &= content[byte : byte + count] == 0
    places = np.flatnonzero(is_small)
    crc = np.full(len(places), 0xFFFFFFFF, dtype=np.uint32)
    for byte in range(8):
        crc = _crc_table()[(crc ^ content[places + byte]) & 0xFF] ^ (crc >> 8)
    crc = ~crc
    masked = ((crc >> 15 | crc << 17) + np.uint32(_MASK)).astype("<u4").view(np.uint8).reshape(-1, 4)
    agrees = (content[places[:, None] + np.arange(8, 12)] == masked).all(axis=1)
    found: list[int] = places[agrees].tolist()
    return found


@cache
def _crc_table() -> NDArray[np.uint32]:
    """Return (256,) CRC-32C of each byte, without the inversions."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


def _opened(path: str | Path) -> IO[bytes]:
    """Open a file to read it."""
    try:
        return open_regular(path)
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist. Check the path.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def missing_packages() -> SourceError:
    """Return the error where the packages that read and write these files are not installed."""
    return SourceError(
        "TFRecord files need packages that are not installed. Install them: pip install '.[youtube8m]' in "
        "framehead's folder"
    )


def _masked_checksum() -> Checksum:
    """Return the function that gives a record's checksum."""
    try:
        import google_crc32c
    except ImportError as error:
        raise missing_packages() from error

    def checksum(content: bytes) -> int:
        crc: int = google_crc32c.value(content)
        return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF

    return checksum

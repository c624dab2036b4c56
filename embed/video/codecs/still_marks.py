"""The marks of codecs whose pictures refer to no other: Motion JPEG, PNG and ProRes.

Sources: ITU-T T.81 (B.1.1.3, B.2: markers), the PNG specification (11.2, 11.3), FFmpeg's libavcodec/mjpegdec.c.
"""

import re
from collections.abc import Hashable, Iterator
from functools import lru_cache
from typing import final

from embed.video.codecs.lasting import Elements, LastingElements
from embed.video.codecs.marks import DISPOSABLE, ENTRY, UNPROVEN

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # beside entropy-coded data, in which these do not occur
_BEGIN, _END, _SCAN, _HUFFMAN, _QUANTISERS, _COMMENT = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xFE
_SCAN_MARKER = bytes([0xFF, _SCAN])
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive; FFmpeg decodes no other with these tables


@final
class JpegRule:
    """Marks the packets of one Motion JPEG stream, and remembers the comments that FFmpeg heeds."""

    def __init__(self) -> None:
        self._lasting = LastingElements({})

    def marks(self, data: bytes, is_key: bool) -> int:  # noqa: ARG002
        """Return an entry's marks for a picture with tables of its own; any other may use those of an earlier one."""
        end = _end_of_headers(data)
        return self._lasting.marks(*(_read_headers(data[:end]) if end else _read_segments(data)))


def _end_of_headers(data: bytes) -> int:
    """Return where the headers of a picture of one scan end; 0 if other segments than the end follow that scan."""
    at = data.find(_SCAN_MARKER)
    if at < 0:
        return 0
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    after = _MARKER.search(data, end - 1)
    is_last = not after or (data[after.end() - 1] == _END and not _MARKER.search(data, after.end()))
    return end if is_last else 0


def _read_segments(data: bytes) -> tuple[int, Elements]:
    """Return a packet's marks, and the comments in it that FFmpeg heeds."""
    segments = list(_segments(data))
    return ENTRY | DISPOSABLE if _has_own_tables(segments) else UNPROVEN, dict(_heeded_comments(segments))


_read_headers = lru_cache(maxsize=64)(_read_segments)  # a camera repeats the same tables in each picture


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the code and content of each marker segment."""
    at = 0
    while match := _MARKER.search(data, at):
        code, at = data[match.end() - 1], match.end()
        size = 0 if code in (_BEGIN, _END, 0x01) else int.from_bytes(data[at : at + 2], "big")
        yield code, data[at + 2 : at + size]
        at += size


def _has_own_tables(segments: list[tuple[int, bytes]]) -> bool:
    """Return True if each scan uses only tables that its own packet has defined before."""
    tables, used, scan_count = set[tuple[str, int]](), set[tuple[str, int]](), 0
    for code, content in segments:
        if code == _HUFFMAN:
            tables |= set(_huffman_tables(content))
        elif code == _QUANTISERS:
            tables |= set(_quantisers(content))
        elif code in _FRAMES:
            used = {("quantiser", content[at]) for at in range(8, len(content), 3)}
        elif code == _SCAN:
            scan_count += 1
            if not (used | set(_scan_tables(content))) <= tables:
                return False
    return bool(used) and scan_count > 0


def _huffman_tables(content: bytes) -> Iterator[tuple[str, int]]:
    at = 0
    while at + 17 <= len(content):
        yield "AC" if content[at] >> 4 else "DC", content[at] & 15
        at += 17 + sum(content[at + 1 : at + 17])


def _quantisers(content: bytes) -> Iterator[tuple[str, int]]:
    at = 0
    while at < len(content):
        yield "quantiser", content[at] & 15
        at += 1 + 64 * (2 if content[at] >> 4 else 1)


def _scan_tables(content: bytes) -> Iterator[tuple[str, int]]:
    """Yield the tables of a scan; one of a progressive picture may have only coefficients of one kind."""
    count = content[0] if content else 0
    first, last = (*content[1 + 2 * count : 3 + 2 * count], 0, 63)[:2]
    for at in range(2, min(1 + 2 * count, len(content)), 2):
        if first == 0:
            yield "DC", content[at] >> 4
        if last > 0:
            yield "AC", content[at] & 15


def _heeded_comments(segments: list[tuple[int, bytes]]) -> Iterator[tuple[Hashable, bytes]]:
    """Yield the comments that switch something on in FFmpeg's decoder, for all later pictures too."""
    for code, content in segments:
        if code == _COMMENT and content.rstrip(b"\0\n") in (b"AVID", b"CS=ITU601", b"MULTISCOPE II"):
            yield content.rstrip(b"\0\n"), b""
        elif code == _COMMENT and content.startswith(b"Intel(R) JPEG Library"):
            yield b"Intel(R) JPEG Library", b""


_SIGNATURE_BYTES, _COLOUR_TYPE_AT, _INDEXED = 8, 25, 3
_COLOURS = frozenset({b"cHRM", b"cICP", b"gAMA", b"iCCP", b"sRGB"})  # chunks that FFmpeg's decoder does not forget


@final
class PngRule:
    """Marks the packets of one stream of PNGs, and remembers the colours that they state."""

    def __init__(self) -> None:
        self._lasting = LastingElements({})

    def marks(self, data: bytes, is_key: bool) -> int:  # noqa: ARG002
        """Return an entry's marks; a picture of indices without a palette would take that of an earlier one."""
        chunks = dict(_chunks_before_pixels(data))
        is_whole = data[_COLOUR_TYPE_AT : _COLOUR_TYPE_AT + 1] != bytes([_INDEXED]) or b"PLTE" in chunks
        colours: dict[Hashable, bytes] = {kind: content for kind, content in chunks.items() if kind in _COLOURS}
        return self._lasting.marks(ENTRY | DISPOSABLE if is_whole else UNPROVEN, colours)


def _chunks_before_pixels(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE_BYTES
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def prores_marks(data: bytes, is_key: bool) -> int:  # noqa: ARG001
    """Return an entry's marks: each picture states its matrices and colours, or the default."""
    return ENTRY | DISPOSABLE

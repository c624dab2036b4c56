"""Whether a video stream is encrypted, as a whole or in part.

FFmpeg decodes encrypted pictures without a word, to noise. Of an MP4 file it marks the encrypted packets only if the
track's first sample entry says that they may be: it overlooks a second entry, and fragments with encryption of their
own in a track whose entry has none. So the file's boxes are read here: their heads, and the index of each fragment.
This takes 0.1 ms, and 7 us more for each fragment (13 ms for an hour in fragments of two seconds). Other containers
have their own files here.

Sources: ISO/IEC 14496-12, 4.2 (boxes), 8.5.2 (sample entries), 8.12 (protection); ISO/IEC 23001-7, 7.2 (senc).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from embed.video.containers.matroska import is_track_encrypted
from embed.video.containers.transport_streams import is_scrambled

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_MP4, _MATROSKA, _TRANSPORT = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts"
_PATH_TO_ENTRIES = (b"mdia", b"minf", b"stbl", b"stsd")
_PROTECTED_ENTRIES = (b"encv", b"drmi")  # drmi: FairPlay
# The box `senc`, and the same in files older than its name (PIFF 1.1, section 5.3.2).
_SAMPLE_ENCRYPTION = (b"senc", bytes.fromhex("a2394f525a9b4f14a2446c427c648df4"))
_MOST_INDEX_BYTES = 4 << 20  # of one fragment

_Box = tuple[bytes, int, int]
"""A box's kind, the place of its content, and the place of its end."""


def is_encrypted(path: str, stream: "VideoStream") -> bool:
    """Return True if a file states that an open stream of it is encrypted, as a whole or in part.

    Packets of MP4 may say so beyond that, see `has_encryption`.
    """
    if "enc_key_id" in stream.metadata:  # of Matroska that names its key
        return True
    container = stream.container.format.name
    if container in (_MP4, _MATROSKA, _TRANSPORT):
        with suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 (FFmpeg's addresses are no paths)
            if container == _MP4:
                return _is_track_encrypted(file, stream.id)
            return is_scrambled(file, stream) if container == _TRANSPORT else is_track_encrypted(file, stream)
    return False


def has_encryption(packet: "Packet[VideoStream]") -> bool:
    """Return True if FFmpeg marks a packet as encrypted."""
    # Asking for one kind takes 1.2 us, and nearly no packet has any.
    return next(packet.iter_sidedata(), None) is not None and packet.has_sidedata("encryption_info")


def _is_track_encrypted(file: IO[bytes], track: int) -> bool:
    size, is_fragmented = os.fstat(file.fileno()).st_size, True
    for kind, start, end in _boxes(file, 0, size):
        if kind == b"moov":
            if any(entry in _PROTECTED_ENTRIES for entry in _entries_of(file, start, end, track)):
                return True
            is_fragmented = any(inner == b"mvex" for inner, *_ in _boxes(file, start, end))
        if kind == b"moof" and is_fragmented and _is_fragment_encrypted(file, start, end, track):
            return True
    return False


def _entries_of(file: IO[bytes], start: int, end: int, track: int) -> Iterator[bytes]:
    """Yield the kinds of a track's sample entries; `start` and `end` are those of the content of `moov`."""
    for kind, begin, stop in _boxes(file, start, end):
        if kind == b"trak" and _track_of(file, begin, stop) == track:
            for step in _PATH_TO_ENTRIES:
                begin, stop = next(((a, b) for name, a, b in _boxes(file, begin, stop) if name == step), (0, 0))
            yield from (entry for entry, *_ in _boxes(file, begin + 8, stop))


def _track_of(file: IO[bytes], start: int, end: int) -> int:
    """Return the number of a `trak`, from its `tkhd`; 0 if it has none."""
    for kind, begin, _ in _boxes(file, start, end):
        if kind == b"tkhd":
            file.seek(begin)
            head = file.read(24)
            place = 20 if head[:1] == b"\1" else 12
            return int.from_bytes(head[place : place + 4], "big")
    return 0


def _is_fragment_encrypted(file: IO[bytes], start: int, end: int, track: int) -> bool:
    file.seek(start)
    content = file.read(min(end - start, _MOST_INDEX_BYTES))
    if not any(name in content for name in _SAMPLE_ENCRYPTION):
        return False
    for kind, begin, stop in _boxes(file, start, end):
        if kind == b"traf":
            inner = {name: at for name, at, _ in _boxes(file, begin, stop)}
            file.seek(inner.get(b"tfhd", begin) + 4)
            is_ours = int.from_bytes(file.read(4), "big") == track
            if is_ours and (b"senc" in inner or _SAMPLE_ENCRYPTION[1] in content):
                return True
    return False


def _boxes(file: IO[bytes], start: int, end: int) -> Iterator[_Box]:
    """Yield the boxes that lie between two places of a file, up to the first that does not."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, content = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:
            size, content = int.from_bytes(head[8:], "big"), start + 16
        stop = start + size if size else end
        if not content <= stop <= end:
            return
        yield head[4:8], content, stop
        start = stop

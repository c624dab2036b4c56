"""Whether a stream of Matroska or WebM is encrypted.

FFmpeg tells of an encryption only if it names its key, and decodes the others to noise. So the list of tracks is read
here.

Sources: RFC 8794, 4 and 5 (elements), 7 (kinds); RFC 9559, 5.1.4 (tracks).
"""

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_SEGMENT, _TRACKS, _TRACK = 0x18538067, 0x1654AE6B, 0xAE
_TRACK_TYPE, _VIDEO = 0x83, b"\1"
_PATH_TO_ENCODING = (0x6D80, 0x6240)  # ContentEncodings, ContentEncoding
_ENCODING_TYPE, _IS_ENCRYPTION = 0x5033, b"\1"
_ENCRYPTION = 0x5035
_MOST_TRACKS_BYTES = 16 << 20

_Element = tuple[int, bytes]
"""An element's kind, and its content."""


def is_track_encrypted(file: IO[bytes], stream: "VideoStream") -> bool:
    """Return True if the track of an open stream says that its packets are encrypted."""
    place = [other.index for other in stream.container.streams.video].index(stream.index)
    videos = [track for track in _tracks(file) if (_TRACK_TYPE, _VIDEO) in track]
    if place >= len(videos):
        return False
    encodings = videos[place]
    for step in _PATH_TO_ENCODING:
        encodings = [inner for kind, content in encodings if kind == step for inner in _elements(content)]
    return (_ENCODING_TYPE, _IS_ENCRYPTION) in encodings or any(kind == _ENCRYPTION for kind, _ in encodings)


def _tracks(file: IO[bytes]) -> Iterator[list[_Element]]:
    """Yield what each track of a file states."""
    kind, size = _head(file)
    while kind and (size is not None or kind == _SEGMENT):
        if kind == _TRACKS:
            content = file.read(min(size or 0, _MOST_TRACKS_BYTES))
            yield from (list(_elements(track)) for name, track in _elements(content) if name == _TRACK)
            return
        if kind != _SEGMENT:  # what a segment holds comes next
            file.seek(size or 0, 1)
        kind, size = _head(file)


def _head(file: IO[bytes]) -> tuple[int, int | None]:
    """Return the kind of the element that begins here, 0 at the end, and its size; None if it has no stated size."""
    head = file.read(12)
    kind, at = _number(head, 0, keeps_mark=True)
    size, after = _number(head, at, keeps_mark=False)
    file.seek(after - len(head), 1)
    return (kind, None if size == (1 << 7 * (after - at)) - 1 else size) if after > at else (0, None)


def _elements(content: bytes) -> Iterator[_Element]:
    """Yield the elements that lie in an element's content, up to the first that does not."""
    at = 0
    while at < len(content):
        kind, start = _number(content, at, keeps_mark=True)
        size, start = _number(content, start, keeps_mark=False)
        if start <= at + 1 or start + size > len(content):
            return
        yield kind, content[start : start + size]
        at = start + size


def _number(content: bytes, at: int, *, keeps_mark: bool) -> tuple[int, int]:
    """Return a number whose first byte tells its length, and the place behind it; the same place if there is none."""
    first = content[at] if at < len(content) else 0
    length = 9 - first.bit_length()
    if not first or at + length > len(content):
        return 0, at
    number = int.from_bytes(content[at : at + length], "big")
    return number if keeps_mark else number & ((1 << 7 * length) - 1), at + length

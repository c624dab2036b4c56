"""A partial copy of a remote file: it holds only the bytes that were requested; holes in it read as zeros."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

from embed.machine import counted

END_BYTES = 1 << 20
"""The bytes fetched from each end in advance: one end holds the index, and both together identify the file."""

Span = tuple[int, int]
"""A range of bytes of a file: the position of the first, and one past the last."""

_REQUEST_BYTES = 4 << 20
_REQUESTS_AT_ONCE = 8


class WrongLength(Exception):
    """The received data does not have the size that was stated."""


def join_spans(spans: Sequence[Span], *, gap_bytes: int = 0) -> list[Span]:
    """Return the spans sorted, with those joined that touch, overlap or have a gap of at most `gap_bytes`.

    >>> join_spans([(8, 9), (0, 3), (2, 5)], gap_bytes=1), join_spans([(0, 3), (4, 5)], gap_bytes=1)
    ([(0, 5), (8, 9)], [(0, 5)])
    """
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1] + gap_bytes:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def holes_in(wanted: Sequence[Span], here: Sequence[Span]) -> list[Span]:
    """Return the parts of the wanted spans that are not here.

    Args:
        wanted: spans in any order.
        here: the spans that are here, as `join_spans` returns them.

    >>> holes_in([(0, 10)], [(2, 4), (6, 7)]), holes_in([(2, 3)], [(2, 4)])
    ([(0, 2), (4, 6), (7, 10)], [])
    """
    holes: list[Span] = []
    for start, stop in join_spans(wanted):
        for begin, end in here[max(0, bisect_right(here, (start,)) - 1) :]:
            if begin >= stop:
                break
            if start < begin:
                holes.append((start, begin))
            start = max(start, end)
        if start < stop:
            holes.append((start, stop))
    return holes


@final
class SparseCopy:
    """A partial copy of a remote file on this machine.

    Args:
        path: the file to make. It has the remote file's size, and at first it is one hole.
        size_bytes: the size of the remote file.
        read: fetches the bytes of a few spans, or raises VideoError.
        copy: fetches the whole file to `path`, or raises VideoError.
    """

    def __init__(
        self, path: Path, size_bytes: int, *, read: Callable[[list[Span]], list[bytes]], copy: Callable[[], object]
    ) -> None:
        self.path, self.size_bytes = path, size_bytes
        self.spans: list[Span] = []
        self.fetched_bytes = 0
        self._read, self._copy = read, copy
        with path.open("wb") as file:
            file.truncate(size_bytes)

    def bring(self, spans: Sequence[Span]) -> None:
        """Fetch the missing parts of these spans.

        Raises:
            VideoError: they cannot be fetched.
            OSError: they cannot be written.
        """
        holes = holes_in(spans, self.spans)
        if not holes:
            return
        if (0, self.size_bytes) in spans:
            self._copy()
            self.fetched_bytes += self.size_bytes
        else:
            self._fill(holes)
        self.spans = join_spans([*self.spans, *spans])

    def _fill(self, holes: Sequence[Span]) -> None:
        pieces = [
            (at, min(at + _REQUEST_BYTES, stop)) for start, stop in holes for at in range(start, stop, _REQUEST_BYTES)
        ]
        with self.path.open("r+b") as file:
            for first in range(0, len(pieces), _REQUESTS_AT_ONCE):
                batch = pieces[first : first + _REQUESTS_AT_ONCE]
                for (start, _), content in zip(batch, self._read(batch), strict=True):
                    file.seek(start)
                    file.write(content)  # writes all or raises; on a full disk, os.pwrite only returns a smaller count
                    self.fetched_bytes += len(content)


def serves_ranges(filesystem: Any, far_path: str, size_bytes: int) -> bool:
    """Return True if a server sends the last byte of a file alone when asked for it, and not the whole file."""
    try:
        with filesystem.open(far_path, "rb", size=size_bytes, cache_type="none") as file:
            file.seek(size_bytes - 1)
            return len(file.read(1)) == 1
    except ValueError:  # raised by fsspec before it reads what the server sends instead
        return False


def read_spans(filesystem: Any, far_path: str, spans: Sequence[Span], *, timeout_s: float) -> list[bytes]:
    """Read several spans of a remote file at once.

    Raises:
        WrongLength: the server sends another number of bytes; also whatever the filesystem raises.
    """
    starts, stops = zip(*spans, strict=True)
    paths = [far_path] * len(spans)
    contents: list[bytes] = filesystem.cat_ranges(paths, list(starts), list(stops), on_error="raise", timeout=timeout_s)
    for (start, stop), content in zip(spans, contents, strict=True):
        if len(content) != stop - start:
            raise WrongLength(f"its server sent {counted(len(content), 'byte')} of {stop - start:,}")
    return contents

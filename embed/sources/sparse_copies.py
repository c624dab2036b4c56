"""A far file of which only those bytes are here that somebody asked for; the others are holes that read as zeros."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

END_BYTES = 1 << 20
"""What is brought of both ends before anybody asks: the index lies in one of them, and a file is known by both."""

Span = tuple[int, int]
"""Bytes of a file: the first, and one past the last."""

_REQUEST_BYTES = 4 << 20
_REQUESTS_AT_ONCE = 8


class WrongLength(Exception):
    """What came has not the size that it was said to have."""


def join_spans(spans: Sequence[Span], *, gap_bytes: int = 0) -> list[Span]:
    """Sort spans and join those that touch, overlap or leave only a small gap.

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
    """Return what is wanted and not here.

    Args:
        wanted: in any order.
        here: as `join_spans` leaves them.

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
    """A far file on this machine, as far as it is here.

    Args:
        path: the file, which is made, of the far one's size and all hole.
        size_bytes: of the far file.
        read: brings the bytes of a few spans, or raises VideoError.
        copy: brings the whole file to `path`, or raises VideoError.
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
        """Bring what is missing of these spans.

        Raises:
            VideoError: it cannot be had.
            OSError: it cannot be kept.
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
                    file.write(content)  # all of it, or an error: os.pwrite fills a disk and says how much it wrote
                    self.fetched_bytes += len(content)


def serves_ranges(filesystem: Any, far_path: str, size_bytes: int) -> bool:
    """Ask a server for the last byte of a file, and see whether it sends that, or all."""
    try:
        with filesystem.open(far_path, "rb", size=size_bytes, cache_type="none") as file:
            file.seek(size_bytes - 1)
            return len(file.read(1)) == 1
    except ValueError:  # fsspec's, before it has read what comes instead
        return False


def read_spans(filesystem: Any, far_path: str, spans: Sequence[Span], *, timeout_s: float) -> list[bytes]:
    """Read spans of a far file at once.

    Raises:
        WrongLength: a server sends something else; also whatever the filesystem raises.
    """
    starts, stops = zip(*spans, strict=True)
    paths = [far_path] * len(spans)
    contents: list[bytes] = filesystem.cat_ranges(paths, list(starts), list(stops), on_error="raise", timeout=timeout_s)
    for (start, stop), content in zip(spans, contents, strict=True):
        if len(content) != stop - start:
            raise WrongLength(f"{len(content):,} bytes came of {stop - start:,}")
    return contents

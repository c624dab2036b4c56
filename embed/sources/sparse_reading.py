"""Read a few frames of a remote video without its whole file: the bytes they need are fetched as they become known.

An MP4 file's index states where each packet is and when it is shown. So the packets are listed from a file with holes
in place of their bytes, frames are chosen, and the groups of pictures that these frames need are fetched. Their own
bytes may show that more is needed. For packets that are not needed, the index is believed: their bytes are never read.
If this does not give all frames, the caller fetches the whole file instead.

Source of the layout: ISO/IEC 14496-12, sections 4.2 (boxes) and 8.1.1 (media data).
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.machine import core_count
from embed.sources.random_access import RandomAccessFile
from embed.sources.sparse_copies import Span, holes_in, join_spans
from embed.video import (
    ENTRY,
    PARAMETERS,
    UNPROVEN,
    FrameCut,
    Frames,
    Packets,
    Rule,
    Run,
    Sampling,
    begins_in_doubt,
    frames_of,
    has_encryption,
    is_encrypted,
    open_container,
    open_video,
    packet_row,
    packets_of,
    plan_packets,
    rule_for,
    shown_by_parts,
    whole_packets,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_FORMAT = "mov,mp4,m4a,3gp,3g2,mj2"
# Codecs with one shown frame a packet: with others, the index does not state how many frames there are.
_CODECS = ("h264", "hevc", "av1")
_PARSED_CODECS = ("h264",)  # FFmpeg takes their key frames from the packets, not from the index
_SIZE, _KEY, _MARKS = 3, 4, 6  # columns of a packet's row
_INDEX_BOXES = (b"ftyp", b"moov", b"uuid", b"meta", b"sidx", b"pdin", b"udta")
_PASSED_BOXES = (b"mdat", b"free", b"skip", b"wide")
_MOST_BOXES = 32
_MOST_SHARE = 0.5  # of a file's bytes: above this, one request for the whole file is faster
_BLOCK_BYTES = 1 << 18


class NotFetched(Exception):
    """The needed bytes of a remote file cannot be fetched."""


@final
class SparseFile:
    """A file with holes that are filled before they are read.

    Args:
        path: of the file.
        spans: the spans that are here, as `join_spans` returns them.
        ask: fetches spans, or raises NotFetched.
    """

    def __init__(self, path: str, spans: Sequence[Span], ask: Callable[[list[Span]], None]) -> None:
        self.path, self.spans = path, list(spans)
        self.size_bytes = Path(path).stat().st_size
        self.waited_s = 0.0
        self._ask = ask
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 (close() closes it)

    def need(self, spans: Sequence[Span]) -> None:
        """Fetch what is missing of these spans, and return when all of them are here."""
        if holes_in(spans, self.spans):
            began = time.monotonic()
            self._ask(list(spans))
            self.waited_s += time.monotonic() - began
            self.spans = join_spans([*self.spans, *spans])

    def need_all(self) -> None:
        """Fetch all that is missing, and return when the file has no holes."""
        self.need([(0, self.size_bytes)])

    def read_span(self, span: Span) -> bytes:
        """Return the bytes of a span that is here."""
        return os.pread(self._file.fileno(), span[1] - span[0], span[0])

    def open(self) -> RandomAccessFile:
        """Return a file object that fetches missing bytes, in blocks, when they are read."""
        return RandomAccessFile(self.size_bytes, self._bring_and_read)

    def _bring_and_read(self, start: int, stop: int) -> bytes:
        if holes_in([(start, stop)], self.spans):
            self.need([(start, min(max(stop, start + _BLOCK_BYTES), self.size_bytes))])
        return self.read_span((start, stop))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True)
class _Choice:
    """The chosen frames and how to decode them, as in `embed.video.decoding`."""

    packets: Packets
    indices: NDArray[np.int64]
    plan: list[Run]


def read_few_frames(
    file: SparseFile, sampling: Sampling, preprocessing: FrameCut | None = None, *, thread_count: int = 0
) -> Frames | None:
    """Decode the frames that a sampling rule chooses; they equal those of `embed.video.read_frames` on the whole file.

    Args:
        file: the partial copy of a remote video.
        sampling: which frames to decode.
        preprocessing: applied to each frame.
        thread_count: threads of the decoder; 0 uses one per core.

    Returns:
        The frames; None if the whole file is needed, or so much of it that fetching all is as good.

    Raises:
        NotFetched: the needed bytes cannot be fetched.
    """
    try:
        choice = _choose(file, sampling) if _bring_index(file) else None
        if choice is None:
            return None
        timeline, wanted = choice.packets.timeline, frozenset(choice.indices.ravel().tolist())
        threads = thread_count or core_count()
        shown = shown_by_parts(file.path, choice.packets, choice.plan, wanted, threads)
        return frames_of(timeline, choice.indices, shown, preprocessing)
    except VideoError:  # only the whole file can show whether it is broken
        return None


def _bring_index(file: SparseFile) -> bool:
    """Fetch everything but the media data; return False if the file holds more than media data and one index."""
    at, index, kinds = 0, list[Span](), list[bytes]()
    content = file.open()
    while at < file.size_bytes and len(kinds) < _MOST_BOXES:
        content.seek(at)
        head = content.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        size = {0: file.size_bytes - at, 1: int.from_bytes(head[8:16], "big")}.get(size, size)
        if size < 8 or at + size > file.size_bytes or kind not in _INDEX_BOXES + _PASSED_BOXES:
            return False
        if kind in _INDEX_BOXES:
            index.append((at, at + size))
        kinds.append(kind)
        at += size
    if kinds.count(b"moov") != 1 or at < file.size_bytes:
        return False
    file.need(index)
    return True


def _choose(file: SparseFile, sampling: Sampling) -> _Choice | None:
    """Choose frames and plan their packets; repeat until all packets that the plan sends are here."""
    _open_once(file)
    with open_video(file.path) as (container, stream):
        listed = None if is_encrypted(file.path, stream) else _list_packets(container, stream)
        while listed:
            packets = packets_of(listed.table, stream, container.format.name, has_rule=True)
            indices = sampling.indices(packets.timeline)
            if not packets.is_plannable or not listed.decides(sampling, packets, indices):
                return None
            plan = plan_packets(packets, np.unique(indices))
            if plan is None:
                return None
            needed = np.unique(np.concatenate([_leading_at_the_start(packets), *(run.orders for run in plan)]))
            unseen = needed[~listed.is_seen[needed]]
            if not len(unseen):
                is_sure = not begins_in_doubt(listed.table, packets.frame_of >= 0)
                return _Choice(packets, indices, plan) if is_sure else None
            # Fetching a small gap costs less than another request; at a thousandth of the file, gaps add up to little.
            wanted = join_spans([listed.span(order) for order in unseen.tolist()], gap_bytes=file.size_bytes // 1000)
            if sum(stop - start for start, stop in [*wanted, *file.spans]) > _MOST_SHARE * file.size_bytes:
                return None
            file.need(wanted)
            listed.see(file, unseen)
    return None


def _open_once(file: SparseFile) -> None:
    """Fetch the bytes that FFmpeg reads when it opens the file, so that it finds the same in the file with holes."""
    import av

    try:
        open_container(file.open()).close()
    except av.FFmpegError as error:
        raise VideoError("unreadable", f"{file.path} cannot be read as a video: {error}") from error


@final
class _Listed:
    """The packets that an index lists, with the marks that are read from those that are here.

    Args:
        table: (N, 7) rows of `embed.video.packet_row`; until a packet is here, its marks are what the index claims.
        places: (N,) byte at which each packet begins in the file.
        codec: FFmpeg's name of the codec.
        rule: reads a packet's marks from its bytes.
    """

    def __init__(self, table: NDArray[np.int64], places: NDArray[np.int64], codec: str, rule: Rule) -> None:
        self.table, self._places, self._rule = table, places, rule
        self.is_seen = np.zeros(len(table), dtype=np.bool_)
        self._is_parsed = codec in _PARSED_CODECS

    def span(self, order: int) -> Span:
        """Return the bytes of the file that hold a packet."""
        return int(self._places[order]), int(self._places[order] + self.table[order, _SIZE])

    def see(self, file: SparseFile, orders: NDArray[np.int64]) -> None:
        """Read the marks of packets that are here.

        If one of them carries parameter sets, assume that each group whose entry is not here begins with them too.
        """
        for order in orders.tolist():
            is_key = self._is_parsed or bool(self.table[order, _KEY])
            seen = self._rule(file.read_span(self.span(order)), is_key)
            self.table[order, _MARKS] = seen | self.table[order, _MARKS] & UNPROVEN
        self.is_seen[orders] = True
        marks = self.table[:, _MARKS]
        if (marks[1:][self.is_seen[1:]] & PARAMETERS).any():
            marks[~self.is_seen & (marks & ENTRY != 0)] |= PARAMETERS

    def decides(self, sampling: Sampling, packets: Packets, indices: NDArray[np.int64]) -> bool:
        """Return True if a sampling rule chooses the same frames from the list as from the whole file."""
        if not self._is_parsed:
            return True
        others = replace(packets.timeline, is_keyframe=~packets.timeline.is_keyframe)
        return np.array_equal(indices, sampling.indices(others))


def _list_packets(container: "InputContainer", stream: "VideoStream") -> _Listed | None:
    """List the packets of an open file with holes; None if its index does not state all that is needed."""
    codec = stream.codec.canonical_name
    rule = rule_for(codec, stream.codec_context.extradata)
    if codec not in _CODECS or container.format.name != _FORMAT or rule is None:
        return None
    rows, places = [], []
    for order, packet in enumerate(whole_packets(container, stream)):
        if packet.pos is None or has_encryption(packet):
            return None
        rows.append(packet_row(packet, None, order))
        places.append(packet.pos)
    if not rows:
        return None
    table, at = np.array(rows, dtype=np.int64), np.array(places, dtype=np.int64)
    table[:, _KEY] = np.isin(at, [entry.pos for entry in stream.index_entries if entry.is_keyframe])
    table[:, _MARKS] |= ENTRY * table[:, _KEY]
    return _Listed(table, at, codec, rule)


def _leading_at_the_start(packets: Packets) -> NDArray[np.int64]:
    """Return the (L,) places of packets that may refer to pictures before the stream's start, and then show nothing."""
    entries = np.flatnonzero(packets.marks & ENTRY)
    end = entries[1] if len(entries) > 1 else len(packets.marks)
    return np.flatnonzero(packets.ticks[:end] < packets.ticks[0])

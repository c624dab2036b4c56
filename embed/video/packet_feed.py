"""Reads a plan's packets from the file, sends them to its decoder, and checks all that comes out."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from embed.machine import counted
from embed.video.codecs import cut_last_frame, join_h264_units
from embed.video.decoders import PlanFailed
from embed.video.opening import whole_packets
from embed.video.planning import Run
from embed.video.timeline import Packets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["SEEK_BYTES", "PacketFeed", "PlanFailed"]

SEEK_BYTES = 4 << 20  # a seek costs about as much as reading this; measured with scripts/benchmark_decoding.py

# Containers with an index. In others, a seek reads and guesses.
_SEEKABLE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")


class PacketFeed:
    """The decoder of one open file, fed according to a plan.

    Args:
        container, stream: the open file.
        decoder: the decoder of its packets.
        packets: its packets as they were read before.
        seek_bytes: gaps of at most this size are read, not sought over.
    """

    def __init__(
        self,
        container: "InputContainer",
        stream: "VideoStream",
        decoder: "VideoCodecContext",
        packets: Packets,
        *,
        seek_bytes: int = SEEK_BYTES,
    ) -> None:
        self._container, self._stream, self._decoder, self._packets = container, stream, decoder, packets
        self._seek_bytes = seek_bytes if packets.container_format in _SEEKABLE else np.inf
        self._source: Iterator[Packet[VideoStream]] = whole_packets(container, stream)
        self._next = 0
        self._bytes_before = np.concatenate([[0], np.cumsum(packets.sizes_bytes)])
        self._is_fresh = True

    def decode(self, plan: list[Run]) -> Iterator["VideoFrame"]:
        """Yield the frames that come out: all expected ones, and possibly others that are not wanted.

        Raises:
            PlanFailed: a packet is not where it was, a frame is damaged, or an expected frame does not come.
        """
        import av

        expected = {tick for run in plan for tick in self._packets.ticks[run.orders[run.expected]].tolist()}
        missing = set(expected)
        try:
            for frame in self._all_frames(plan):
                missing.discard(frame.pts)
                if frame.is_corrupt and frame.pts in expected:
                    raise PlanFailed(f"the frame at tick {frame.pts} is damaged")
                yield frame
        except av.FFmpegError as error:
            raise PlanFailed(str(error)) from error
        if missing:
            raise PlanFailed(f"{counted(len(missing), 'expected frame')} did not come")

    def _all_frames(self, plan: list[Run]) -> Iterator["VideoFrame"]:
        decoder = self._decoder
        for run in plan:
            is_far = self._is_far(int(run.orders[0]))
            if (run.needs_flush or is_far) and not self._is_fresh:
                yield from decoder.decode(None)
                decoder.flush_buffers()
            if is_far:  # PyAV's seek empties the decoder, so it comes after the decoder has returned all frames
                self._seek(int(run.orders[0]))
            self._is_fresh = False
            for order in run.orders.tolist():
                packet = self._packet(order)
                if order in run.stand_ins:
                    packet = _replaced(packet, join_h264_units(run.stand_ins[order], self._packets.extradata))
                elif order in run.cuts:
                    packet = _replaced(packet, cut_last_frame(bytes(packet)))
                yield from decoder.decode(packet)
        yield from decoder.decode(None)

    def _packet(self, order: int) -> "Packet[VideoStream]":
        """Return a packet, reading all packets before it."""
        while True:
            packet = next(self._source, None)
            if packet is None:
                raise PlanFailed(f"the file ends before packet {order}")
            self._next += 1
            if self._next > order:
                break
        if packet.size != self._packets.sizes_bytes[order] or packet.pts != self._packets.ticks[order]:
            raise PlanFailed(f"packet {order} differs from the one read before")
        if packet.is_corrupt:
            raise PlanFailed(f"bytes of packet {order} are missing")
        return packet

    def _is_far(self, order: int) -> bool:
        return bool(self._bytes_before[order] - self._bytes_before[self._next] > self._seek_bytes)

    def _seek(self, order: int) -> None:
        """Seek to a packet or before it. The first packet's timestamp and size show where the seek ended."""
        self._container.seek(int(self._packets.ticks[order]), stream=self._stream)
        source = whole_packets(self._container, self._stream)
        first = next(source, None)
        if first is None:
            raise PlanFailed(f"nothing can be read after a seek to packet {order}")
        (places,) = np.nonzero((self._packets.ticks == first.pts) & (self._packets.sizes_bytes == first.size))
        if len(places) != 1 or places[0] > order:
            raise PlanFailed(f"a seek to packet {order} ends at another place")
        self._next, self._source = int(places[0]), chain([first], source)


def _replaced(packet: "Packet[VideoStream]", content: bytes) -> "Packet[VideoStream]":
    """Return a copy of a packet with other content."""
    import av

    other = cast("Packet[VideoStream]", av.Packet(content))
    other.stream, other.time_base = packet.stream, packet.time_base
    other.pts, other.dts, other.duration = packet.pts, packet.dts, packet.duration
    return other

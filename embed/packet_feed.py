"""A plan's packets, read from the file and sent to its decoder, with a check of all that comes out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embed.planning import Run
from embed.timeline import NO_TICK, Packets, whole_packets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SEEK_BYTES = 4 << 20  # a seek costs about what reading this much does; measured with scripts/benchmark_decoding.py

# Containers whose seeks are exact here, and whether their index holds decoding timestamps (or presentation ones).
_SEEKS_BY_DECODE_TICK = {"mov,mp4,m4a,3gp,3g2,mj2": True, "matroska,webm": False}


class PlanFailed(Exception):
    """The file or its decoder gave something else than was planned."""


class PacketFeed:
    """The decoder of one open file, fed by plan.

    Args:
        container, stream: the open file.
        packets: what its packets said when it was read before.
    """

    def __init__(self, container: "InputContainer", stream: "VideoStream", packets: Packets) -> None:
        self._container, self._stream, self._packets = container, stream, packets
        self._source: Iterator[Packet[VideoStream]] = whole_packets(container, stream)
        self._next = 0
        self._bytes_before = np.concatenate([[0], np.cumsum(packets.sizes_bytes)])
        self._is_fresh = True

    def decode(self, plan: list[Run]) -> Iterator["VideoFrame"]:
        """Yield the frames that come out, which are those expected and perhaps some that are not wanted.

        Raises:
            PlanFailed: a packet is not where it was, a frame is damaged, or an expected one does not come.
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
            raise PlanFailed(f"{len(missing)} frames did not come")

    def _all_frames(self, plan: list[Run]) -> Iterator["VideoFrame"]:
        decoder = self._stream.codec_context
        for run in plan:
            if run.needs_flush and not self._is_fresh:
                yield from decoder.decode(None)
                decoder.flush_buffers()
            self._is_fresh = False
            for packet in self._read(run.orders):
                yield from decoder.decode(packet)
        yield from decoder.decode(None)

    def _read(self, orders: NDArray[np.int64]) -> Iterator["Packet[VideoStream]"]:
        self._approach(int(orders[0]))
        for order in orders.tolist():
            yield self._packet(order)

    def _packet(self, order: int) -> "Packet[VideoStream]":
        """Read on to a packet."""
        while True:
            packet = next(self._source, None)
            if packet is None:
                raise PlanFailed(f"the file ends before packet {order}")
            self._next += 1
            if self._next > order:
                break
        if packet.size != self._packets.sizes_bytes[order] or packet.pts != self._packets.ticks[order]:
            raise PlanFailed(f"packet {order} is another one than before")
        return packet

    def _approach(self, order: int) -> None:
        """Seek where that saves much reading; where it lands is known by the first packet's timestamp and size."""
        by_decode_tick = _SEEKS_BY_DECODE_TICK.get(self._packets.container_format)
        far = self._bytes_before[order] - self._bytes_before[self._next] > SEEK_BYTES
        ticks = self._packets.decode_ticks if by_decode_tick else self._packets.ticks
        if by_decode_tick is None or not far or ticks[order] == NO_TICK:
            return
        self._container.seek(int(ticks[order]), stream=self._stream)
        source = whole_packets(self._container, self._stream)
        first = next(source, None)
        if first is None:
            raise PlanFailed(f"nothing can be read after a seek to packet {order}")
        (places,) = np.nonzero((self._packets.ticks == first.pts) & (self._packets.sizes_bytes == first.size))
        if len(places) != 1 or places[0] > order:
            raise PlanFailed(f"a seek to packet {order} leads elsewhere")
        self._next, self._source = int(places[0]), _chain_first(first, source)


def _chain_first(
    first: "Packet[VideoStream]", rest: Iterator["Packet[VideoStream]"]
) -> Iterator["Packet[VideoStream]"]:
    yield first
    yield from rest

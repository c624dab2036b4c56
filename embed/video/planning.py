"""Wanted frames -> the packets that must be sent to the decoder, and no others.

Packets come in groups: each begins with an entry (`embed.video.codecs.bitstreams.ENTRY`), from which decoding can
begin. Of a group without a target nothing is sent. Of another, what stands before its last target is sent, less the
pictures that are disposable and no targets themselves. Where a target is shown before an open entry that it follows, it
leans on the group before, and that one is decoded to its end. In place of H.264's B-pictures that others may lean on,
but no needed one does, a few bytes are sent (`embed.video.codecs.h264_references`). AV1's packets may hold pictures
that are not shown before the one that is: where that one is disposable and no target, they are sent alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embed.video.codecs import (
    DISPOSABLE,
    ENTRY,
    OPEN,
    PYRAMIDAL,
    SKIPPED,
    TRAILED,
    h264_parameter_units,
    stand_ins,
)
from embed.video.timeline import Packets

WORTHWHILE_SHARE = 0.95  # of the packets that sequential decoding sends; above it, planning only costs its flushes


@dataclass(frozen=True)
class Run:
    """Packets that are sent to a decoder one after another.

    Args:
        orders: (P,) int64 ascending places among the video's packets.
        expected: (P,) bool, True where a packet must give its frame, sound and whole. Pictures that lean on what is
            not sent are sent where the decoder counts them, and whatever comes of them is thrown away.
        needs_flush: the decoder must forget what it holds before the run.
        stand_ins: by a packet's order, the units that are sent in its place.
        cuts: orders of the packets whose last picture is not sent.
    """

    orders: NDArray[np.int64]
    expected: NDArray[np.bool_]
    needs_flush: bool
    stand_ins: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    cuts: frozenset[int] = frozenset()


# Encoders sign their work in the first packet, and decoders bend their reading by it: without x264's version, H.264 in
# 4:4:4 comes out damaged. So the first packet is always sent.
FIRST_PACKET = Run(np.array([0], dtype=np.int64), np.array([False]), needs_flush=False)


def plan_packets(packets: Packets, wanted: NDArray[np.int64], *, decoders: int = 1) -> list[Run] | None:
    """Choose the packets to send for the wanted frames; None where all of them must be, in their order.

    Args:
        packets: of the video.
        wanted: (K,) int64 frames on the timeline, in any order.
        decoders: that may share the plan (`embed.video.plan_parts`): with several it pays even where it leaves out
            little.
    """
    if not packets.is_plannable:
        return None
    is_target = np.isin(packets.frame_of, wanted) & (packets.frame_of >= 0)
    starts = _group_starts(packets.marks)
    group_of = np.searchsorted(starts, np.arange(len(packets.marks)), side="right") - 1
    is_leading = _leading(packets, starts, group_of)
    is_needed, is_leaning = np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)
    is_needed[group_of[is_target]] = True
    is_leaning[group_of[is_target & is_leading]] = True
    is_needed[:-1] |= is_leaning[1:]
    runs = [
        _run(packets, range(starts[a], _end(starts, b, len(group_of))), is_target, is_leading, starts)
        for a, b in _chains(is_needed, is_leaning)
    ]
    sent, whole = sum(len(run.orders) for run in runs), int(np.flatnonzero(is_target)[-1]) + 1
    is_shared = decoders > 1 and len(runs) > 1
    return from_first_packet(runs) if is_shared or sent < WORTHWHILE_SHARE * whole else None


def from_first_packet(runs: list[Run]) -> list[Run]:
    """Have a decoder begin with the first packet, whatever it is to decode."""
    return runs if runs[0].orders[0] == 0 else [FIRST_PACKET, *runs]


def _group_starts(marks: NDArray[np.int64]) -> NDArray[np.int64]:
    """(G,) places of the packets that begin a group. The first packet does: sequential decoding begins there too."""
    return np.union1d([0], np.flatnonzero(marks & ENTRY)).astype(np.int64)


def _end(starts: NDArray[np.int64], group: int, packet_count: int) -> int:
    return int(starts[group + 1]) if group + 1 < len(starts) else packet_count


def _leading(packets: Packets, starts: NDArray[np.int64], group_of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) bool, True for pictures that follow an open entry and are shown before it."""
    begins_open = (packets.marks[starts] & OPEN != 0) & (starts > 0)
    entry_ticks = packets.ticks[starts][group_of]
    is_leading: NDArray[np.bool_] = begins_open[group_of] & (packets.ticks < entry_ticks)
    return is_leading


def _chains(is_needed: NDArray[np.bool_], is_leaning: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Join needed groups with the group before where they lean on it: [first, last] of each chain."""
    chains: list[tuple[int, int]] = []
    for group in np.flatnonzero(is_needed).tolist():
        if is_leaning[group] and chains and chains[-1][1] == group - 1:
            chains[-1] = (chains[-1][0], group)
        else:
            chains.append((group, group))
    return chains


def _run(
    packets: Packets,
    span: range,
    is_target: NDArray[np.bool_],
    is_leading: NDArray[np.bool_],
    starts: NDArray[np.int64],
) -> Run:
    """Plan one chain of groups, the packets `span`."""
    last = span.start + int(np.flatnonzero(is_target[span.start : span.stop])[-1])
    orders = np.arange(span.start, last + 1, dtype=np.int64)
    first_group_end = starts[np.searchsorted(starts, span.start, side="right")] if span.start < starts[-1] else last + 1
    marks = packets.marks[orders]
    # Their references are not sent: the decoder drops them (HEVC), or makes pictures of them that nobody looks at.
    is_adrift = is_leading[orders] & (orders < first_group_end)
    is_sent = is_target[orders] | (marks & DISPOSABLE == 0) & ~(is_adrift & (marks & SKIPPED != 0))
    expected = (packets.frame_of[orders] >= 0) & ~is_adrift
    orders, expected = orders[is_sent], expected[is_sent]
    replaced = _stand_ins(packets, orders, is_target)
    is_cut = (packets.marks[orders] & TRAILED != 0) & ~is_target[orders]
    expected &= ~np.isin(orders, list(replaced)) & ~is_cut
    cuts = frozenset(orders[is_cut].tolist())
    return Run(orders, expected, bool(packets.marks[span.start] & OPEN), replaced, cuts)


def _stand_ins(
    packets: Packets, orders: NDArray[np.int64], is_target: NDArray[np.bool_]
) -> dict[int, tuple[bytes, ...]]:
    """Return units in place of those packets of one run that none that is needed leans on, by the packets' orders."""
    marks = packets.marks[orders]
    begins_closed = marks[0] & (ENTRY | OPEN) == ENTRY
    if not packets.heads or not begins_closed or not ((marks & PYRAMIDAL != 0) & ~is_target[orders]).any():
        return {}
    units_of = [packets.heads[order] for order in orders.tolist()]
    parameter_units = [*h264_parameter_units(packets.extradata), *packets.heads[0]]  # the first packet is always sent
    found = stand_ins(units_of, parameter_units, is_target[orders].tolist())
    return {int(orders[place]): units for place, units in found.items()}

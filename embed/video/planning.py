"""Wanted frames -> the packets that must be sent to the decoder, and no others.

Packets come in groups. Each group begins with an entry (`embed.video.codecs.marks.ENTRY`), where decoding can
begin. The targets are the packets of the wanted frames.

- A group without a target is not sent. Of any other group, the packets up to its last target are sent, except
  disposable pictures that are not targets themselves. A picture whose packet changes what later ones are decoded with
  (`embed.video.codecs.lasting`) is not disposable, whether others refer to it or not.
- A target that follows an open entry but is shown before it refers to the previous group, which is then decoded to its
  end.
- A B-picture of H.264 that others may refer to, but no needed picture does, is replaced by a few bytes
  (`embed.video.codecs.h264_references`).
- A packet of AV1 may hold pictures that are not shown, in front of the one that is shown. If the shown one is
  disposable and not a target, only the others are sent.

A plan is shared between decoders that work on one video at the same time. Independent groups of pictures are decoded in
parallel without waiting for each other, whereas threads within one decoder wait all the time: on two cores, 100 frames
of a minute of 720p H.264 are decoded 1.5 times as fast (scripts/benchmark_decoding.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embed.machine import core_count
from embed.video.codecs import (
    DISPOSABLE,
    ENTRY,
    LASTING,
    OPEN,
    PYRAMIDAL,
    SKIPPED,
    TRAILED,
    parameter_units,
    stand_ins,
)
from embed.video.sampling import is_count
from embed.video.timeline import Packets, Timeline

WORTHWHILE_SHARE = 0.95  # of the packets that sequential decoding sends; above it, a plan only costs its flushes
_PIXELS_AT_ONCE = 2 * 3840 * 2160  # a decoder keeps up to 16 pictures, so two decoders of 4K keep 400 MB


@dataclass(frozen=True)
class Run:
    """Packets that are sent to a decoder one after another.

    Args:
        orders: (P,) int64 places among the video's packets, ascending.
        expected: (P,) bool, True where a packet must give its frame undamaged and complete. Pictures that refer to
            packets that are not sent are sent if the decoder counts them, and their frames are dropped.
        needs_flush: True if the decoder must be emptied before the run.
        stand_ins: for a packet's order, the units that are sent in its place.
        cuts: orders of the packets that are sent without their last picture.
    """

    orders: NDArray[np.int64]
    expected: NDArray[np.bool_]
    needs_flush: bool
    stand_ins: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    cuts: frozenset[int] = frozenset()


# Encoders write their name and version into the first packet, and decoders adapt to it: without x264's version, H.264
# in 4:4:4 is decoded with damage. So the first packet is always sent.
FIRST_PACKET = Run(np.array([0], dtype=np.int64), np.array([False]), needs_flush=False)


def plan_packets(packets: Packets, wanted: NDArray[np.int64], *, decoders: int = 1) -> list[Run] | None:
    """Return the packets to send for the wanted frames; None if all packets must be sent in order.

    Args:
        packets: of the video.
        wanted: (K,) int64 frames on the timeline, in any order.
        decoders: how many decoders may share the plan (`part_plan`). With several, a plan is faster even
            if it leaves out few packets.
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
    """Return runs that begin with the video's first packet."""
    return runs if runs[0].orders[0] == 0 else [FIRST_PACKET, *runs]


def _group_starts(marks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (G,) places of packets that begin a group. The first packet does: sequential decoding begins there."""
    return np.union1d([0], np.flatnonzero(marks & ENTRY)).astype(np.int64)


def _end(starts: NDArray[np.int64], group: int, packet_count: int) -> int:
    return int(starts[group + 1]) if group + 1 < len(starts) else packet_count


def _leading(packets: Packets, starts: NDArray[np.int64], group_of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (N,) bool, True for pictures that follow an open entry and are shown before it."""
    begins_open = (packets.marks[starts] & OPEN != 0) & (starts > 0)
    entry_ticks = packets.ticks[starts][group_of]
    is_leading: NDArray[np.bool_] = begins_open[group_of] & (packets.ticks < entry_ticks)
    return is_leading


def _chains(is_needed: NDArray[np.bool_], is_leaning: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last group of each chain; a needed group joins the previous one if it refers to it."""
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
    # Their references are not sent: the decoder drops them (HEVC), or makes pictures from them that are not used.
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
    """Return, for the orders of those packets of one run that no needed packet refers to, the units to send instead."""
    marks = packets.marks[orders]
    is_kept = is_target[orders] | (marks & LASTING != 0)
    begins_closed = marks[0] & (ENTRY | OPEN) == ENTRY
    if not packets.heads or not begins_closed or not ((marks & PYRAMIDAL != 0) & ~is_kept).any():
        return {}
    units_of = [packets.heads[order] for order in orders.tolist()]
    parameters = [*parameter_units("h264", packets.extradata), *packets.heads[0]]  # the first packet is always sent
    found = stand_ins(units_of, parameters, is_kept.tolist())
    return {int(orders[place]): units for place, units in found.items()}


def threads_of(thread_count: int) -> int:
    """Return how many threads decode a video: one for each core if 0 is asked for.

    Raises:
        ValueError: it is no number of threads.
    """
    if thread_count != 0 and not is_count(thread_count):
        raise ValueError(f"thread_count must be 0 or a whole number of at least 1, got {thread_count!r}")
    return thread_count or core_count()


def decoders_for(timeline: Timeline, thread_count: int) -> int:
    """Return how many decoders may work on one video at the same time: fewer for large pictures, which each keeps."""
    pixels = max(1, timeline.width_px * timeline.height_px)  # a damaged header may claim 0
    return min(thread_count, max(1, _PIXELS_AT_ONCE // pixels))


def part_plan(plan: list[Run], most: int) -> list[list[Run]]:
    """Split a plan into at most `most` plans in order, each with about the same number of packets.

    This is correct because no run refers to another: the packets between two runs are in no plan.

    Args:
        plan: from `plan_packets`.
        most: the number of decoders that may work at the same time, 1 or more.
    """
    runs = [run for run in plan if run is not FIRST_PACKET]
    weights = np.array([len(run.orders) - len(run.stand_ins) for run in runs])
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    parts = [[run for run, middle in zip(runs, middles, strict=True) if int(middle * most) == n] for n in range(most)]
    return [from_first_packet(part) for part in parts if part]

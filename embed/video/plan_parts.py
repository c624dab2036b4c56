"""A plan shared between decoders that work on one video at the same time.

Independent groups of pictures are decoded in parallel without waiting for each other, whereas threads within one
decoder wait all the time: on two cores, 100 frames of a minute of 720p H.264 are decoded 1.5 times as fast
(scripts/benchmark_decoding.py).
"""

import numpy as np

from embed.machine import core_count
from embed.video.planning import FIRST_PACKET, Run, from_first_packet
from embed.video.sampling import is_count
from embed.video.timeline import Timeline

_PIXELS_AT_ONCE = 2 * 3840 * 2160  # a decoder keeps up to 16 pictures, so two decoders of 4K keep 400 MB


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

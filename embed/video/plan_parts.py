"""A plan shared between decoders that work on one video at once.

Groups of pictures that nothing joins are decoded side by side without waiting for each other, which threads within one
decoder do all the time: on two cores, 100 frames of a minute of 720p H.264 come 1.5 times as fast
(scripts/benchmark_decoding.py).
"""

import numpy as np

from embed.video.planning import FIRST_PACKET, Run, from_first_packet
from embed.video.timeline import Timeline

_PIXELS_AT_ONCE = 2 * 3840 * 2160  # a decoder keeps up to 16 pictures: two decoders of 4K, 400 MB


def decoders_for(timeline: Timeline, thread_count: int) -> int:
    """Return how many decoders may work on one video at once: fewer where the pictures that each keeps are large."""
    pixels = max(1, timeline.width_px * timeline.height_px)  # damaged headers claim none
    return min(thread_count, max(1, _PIXELS_AT_ONCE // pixels))


def part_plan(plan: list[Run], most: int) -> list[list[Run]]:
    """Part a plan into at most `most` plans, of about as many packets each and in their order.

    That is sound because no run leans on another: what stands between two of them is sent in no plan.

    Args:
        plan: of `plan_packets`.
        most: decoders that are to work at once, 1 or more.
    """
    runs = [run for run in plan if run is not FIRST_PACKET]
    weights = np.array([len(run.orders) - len(run.stand_ins) for run in runs])
    middles = (np.cumsum(weights) - weights / 2) / weights.sum()
    parts = [[run for run, middle in zip(runs, middles, strict=True) if int(middle * most) == n] for n in range(most)]
    return [from_first_packet(part) for part in parts if part]

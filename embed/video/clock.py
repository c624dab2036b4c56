"""One clock for a stream whose timestamps restart, as in files that were joined end to end.

Examples are `cat a.ts b.ts`, recordings of streams, and the chapters of a DVD. Each later section is shifted so that
it follows the section before it.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NO_TICK = -(1 << 62)
"""Stands where a packet has no timestamp."""


def continue_clock(
    ticks: NDArray[np.int64], decode_ticks: NDArray[np.int64], durations: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the (N,) ticks at which N packets are shown, with each section shifted to follow the one before.

    Args:
        ticks: (N,) presentation timestamps in decoding order.
        decode_ticks: (N,) decoding timestamps; `NO_TICK` where a packet has none.
        durations: (N,) durations in the same unit; 0 where unknown.

    >>> ticks = np.array([10, 12, 11, 13, 5, 6])
    >>> continue_clock(ticks, np.array([8, 9, 10, 11, 4, 5]), np.ones(6, np.int64)).tolist()
    [10, 12, 11, 13, 14, 15]
    """
    clock = ticks.copy()
    bounds = [0, *_restarts(ticks, decode_ticks).tolist(), len(ticks)]
    for (start, restart), (_, end) in pairwise(pairwise(bounds)):
        before = clock[start:restart]
        last = int(np.argmax(before))
        end_tick = before[last] + (durations[start + last] or _usual_step(before))
        clock[restart:end] += end_tick - clock[restart:end].min()
    return clock


def _restarts(ticks: NDArray[np.int64], decode_ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (S,) places of packets that are shown before an earlier packet is decoded: on one clock, none is.

    A single timestamp that differs from all around it is damage, not another clock. So both packets before a restart
    must be later than its packet, and the packet before it must be later than its packet and the next one.
    """
    is_back = ticks[1:] < decode_ticks[:-1]
    is_back_by_two = np.concatenate([[True], ticks[2:] < decode_ticks[:-2], [True]])
    return np.flatnonzero(is_back & is_back_by_two[:-1] & is_back_by_two[1:]) + 1


def _usual_step(ticks: NDArray[np.int64]) -> int:
    return int(np.median(np.diff(np.sort(ticks)))) if len(ticks) > 1 else 1

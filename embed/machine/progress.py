"""Where a run stands, which stage sets its pace, and what would make it faster.

A stage's share is the part of the time in which the run did nothing but wait for it: for frames (which is fetching or
decoding, in the ratio of the workers' time), for the encoder, or for the store.
"""

import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, final

Item = TypeVar("Item")
Stage = Literal["fetch", "decode", "encode", "write"]

HINTS: dict[Stage, str] = {
    "fetch": "bring the videos nearer to this machine, or fetch through a faster line",
    "decode": "--sampling keyframes decodes key frames alone; more cores decode more videos at once; "
    "an NVIDIA GPU may decode faster (--decode-device cuda)",
    "encode": "encode on a GPU (--device cuda), with a smaller --model, or fewer frames",
    "write": "write the store to a local disk",
}
"""What makes a run faster whose pace a stage sets."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Args:
        videos_done: of `videos_total`, the failed ones included.
        failed: videos without vectors.
        frames: vectors written.
        seconds: since the run began.
        shares: of each stage, 0 to 1.
    """

    videos_done: int
    videos_total: int
    failed: int
    frames: int
    seconds: float
    shares: Mapping[Stage, float] = field(default_factory=dict)

    @property
    def bottleneck(self) -> Stage | None:
        """The stage that sets the pace; None before anything was waited for."""
        return slowest(self.shares)


@final
class StageClock:
    """Adds up where the time goes.

    Args (all in seconds, all growing):
        fetch_s, decode_s: workers' time, several at once.
        waiting_s: the encoder's time without frames.
        encode_s: inside the encoder.
        write_s: inside the store.
        decode_cpu_s, encode_cpu_s: processor time of both, all threads.
    """

    def __init__(self) -> None:
        self.fetch_s = self.decode_s = self.waiting_s = self.encode_s = self.write_s = 0.0
        self.decode_cpu_s = self.encode_cpu_s = 0.0
        self._waiting_since: float | None = None

    def waited_for(self, items: Iterable[Item]) -> Generator[Item]:
        """Yield the items, counting the time until each comes."""
        remaining = iter(items)
        while True:
            started = self._waiting_since = time.monotonic()
            try:
                item = next(remaining)
            except StopIteration:
                return
            finally:
                self._waiting_since = None
                self.waiting_s += time.monotonic() - started
            yield item

    def shares(self) -> dict[Stage, float]:
        """Return the share of each stage, the wait that goes on included; they sum to 1 once a video was embedded.

        Until then nobody knows whether fetching or decoding is waited for.
        """
        since, at_work_s = self._waiting_since, self.fetch_s + self.decode_s
        waiting_s = self.waiting_s + (time.monotonic() - since if since is not None else 0.0)
        seconds: dict[Stage, float] = {
            "fetch": waiting_s * self.fetch_s / at_work_s if at_work_s else 0.0,
            "decode": waiting_s * self.decode_s / at_work_s if at_work_s else 0.0,
            "encode": self.encode_s,
            "write": self.write_s,
        }
        total_s = sum(seconds.values())
        return {stage: spent / total_s for stage, spent in seconds.items()} if total_s else {}


def slowest(shares: Mapping[Stage, float]) -> Stage | None:
    """Return the stage with the largest share.

    >>> slowest({"decode": 0.7, "encode": 0.3})
    'decode'
    """
    if not shares:
        return None
    largest: Stage = max(shares, key=lambda stage: shares[stage])
    return largest

"""The progress of a run, its slowest stage, and what would make it faster.

A stage's share is the fraction of the time in which the run only waited for it: for frames (fetching or decoding, in
the ratio of the workers' time), for the encoder, or for the store.
"""

import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, final

Item = TypeVar("Item")
Stage = Literal["fetch", "decode", "encode", "write"]

HINTS: dict[Stage, str] = {
    "fetch": "copy the videos nearer to this machine, or use a faster connection",
    "decode": "--sampling keyframes decodes only key frames; more cores decode more videos at once; "
    "an NVIDIA GPU may decode faster (--decode-device cuda)",
    "encode": "encode on a GPU (--device cuda), with a smaller --model, or fewer frames",
    "write": "write the store to a local disk",
}
"""Slowest stage -> what makes such a run faster."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Args:
        videos_done: videos finished, including failed ones.
        videos_total: all videos of the run.
        failed: videos without vectors.
        frames: vectors written.
        seconds: time since the run began.
        shares: share of each stage, 0 to 1.
        note: a sentence to show before the run spends what it tells of; "" is none.
    """

    videos_done: int
    videos_total: int
    failed: int
    frames: int
    seconds: float
    shares: Mapping[Stage, float] = field(default_factory=dict)
    note: str = ""

    @property
    def bottleneck(self) -> Stage | None:
        """The slowest stage; None before the run has waited for anything."""
        return slowest(self.shares)


@final
class StageClock:
    """Adds up the time of each stage.

    Attributes (all in seconds, all growing):
        fetch_s, decode_s: time of the workers; several work at once.
        waiting_s: time in which the encoder had no frames.
        encode_s: time inside the encoder.
        write_s: time inside the store.
        decode_cpu_s, encode_cpu_s: processor time of both, over all threads.
    """

    def __init__(self) -> None:
        self.fetch_s = self.decode_s = self.waiting_s = self.encode_s = self.write_s = 0.0
        self.decode_cpu_s = self.encode_cpu_s = 0.0
        self._waiting_since: float | None = None

    def waited_for(self, items: Iterable[Item]) -> Generator[Item]:
        """Yield the items, and add up the time until each arrives."""
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
        """Return the share of each stage, including the current wait. They sum to 1 once a video has been embedded.

        Until then it is unknown whether the run waits for fetching or for decoding.
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

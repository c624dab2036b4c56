"""Fetch and decode the frames of a run's videos before they are needed."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self, final

from embed.decode_pool import DecodeLimits, DecodePlan, DecodePool, default_worker_count
from embed.sources import FetchConfig, Fetcher, Video


@final
class FramesAhead:
    """Fetches and decodes videos in the background, from its construction until it is closed.

    Args:
        videos: one or more.
        plan: how each is decoded.
        workers: videos decoded at once; None is one per core, at most 16.
        limits: what one video may take.
        public_only: True fetches from public hosts only.

    Attributes:
        results: yields every video, decoded or failed, in no fixed order.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        plan: DecodePlan,
        *,
        workers: int | None,
        limits: DecodeLimits,
        public_only: bool = False,
    ) -> None:
        self.videos, self.plan = videos, plan
        with ExitStack() as stack:
            fetcher = stack.enter_context(Fetcher(FetchConfig.patient_for(limits.timeout_s, public_only=public_only)))
            count = min(workers or default_worker_count(), len(videos))
            pool = DecodePool(plan, workers=count, limits=limits, fetch=fetcher.local_file)
            self.results = stack.enter_context(pool).decode(fetcher.ahead(videos))
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Kill the decoding processes, and remove what was fetched."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

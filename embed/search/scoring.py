"""Scores of all rows of a store, read once from end to end in blocks: the memory needed does not grow with its rows."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.machine import core_count
from embed.store import EmbeddingStore

_BLOCK_BYTES = 32 << 20
_ROWS_AT_ONCE = 1024  # of float32 fit into a core's cache
_ONE_AT_A_TIME = threading.Lock()


@final
@dataclass(frozen=True)
class Layout:
    """Where the rows of a store's videos are among all rows, in the order in which they are read.

    Args:
        ids: (V,) the ids of the videos.
        offsets: (V + 1,) int64, the rows of video v are offsets[v] to offsets[v + 1].
    """

    ids: tuple[str, ...]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, store: EmbeddingStore) -> "Layout":
        """Return the layout of a store's videos in the order of its files, which is read fastest."""
        order = store.stored_order
        counts = store.row_counts[order]
        ids = store.ids
        return cls(tuple(ids[place] for place in order.tolist()), np.concatenate([[0], counts.cumsum()]))


@final
class RowScorer:
    """Computes scores of all rows of a store.

    Args:
        store: an open store.
        layout: of its videos.
        keep_bytes: rows are kept in memory for the next search if they need no more than this.
    """

    def __init__(self, store: EmbeddingStore, layout: Layout, *, keep_bytes: int = 0) -> None:
        self._store, self.layout = store, layout
        self._keeps = int(layout.offsets[-1]) * store.dimension * 2 <= keep_bytes
        self._kept: list[tuple[int, NDArray[np.float16]]] = []
        self._lengths: NDArray[np.float32] | None = None

    def multiply(self, directions: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (R, K) the products of R rows with K directions (K, D), and (R,) the rows' lengths."""
        import torch

        count = int(self.layout.offsets[-1])
        scores = np.empty((count, len(directions)), np.float32)
        lengths = np.empty(count, np.float32) if self._lengths is None else None
        columns = torch.from_numpy(np.ascontiguousarray(directions.T, dtype=np.float32))

        def compute(first: int, rows: NDArray[np.float16]) -> None:
            with torch.inference_mode():
                for begin in range(0, len(rows), _ROWS_AT_ONCE):
                    part = torch.from_numpy(rows[begin : begin + _ROWS_AT_ONCE]).float()
                    place = slice(first + begin, first + begin + len(part))
                    scores[place] = (part @ columns).numpy()
                    if lengths is not None:
                        lengths[place] = torch.linalg.vector_norm(part, dim=1).numpy()

        with _ONE_AT_A_TIME:  # blocks are shared among threads here, so torch shall not share each again
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                self._each_block(compute)
            finally:
                torch.set_num_threads(threads)
        if lengths is not None:
            self._lengths = lengths
        assert self._lengths is not None
        return scores, self._lengths

    def _each_block(self, compute: Callable[[int, NDArray[np.float16]], None]) -> None:
        """Call a function on every block, on as many threads as there are cores, and read ahead of them a little."""
        workers = core_count()
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for first, rows in self._blocks():
                waiting.append(pool.submit(compute, first, rows))
                if len(waiting) > 2 * workers:
                    waiting.popleft().result()
            for done in waiting:
                done.result()

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield the first row and the rows (B, D) of each block of whole videos."""
        if self._kept:
            yield from self._kept
            return
        kept = []
        most = max(1, _BLOCK_BYTES // (2 * self._store.dimension))
        offsets, begin = self.layout.offsets, 0
        while begin < len(self.layout.ids):
            end = int(np.searchsorted(offsets, offsets[begin] + most, side="right")) - 1
            end = max(end, begin + 1)
            rows, _ = self._store.read_many(self.layout.ids[begin:end])
            if self._keeps:
                kept.append((int(offsets[begin]), rows))
            yield int(offsets[begin]), rows
            begin = end
        self._kept = kept

"""A store as it was when it was opened, with what one head says of it. It never changes: a new one takes its place.

Arrays have N videos in the order of the store's ids, C labels in the head's order, and D dimensions.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from classify.classifier import VideoClassifier
from classify.data import LabelConfig, read_labels
from classify.moments import Evidence, read_evidence
from classify.training import blocks_of, open_videos
from embed.search import to_unit_length
from embed.store import EmbeddingStore, VideoRecord, decode_text


@dataclass(frozen=True)
class Collection:
    """What the page shows of a store and a head.

    Args:
        classifier: the head.
        head: the folder that it was read from.
        store: open for as long as the collection is used.
        probabilities: (N, C) float32.
        given: (N, C) bool, the labels that the head gives.
        means: (N, D) float16, the mean vector of each video, minus `centre`, at length 1.
        centre: (D,) float32, the mean over all videos.
        labels: (N,) the labels that people gave before, from a label file or folders.
    """

    classifier: VideoClassifier
    head: Path
    store: EmbeddingStore
    probabilities: NDArray[np.float32]
    given: NDArray[np.bool_]
    means: NDArray[np.float16]
    centre: NDArray[np.float32]
    labels: tuple[tuple[str, ...], ...]
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def ids(self) -> list[str]:
        """(N,) the store's ids."""
        return self.store.ids

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(C,) the labels that the head knows."""
        return self.classifier.names

    @cached_property
    def places(self) -> dict[str, int]:
        """The name of each video in addresses -> its place."""
        return {public_name(video_id): place for place, video_id in enumerate(self.ids)}

    @cached_property
    def places_of_ids(self) -> dict[str, int]:
        """The id of each video -> its place."""
        return {video_id: place for place, video_id in enumerate(self.ids)}

    @cached_property
    def names_in_addresses(self) -> list[str]:
        """(N,) what each video is called in addresses (`public_name`)."""
        return [*self.places]

    @cached_property
    def places_of_content(self) -> dict[str, int]:
        """The content hash of each video's file -> its place."""
        hashes = [decode_text(cell) for cell in self.store.column("content_hash").tolist()]
        return {content: place for place, content in enumerate(hashes) if content}

    @cached_property
    def doubts(self) -> NDArray[np.float32]:
        """(N,) how unsure the head is of each video, from 0 to 1 (`doubts_of`)."""
        return doubts_of(self.probabilities, self.classifier.thresholds)

    @cached_property
    def locations(self) -> list[str]:
        """(N,) where each video lies: an absolute path, an address, or an empty text."""
        return [decode_text(cell) for cell in self.store.column("location").tolist()]

    def record(self, place: int) -> VideoRecord:
        """Return the record of a video."""
        with self.lock:
            return self.store.video(self.ids[place])

    def evidence(self, place: int) -> Evidence:
        """Return what speaks for each label of a video, and when."""
        with self.lock:
            return read_evidence(self.classifier, self.store, self.ids[place])


def open_collection(
    head: Path,
    path: Path,
    labels: LabelConfig | None,
    *,
    device: str = "auto",
    on_step: Callable[[str], None] = lambda _: None,
) -> Collection:
    """Read a head and a store, and let the head label the store's videos.

    Args:
        head: the head's folder.
        path: the store.
        labels: as in `ServeConfig`.
        device: where the head runs.
        on_step: called with a sentence about what is done next.

    Raises:
        HeadError: there is no head there.
        EncoderMismatch: the store's vectors are not of the kind that the head learned from.
        LabelError: the labels cannot be read.
        StoreError: the store cannot be read.
    """
    on_step("The head is loading.")
    classifier = VideoClassifier.load(head)
    store = EmbeddingStore(path)
    try:
        classifier.check(store.provenance, str(path))
        on_step(f"The head is labelling {len(store):,} videos.")
        probabilities = classifier.predict_probabilities(open_videos(store, store.ids, device=device), device=device)
        on_step(f"The vectors of {len(store):,} videos are being read.")
        return Collection(
            classifier,
            head,
            store,
            probabilities.astype(np.float32),
            classifier.decide(probabilities),
            *mean_directions(store),
            _known_labels(store, classifier.names, labels),
        )
    except BaseException:
        store.close()
        raise


def public_name(video_id: str) -> str:
    r"""Return what a video is called in addresses: its id; where that is no UTF-8, one like it that is.

    >>> public_name("a.mp4"), ascii(public_name("\udce9.mp4"))
    ('a.mp4', "'\\ufffd.mp4~ed8f5f8e'")
    """
    try:
        video_id.encode()
    except UnicodeEncodeError:
        stored = video_id.encode("utf-8", "surrogateescape")
        return f"{stored.decode('utf-8', 'replace')}~{crc32(stored):08x}"
    return video_id


def doubts_of(probabilities: NDArray[np.floating], thresholds: Sequence[float] | None) -> NDArray[np.float32]:
    """Return how unsure a head is of each video (N,), from 0 to 1.

    With one label a video, it is 1 minus the margin: the likeliest label's probability minus the second's. With
    several, it is that of the label nearest to its threshold: 1 at the threshold, 0 at a probability of 0 or 1.

    Source: margin sampling, Settles, Active Learning Literature Survey (2009), section 3.1.

    >>> doubts_of(np.array([[0.5, 0.5], [1.0, 0.0]]), None).tolist()
    [1.0, 0.0]
    >>> doubts_of(np.array([[0.3, 0.0], [0.65, 1.0]]), (0.3, 0.3)).round(2).tolist()
    [1.0, 0.5]
    """
    if not probabilities.size:
        return np.zeros(len(probabilities), np.float32)
    if thresholds is None:
        best = np.sort(probabilities, axis=1)[:, -2:]
        margins = best[:, 1] - best[:, 0] if best.shape[1] == 2 else best[:, 0]
        return np.asarray(1 - margins, dtype=np.float32).clip(0, 1)
    edges = np.asarray(thresholds, dtype=np.float32).clip(0, 1)
    room = np.where(probabilities >= edges, 1 - edges, edges).clip(1e-6)
    return np.asarray((1 - np.abs(probabilities - edges) / room).max(axis=1), dtype=np.float32).clip(0, 1)


def mean_directions(store: EmbeddingStore) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Return the mean vector (N, D) of each video, minus the mean (D,) over all videos, at length 1; and that mean."""
    means = np.zeros((len(store), store.dimension), np.float32)
    for block in blocks_of(np.arange(len(store))):
        rows, counts = store.read_many([store.ids[place] for place in block.tolist()])
        firsts = np.r_[0, counts.cumsum()[:-1]]
        means[block] = np.add.reduceat(rows.astype(np.float32), firsts) / counts[:, None]
    centre = means.mean(axis=0) if len(means) > 1 else np.zeros(store.dimension, np.float32)
    means -= centre
    return to_unit_length(means).astype(np.float16), centre


def _known_labels(
    store: EmbeddingStore, names: Sequence[str], labels: LabelConfig | None
) -> tuple[tuple[str, ...], ...]:
    if labels is None:
        known = frozenset(names)
        folders = ([part for part in video_id.split("/")[:-1] if part in known] for video_id in store.ids)
        return tuple(tuple(found[-1:]) for found in folders)
    table = read_labels(store, labels)
    of_video = {video_id: table.names_of(place) for place, video_id in enumerate(table.ids)}
    return tuple(of_video.get(one, ()) for one in store.ids)


def likeliest(
    names: Sequence[str], probabilities: NDArray[np.floating], given: NDArray[np.bool_], count: int
) -> list[dict[str, Any]]:
    """Return the likeliest labels of one video JSON-ready, and those that it is given, likeliest first.

    Args:
        names: (C,) labels.
        probabilities: (C,) of the video.
        given: (C,) bool, the labels that the head gives it.
        count: how many, if fewer are given.
    """
    order = np.argsort(-probabilities, kind="stable")
    shown = [place for number, place in enumerate(order.tolist()) if number < count or given[place]]
    return [
        {"label": names[place], "probability": round(float(probabilities[place]), 4), "given": bool(given[place])}
        for place in shown
    ]

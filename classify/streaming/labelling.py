"""Labels stores and videos, and hands over each result as soon as it is there.

Vectors of stores are read in blocks. New videos are labelled while the next ones are decoded. Videos whose content a
store holds are labelled from there, and neither decoded nor embedded.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from classify.classifier import HeadEmbedder, Prediction, Probabilities, VideoClassifier
from classify.moments import Evidence, evidence_of, spans_of
from classify.streaming.config import StreamConfig
from classify.streaming.journal import Key, Result
from classify.streaming.known_content import find_known, stores_like
from classify.training import VideoSet
from embed import Video, find_videos
from embed.machine import temporary_folder
from embed.store import EmbeddingStore, Failure, VideoRecord, VideoVectors, is_store

Progress = Callable[[Any], None] | None
_BLOCK_VIDEOS = 64
_BLOCK_NUMBERS = 2**24  # of a block that is read at once: 32 MB; activations of one video may have as many


@dataclass(frozen=True)
class Labeller:
    """Labels videos with one head.

    Args:
        classifier: the head.
        embedder: embeds new videos for it.
        config: which labels are given, and what else is found.
        take: gets each result, in the thread that called.
        is_done: True for a video, by id and location, that is to be left out.
    """

    classifier: VideoClassifier
    embedder: HeadEmbedder
    config: StreamConfig
    take: Callable[[Result], None]
    is_done: Callable[[Key], bool]

    def label_store(self, path: str | Path) -> list[str]:
        """Label the videos of a store, hand over its failures, and return the ids of its videos in order.

        Raises:
            EncoderMismatch: its vectors were not made as those that the head learned from.
            StoreDamaged: it cannot be read.
        """
        with EmbeddingStore(path) as store:
            self.classifier.check(store.provenance, str(path))
            records = (store.video(video_id) for video_id in store.ids)
            self._label_stored(store, (record for record in records if not self.is_done((record.id, record.location))))
            for failure in store.failures:
                if not self.is_done((failure.id, failure.location)):
                    self.take(failure)
            return store.ids

    def label_videos(
        self, sources: Sequence[str | Path], videos: Sequence[Video], *, named: Sequence[Path], on_progress: Progress
    ) -> int:
        """Label new videos.

        Args:
            sources: that name them; what else they name is left out.
            videos: those to label.
            named: stores in which their contents may be.
            on_progress: as for `embed_videos`.

        Returns:
            How many were not decoded, because a store has their content.
        """
        rest = {video.id: video for video in videos}
        reused = self._label_known(rest, named)
        if rest and self.embedder.is_joined:
            self._embed_parts(sources, rest, on_progress)
        elif rest:
            self._embed(sources, rest, on_progress)
        return reused

    def _label_known(self, rest: dict[str, Video], named: Sequence[Path]) -> int:
        """Label the videos whose content a store holds, and take them out of the rest."""
        kept = self.embedder.config.store
        paths = stores_like([*([kept] if kept else []), *named], self.classifier.provenance)
        with ExitStack() as stack:
            stores = [stack.enter_context(EmbeddingStore(path)) for path in paths]
            known = find_known([*rest.values()], stores)
            for number, store in enumerate(stores):
                own = [found for found in known if found.store == number]
                self._label_stored(store, (store.video(found.stored_id) for found in own), [it.video for it in own])
        for found in known:
            del rest[found.video.id]
        return len(known)

    def _embed(self, sources: Sequence[str | Path], rest: dict[str, Video], on_progress: Progress) -> None:
        """Embed videos and label each as soon as it is embedded."""
        with temporary_folder("predict") as folder:
            path = self.embedder.config.store or folder / "embeddings.h5"
            listener = _Listener(self, rest)
            summary = self.embedder.embed(sources, path, on_progress=on_progress, listener=listener)
            left = [video for video in rest.values() if video.id not in listener.heard]
            failed = {failure.id: failure for failure in summary.failures}
            with EmbeddingStore(path) as store:  # addresses that it had, and second names of one file
                stored = [(video, summary.known_as.get(video.id, video.id)) for video in left]
                whole = [(video, own) for video, own in stored if own in store]
                self._label_stored(store, (store.video(own) for _, own in whole), [video for video, _ in whole])
            for video, own in stored:
                if own in failed:
                    self.take(replace(failed[own], id=video.id, location=video.location))

    def _embed_parts(self, sources: Sequence[str | Path], rest: dict[str, Video], on_progress: Progress) -> None:
        """Embed videos with each encoder of a joined head; they are labelled when all are embedded."""
        with temporary_folder("predict") as folder:
            path = folder / "joined.h5"
            failures = self.embedder.embed_parts(
                sources, path, on_progress=on_progress, listener=_Listener(self, rest, is_deaf=True)
            )
            with EmbeddingStore(path) as store:
                self._label_stored(store, (store.video(video_id) for video_id in store.ids))
        for failure in failures:
            self.take(failure)

    def _label_stored(
        self, store: EmbeddingStore, records: Iterator[VideoRecord], videos: Sequence[Video] = ()
    ) -> None:
        """Label videos of a store, under the names of other videos if these are given."""
        places = iter(videos)
        for block in _blocks(records, store):
            vectors = _read(store, [record.id for record in block])
            if videos:
                block = [replace(own, id=(new := next(places)).id, location=new.location) for own in block]
            self.label_block([*zip(block, vectors, strict=True)], device=self.embedder.config.device)

    def label_block(self, block: Sequence[tuple[VideoRecord, VideoVectors]], *, device: str) -> None:
        """Label videos whose vectors are there, and hand over the predictions."""
        provenance, classifier = self.classifier.provenance, self.classifier
        found = VideoSet(
            tuple(record.id for record, _ in block),
            np.concatenate([own.vectors for _, own in block]),
            np.array([len(own.vectors) for _, own in block]),
            len(provenance.views),
            lambda: np.concatenate([own.timestamps_s for _, own in block]),
        )
        probabilities = classifier.predict_probabilities(found, device=device)
        decided = self.config.rule.decide(classifier, probabilities)
        place_of = {name: place for place, name in enumerate(classifier.names)}
        for (record, own), row, given in zip(block, probabilities, decided, strict=True):
            places = np.flatnonzero(given)
            labels = tuple(classifier.names[place] for place in places[np.argsort(-row[places], kind="stable")])
            prediction = Prediction(record.id, labels, Probabilities(place_of, row), record.location)
            self.take(self._with_moments(prediction, record, own) if self.config.needs_moments else prediction)

    def _with_moments(self, prediction: Prediction, record: VideoRecord, vectors: VideoVectors) -> Prediction:
        evidence: Evidence = evidence_of(self.classifier, vectors, record, len(self.classifier.provenance.views))
        lowest = self.config.rule.lowest(self.classifier)
        moments = tuple(spans_of(evidence, lowest, labels=prediction.labels))
        return replace(prediction, moments=moments, how=evidence.how)


@final
@dataclass(frozen=True)
class _Listener:
    """Labels each video as soon as it is embedded.

    Args:
        labeller: labels it.
        rest: id -> the videos that are wanted.
        is_deaf: True only chooses the videos.
        heard: ids of those that came.
    """

    labeller: Labeller
    rest: dict[str, Video]
    is_deaf: bool = False
    heard: set[str] = field(default_factory=set)

    def wants(self, video: Video) -> bool:
        return video.id in self.rest

    def take(self, record: VideoRecord, vectors: VideoVectors) -> None:
        if not self.is_deaf:
            self.heard.add(record.id)
            self.labeller.label_block([(record, vectors)], device="cpu")

    def take_failure(self, failure: Failure) -> None:
        if not self.is_deaf:
            self.heard.add(failure.id)
            self.labeller.take(failure)


def find_open(sources: Sequence[str | Path], is_done: Callable[[Key], bool]) -> tuple[list[Video], list[str]]:
    """Return the videos that sources name and that are not done, and the ids of all."""
    videos = find_videos(sources)
    return [video for video in videos if not is_done((video.id, video.location))], [video.id for video in videos]


def stores_among(sources: Sequence[str | Path]) -> tuple[list[Path], list[str | Path]]:
    """Return the sources that are stores, and the others."""
    stores = [Path(source) for source in sources if is_store(source)]
    return stores, [source for source in sources if not is_store(source)]


def _blocks(records: Iterator[VideoRecord], store: EmbeddingStore) -> Iterator[list[VideoRecord]]:
    """Yield records in blocks whose vectors may be read at once."""
    counts = dict(zip(store.ids, store.row_counts.tolist(), strict=True))
    block: list[VideoRecord] = []
    numbers = 0
    for record in records:
        block.append(record)
        numbers += counts[record.id] * store.dimension
        if len(block) == _BLOCK_VIDEOS or numbers >= _BLOCK_NUMBERS:
            yield block
            block, numbers = [], 0
    if block:
        yield block


def _read(store: EmbeddingStore, ids: Sequence[str]) -> list[VideoVectors]:
    rows, counts = store.read_many(ids, is_checked=True)
    times_s, spans_s = store.read_timestamps(ids), store.read_spans(ids)
    ends = np.cumsum(counts)[:-1]
    return [
        VideoVectors(*own) for own in zip(*(np.split(part, ends) for part in (rows, times_s, spans_s)), strict=True)
    ]

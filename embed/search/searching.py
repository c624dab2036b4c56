"""Search a store: `search_store` once, or a `VideoSearcher` for many searches."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from embed.encoders import Encoder, TextEncoder, load_text_encoder
from embed.errors import EncoderError, SourceError
from embed.machine import temporary_folder
from embed.run import EmbedConfig, embed_videos, load_configured
from embed.search.imagenet_words import ImagenetWords, has_imagenet_words
from embed.search.near_duplicates import to_unit_length
from embed.search.scoring import Layout, RowScorer
from embed.search.spans import Hit, best_videos, hits_of
from embed.search.terms import Term
from embed.store import EmbeddingStore, Provenance

_BY_TEXTS = "cosine with the encoder's own texts"
_BY_WORDS = "ImageNet words"
_BY_EXAMPLE = "cosine with the example"
_BY_SEVERAL = "mean of the terms' standardised scores"


@final
@dataclass(frozen=True)
class SearchConfig:
    """How a store is searched.

    Args:
        count: number of hits.
        hits_per_video: hits of one video at most.
        pretrained: checkpoint file of the store's encoder, if it has moved.
        device: where to encode texts, pictures and videos.
        keep_bytes: a `VideoSearcher` keeps rows in memory if they need no more than this.
    """

    count: int = 20
    hits_per_video: int = 3
    pretrained: str | None = None
    device: str = "auto"
    keep_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        for name in ("count", "hits_per_video"):
            if type(value := getattr(self, name)) is not int or value < 1:
                raise SourceError(f"{name} is {value!r}, but must be a whole number of at least 1.")


@final
@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Args:
        hits: the best first.
        how: what the scores are.
        words: the names of ImageNet's classes that stood for the words; () where the encoder knows texts.
    """

    hits: tuple[Hit, ...]
    how: str
    words: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the result JSON-ready."""
        return {"how": self.how, "words": [*self.words], "hits": [hit.to_json() for hit in self.hits]}


@final
@dataclass(frozen=True)
class _Part:
    """Directions that one term is made of, and how much each counts."""

    directions: NDArray[np.float32]
    weights: NDArray[np.float32]
    is_cosine: bool
    words: tuple[str, ...] = ()


@final
@dataclass
class VideoSearcher:
    """Searches a store again and again: its tables, its encoder and, where there is room, its rows stay in memory.

    Args:
        path: the store. What is written to it later is not found.
        config: settings.

    Raises:
        StoreError: the store cannot be read.
    """

    path: str | Path
    config: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        self._store = EmbeddingStore(self.path)
        self._layout = Layout.of(self._store)
        self._scorer = RowScorer(self._store, self._layout, keep_bytes=self.config.keep_bytes)
        self._encoder: Encoder | None = None
        self._texts: TextEncoder | None = None
        self._words: ImagenetWords | None = None

    @property
    def provenance(self) -> Provenance:
        """What made the store."""
        return self._store.provenance

    def list_ids(self) -> tuple[str, ...]:
        """Return the ids of the store's videos."""
        return self._layout.ids

    def location_of(self, video_id: str) -> str:
        """Return where a video lies; "" where the store does not know it."""
        return self._store.video(video_id).location

    def knows(self, video_id: str) -> bool:
        """Return True if a video of this id is in the store."""
        return video_id in self._store

    def search(self, terms: Sequence[Term], *, ids: Collection[str] | None = None) -> SearchResult:
        """Find the moments that are most like the terms.

        One term is scored by its cosine, and words by ImageNet by their own scores. The scores of several are
        standardised over all rows, so that a text and a picture count as much as each other, and averaged.

        Args:
            terms: what to search for; at least one is added.
            ids: only videos of these ids may be hits; None is all. A video that is a term is none.

        Raises:
            SourceError: there is nothing to search for, or an example cannot be read.
            EncoderError: the store's encoder cannot encode a term, or cannot be loaded.
            StoreError: the store cannot be read. StoreMismatch: the encoder here has other weights.
        """
        if not any(term.sign > 0 for term in terms):
            raise SourceError("Every term of the search is subtracted. Add one: say what the videos should show.")
        parts = [self._part(term) for term in terms]
        if not self._layout.ids:
            return SearchResult((), _BY_EXAMPLE)
        scores = self._scores(parts, [term.sign for term in terms])
        wanted = self._wanted(terms, ids)
        videos = best_videos(scores, self._layout, wanted, self.config.count)
        hits = hits_of(
            videos,
            scores,
            self._layout,
            floor=float(scores.mean()),
            most=self.config.hits_per_video,
            read_times=self._times_of,
            location_of=self.location_of,
        )
        words = tuple(dict.fromkeys(word for part in parts for word in part.words))
        return SearchResult(tuple(hits[: self.config.count]), _how(terms, with_words=bool(words)), words)

    def close(self) -> None:
        """Close the store's files."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _scores(self, parts: Sequence[_Part], signs: Sequence[int]) -> NDArray[np.float32]:
        """Return the (R,) scores of all rows, which are read once for all terms. A row of length 0 has the cosine 0."""
        products, lengths = self._scorer.multiply(np.concatenate([part.directions for part in parts]))
        ends = np.cumsum([len(part.directions) for part in parts])[:-1]
        total, is_alone = np.zeros(len(products), np.float32), len(parts) == 1
        for part, sign, found in zip(parts, signs, np.split(products, ends, axis=1), strict=True):
            if part.is_cosine:
                found = np.asarray(found / np.where(lengths > 0, lengths, 1)[:, None], np.float32)
            if len(part.weights) > 1:
                found = _standardised(found)
            score = found @ part.weights
            total += sign * (score if is_alone else _standardised(score[:, None])[:, 0] / len(parts))
        return total

    def _wanted(self, terms: Sequence[Term], ids: Collection[str] | None) -> NDArray[np.bool_]:
        asked = set(ids) if ids is not None else None
        examples = {term.video for term in terms if term.video is not None}
        return np.array(
            [(asked is None or name in asked) and name not in examples for name in self._layout.ids], dtype=np.bool_
        )

    def _times_of(self, video_id: str) -> NDArray[np.float32]:
        moments = self._store.read_timestamps([video_id])
        return np.column_stack([moments, self._store.read_spans([video_id])])

    def _part(self, term: Term) -> _Part:
        if term.text is not None:
            return self._part_of_text(term.text)
        if term.picture is not None:
            return _alone(self._encode_picture(term.picture))
        assert term.video is not None
        if term.video in self._store:
            found = self._store.read(term.video)
            return _alone(_direction(found.vectors, found.timestamps_s, term))
        return _alone(self._embed_file(term))

    def _part_of_text(self, text: str) -> _Part:
        identity, offset = _part_with_texts(self.provenance)
        if has_imagenet_words(identity):
            self._words = self._words or ImagenetWords(identity.model)
            directions, weights, words = self._words.directions(text)
            return _Part(self._padded(directions, offset), weights, is_cosine=False, words=words)
        if self._texts is None:
            config = self.config
            self._texts = load_text_encoder(identity, pretrained=config.pretrained, device=config.device)
        return _alone(self._padded(self._texts.encode_texts([text]), offset)[0])

    def _padded(self, directions: NDArray[np.float32], offset: int) -> NDArray[np.float32]:
        """Return directions (K, D) that are 0 outside the part of a joined store that begins at an offset."""
        padded = np.zeros((len(directions), self._store.dimension), np.float32)
        padded[:, offset : offset + directions.shape[1]] = directions
        return padded

    def _encode_picture(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        encoder = self._loaded()
        pixels = encoder.identity.preprocessing.apply(picture)
        clip = np.repeat(pixels[None, None], encoder.identity.window, axis=1)  # for a model of clips, it stands still
        return np.asarray(encoder.encode(clip)[0], dtype=np.float32)

    def _embed_file(self, term: Term) -> NDArray[np.float32]:
        """Return the direction of a video file, embedded as the store's videos were."""
        assert term.video is not None
        if not Path(term.video).is_file():
            raise SourceError(
                f"{term.video!r} is neither the id of a video in {self.path} nor a file. inspect-embeddings --list "
                "shows the ids."
            )
        encoder, config = self._loaded(), EmbedConfig.from_provenance(self.provenance, device=self.config.device)
        with temporary_folder("search") as folder:
            summary = embed_videos(term.video, folder / "example.h5", config, encoder=encoder)
            if summary.failures:
                raise SourceError(f"{term.video} cannot be read: {summary.failures[0].detail}. Name another video.")
            with EmbeddingStore(folder / "example.h5") as store:
                found = store.read(store.ids[0])
        return _direction(found.vectors, found.timestamps_s, term)

    def _loaded(self) -> Encoder:
        if self.provenance.parts:
            models = " and ".join(part.encoder.model for part in self.provenance.parts)
            raise EncoderError(
                f"The store was joined of vectors of {models}, so a picture or a new video has no vector in it. Search "
                "for a video of the store, or for a text; or search one of the stores that it was joined of."
            )
        if self._encoder is None and self._texts is not None:
            self._encoder = self._texts
        if self._encoder is None:
            embedding = EmbedConfig.from_provenance(
                self.provenance, pretrained=self.config.pretrained, device=self.config.device
            )
            identity = self.provenance.encoder
            encoder = load_configured(embedding, window=identity.window)
            difference = Provenance(encoder.identity, {}).difference(Provenance(identity, {}))
            if difference:
                raise EncoderError(
                    f"The {identity.model} here did not make the store's vectors: its {difference}. Name the "
                    "checkpoint that did with --pretrained."
                )
            self._encoder = encoder
        return self._encoder


def search_store(
    store: str | Path,
    terms: Sequence[Term],
    config: SearchConfig | None = None,
    *,
    ids: Collection[str] | None = None,
    is_wanted: Callable[[str], bool] | None = None,
) -> SearchResult:
    """Search a store once: `VideoSearcher.search`, without keeping rows in memory.

    Args:
        store: its path.
        terms: what to search for.
        config: settings.
        ids: only these videos may be hits; None is all.
        is_wanted: only videos for whose id it returns True may be hits.
    """
    config = config or SearchConfig(keep_bytes=0)
    with VideoSearcher(store, config) as searcher:
        if is_wanted is not None:
            ids = [name for name in searcher.list_ids() if is_wanted(name) and (ids is None or name in ids)]
        return searcher.search(terms, ids=ids)


def _how(terms: Sequence[Term], *, with_words: bool) -> str:
    if len(terms) > 1:
        return f"{_BY_SEVERAL}, texts by {_BY_WORDS}" if with_words else _BY_SEVERAL
    if terms[0].text is None:
        return _BY_EXAMPLE
    return _BY_WORDS if with_words else _BY_TEXTS


def _alone(direction: NDArray[np.floating]) -> _Part:
    """Return the part of one direction, at length 1."""
    length = float(np.linalg.norm(direction))
    if not length:
        raise SourceError("An example has a vector of length 0, which points nowhere. Name another.")
    return _Part(np.asarray(direction / length, np.float32)[None], np.ones(1, np.float32), is_cosine=True)


def _direction(vectors: NDArray[np.floating], timestamps_s: NDArray[np.floating], term: Term) -> NDArray[np.float32]:
    """Return the mean direction of a video's vectors (T, D), or of those nearest to the term's moment."""
    rows = vectors.astype(np.float32)
    if term.at_s is not None:
        apart_s = np.abs(timestamps_s - term.at_s)
        rows = rows[apart_s == apart_s.min()]
    return np.asarray(to_unit_length(rows).mean(axis=0), np.float32)


def _standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return columns of scores (R, K) with mean 0 and deviation 1; a constant one becomes 0."""
    deviation = scores.std(axis=0, dtype=np.float64)
    centred = scores - scores.mean(axis=0, dtype=np.float64)
    return np.asarray(centred / np.where(deviation > 0, deviation, 1), np.float32)


def _part_with_texts(provenance: Provenance) -> tuple[Any, int]:
    """Return the encoder that may know words, and where its numbers begin in a row; of several, the first that does."""
    offset = 0
    for part in provenance.parts:
        identity = part.encoder
        if identity.family == "open_clip" or has_imagenet_words(identity):
            return identity, offset
        offset += identity.dimension
    return (provenance.parts[0] if provenance.parts else provenance).encoder, 0

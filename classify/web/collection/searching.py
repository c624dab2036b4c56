"""Search the collection by words, pictures, videos and moments (`embed.search`), one search at a time."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from classify.web.collection.collection import Collection, public_name
from embed import SearchConfig, SearchResult, Term, VideoSearcher
from embed.search import has_imagenet_words

MOST_HITS = 200
_TEXT_FAMILIES = frozenset({"open_clip"})


@final
@dataclass
class CollectionSearcher:
    """Searches the newest collection. May be asked from any thread.

    Args:
        pretrained: checkpoint file of the store's encoder, if it has moved.
        device: where texts and pictures are encoded.
    """

    pretrained: str | None
    device: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _held: tuple[Collection, VideoSearcher] | None = None

    def search(self, found: Collection, terms: Sequence[Term], *, places: NDArray[np.int64] | None) -> SearchResult:
        """Return at most `MOST_HITS` hits, the best first.

        Args:
            found: the collection.
            terms: what to search for. A video is one of the store: other names would be read as files.
            places: the videos that may be hits; None for all.

        Raises:
            EmbedError: there is nothing to search for, or a term cannot be encoded.
        """
        assert all(term.video is None or term.video in found.places_of_ids for term in terms)
        ids = None if places is None else {found.ids[place] for place in places.tolist()}
        with self._lock:
            if self._held is None or self._held[0] is not found:
                config = SearchConfig(count=MOST_HITS, pretrained=self.pretrained, device=self.device)
                self._held = found, VideoSearcher(found.store.path, config)
            return self._held[1].search(terms, ids=ids)


def text_search_of(found: Collection) -> str | None:
    """Return how words are searched: "clip", "imagenet words", or None if they are not."""
    made = found.store.provenance
    identities = [part.encoder for part in made.parts] or [made.encoder]
    if any(identity.family in _TEXT_FAMILIES for identity in identities):
        return "clip"
    has_words = any(map(has_imagenet_words, identities)) and find_spec("wordllama") is not None
    return "imagenet words" if has_words else None


def result_to_json(result: SearchResult, count: int) -> dict[str, Any]:
    """Return the best hits JSON-ready, under the names that videos have in addresses."""
    hits = [replace(hit, video_id=public_name(hit.video_id)).to_json() for hit in result.hits[:count]]
    return {**result.to_json(), "hits": hits}

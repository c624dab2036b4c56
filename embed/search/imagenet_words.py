"""Search by ImageNet words, for encoders that know no texts: the bundled EfficientNet-Lite.

Its own classifier, which lies in the installed weights, gives each row 1,000 scores, one for each class of ImageNet. A
query stands for the classes whose names and definitions are nearest to it, by word vectors that come in a package. It
finds what these classes have names for: animals, tools, vehicles, food, rooms. It is no CLIP, and knows no actions.

Sources: ImageNet's class names and definitions as timm has them (WordNet); WordLlama,
https://github.com/dleemiller/WordLlama, MIT.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from embed.encoders import class_layer, declare_missing_operators
from embed.errors import EncoderError
from embed.search.near_duplicates import to_unit_length
from embed.store import EncoderIdentity

_FAMILY = "efficientnet_lite"
_CLASSES_AT_MOST = 5
_NEAR = 0.75  # of the similarity of the nearest class: others as near count, too


def has_imagenet_words(identity: EncoderIdentity) -> bool:
    """Return True if vectors of an encoder can be searched by ImageNet words."""
    return identity.family == _FAMILY and identity.reduction is None and not identity.stop_before


@final
class ImagenetWords:
    """Words -> directions in the space of an EfficientNet-Lite.

    Args:
        model: its name.

    Raises:
        EncoderError: the package of word vectors is not installed.
    """

    def __init__(self, model: str) -> None:
        self._words, self._names, self._vectors = _class_words()
        self._layer = class_layer(model)

    def directions(self, text: str) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[str, ...]]:
        """Return (K, D) directions of the classes nearest to a text, how much each counts, (K,), and their names."""
        (query,) = to_unit_length(np.asarray(self._words.embed([text]), np.float32))
        likeness = self._vectors @ query
        order = np.argsort(-likeness)[:_CLASSES_AT_MOST]
        chosen = order[likeness[order] >= _NEAR * likeness[order[0]]]
        weights = likeness[chosen] / likeness[chosen].sum()
        names = tuple(self._names[place] for place in chosen)
        return self._layer[chosen], np.asarray(weights, np.float32), names


@lru_cache(maxsize=1)
def _class_words() -> tuple[Any, tuple[str, ...], NDArray[np.float32]]:
    """Return the word vectors, ImageNet's class names, and a vector of each class: of its name and its definition."""
    try:
        with _root_logger_kept():
            import wordllama
    except ImportError as error:
        raise EncoderError(
            "Words are searched in vectors of EfficientNet-Lite by the names of ImageNet's classes. The package for "
            "that is not installed. Install it: pip install '.[search]' in framehead's folder; or embed with CLIP."
        ) from error
    declare_missing_operators()
    from timm.data.imagenet_info import ImageNetInfo

    info: Any = ImageNetInfo("imagenet-1k")
    # Its tokenizer is in the package, in another folder than where the package looks before it would download one.
    words = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    names = tuple(str(info.index_to_description(place)).partition(",")[0] for place in range(info.num_classes()))
    whole = [str(info.index_to_description(place)) for place in range(len(names))]
    detailed = [str(info.index_to_description(place, detailed=True)) for place in range(len(names))]
    vectors = sum(to_unit_length(np.asarray(words.embed(texts), np.float32)) for texts in (whole, detailed))
    return words, names, to_unit_length(np.asarray(vectors, np.float32))


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Undo what a package does to the root logger while it is imported: wordllama shows every library's messages."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

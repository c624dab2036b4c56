"""What somebody searches for: terms, each added or subtracted.

"a dog"                          a text; plain words without quotes are one text
"a dog" + beach.jpg - "snow"     a text and a picture are added, and a text is subtracted
hug/07.avi@2.5                   a moment of a video; without @ the whole video
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from embed.errors import SourceError

_TERM = re.compile(r'\s*(?P<sign>[+-]?)\s*(?:"(?P<text>[^"]*)"|(?P<name>[^\s"]\S*))(?=\s|$)')
_PICTURES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_MOST_PIXELS = 100_000_000
"""Larger pictures are refused, before they fill the memory."""


@final
@dataclass(frozen=True)
class Term:
    """One thing to search for: exactly one of `text`, `video` and `picture` is given.

    Args:
        text: words.
        video: the id of a video in the store, or the path of a file.
        at_s: the moment of the video, in seconds on its own clock; None is the whole video.
        picture: (H, W, 3) uint8.
        sign: 1 adds the term, -1 subtracts it.
        name: what to call it in messages.
    """

    text: str | None = None
    video: str | None = None
    at_s: float | None = None
    picture: NDArray[np.uint8] | None = None
    sign: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.text, self.video, self.picture)) != 1:
            raise SourceError("A term of a search is a text, a video or a picture. Give exactly one of them.")
        if self.text is not None and not self.text.strip():
            raise SourceError("A text to search for is empty. Write what the video should show.")
        if self.sign not in (1, -1):
            raise SourceError(f"A term is added (1) or subtracted (-1), not {self.sign!r}.")


def parse_terms(query: str, *, is_known: Callable[[str], bool] = lambda _: False) -> list[Term]:
    """Return the terms of a query.

    Args:
        query: plain words, which are one text; or terms with + and - between them, texts in double quotes.
        is_known: tells whether a word names a video of the store.

    Raises:
        SourceError: the query is neither.

    >>> [(term.text, term.sign) for term in parse_terms('a dog on a beach')]
    [('a dog on a beach', 1)]
    >>> [(term.text, term.video, term.at_s, term.sign) for term in parse_terms('"a dog" - hug/07.avi@2')]
    [('a dog', None, None, 1), (None, 'hug/07.avi', 2.0, -1)]
    """
    if '"' not in query:
        return [example_term(query) if names_example(query, is_known) else Term(text=query, name=query)]
    found, place = list[Term](), 0
    while place < len(query.rstrip()):
        match = _TERM.match(query, place)
        if match is None or (found and not match["sign"]):
            raise SourceError(
                f"The query {query!r} is not understood from {query[place:].strip()!r} on. Write texts in double "
                'quotes, with files or ids of videos, and + or - between them: \'"a dog" + beach.jpg - "snow"\'.'
            )
        sign = -1 if match["sign"] == "-" else 1
        if match["text"] is not None:
            found.append(Term(text=match["text"], sign=sign, name=match["text"]))
        else:
            found.append(example_term(match["name"], sign=sign))
        place = match.end()
    return found


def names_example(word: str, is_known: Callable[[str], bool]) -> bool:
    """Return True if a word names a video or a file, and is not words to search for."""
    name, _ = _split_moment(word)
    return is_known(name) or Path(name).is_file()


def example_term(name: str, *, sign: int = 1) -> Term:
    """Return the term for an example: a picture's file, or a video with or without a moment.

    Raises:
        SourceError: a picture cannot be read, or the moment is no number.
    """
    if Path(name).suffix.lower() in _PICTURES and Path(name).is_file():
        return Term(picture=read_picture(name), sign=sign, name=name)
    video, at_s = _split_moment(name)
    return Term(video=video, at_s=at_s, sign=sign, name=name)


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture file as (H, W, 3) uint8, turned as its camera says.

    Raises:
        SourceError: it cannot be read, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise SourceError(
                    f"{path} has {picture.width:,} x {picture.height:,} pixels, and at most {_MOST_PIXELS:,} are read. "
                    "Make it smaller."
                )
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path} cannot be read as a picture: {error}. Name a JPEG or PNG file.") from error


def _split_moment(name: str) -> tuple[str, float | None]:
    """Split `VIDEO@SECONDS`. A name with another @ in it is a name."""
    video, at, seconds = name.rpartition("@")
    if not at or not re.fullmatch(r"\d+(\.\d+)?", seconds):
        return name, None
    return video, float(seconds)

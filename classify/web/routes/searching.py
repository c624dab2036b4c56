"""Search: by words, by a picture, by a video or one of its moments, added and subtracted."""

import base64
import io
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from classify.web.answers import Answer, ApiError
from classify.web.collection import MOST_HITS, Filter, list_places, result_to_json
from classify.web.routes.videos import Moment, VideoId, find_video
from classify.web.service import Service, TheService
from embed import EmbedError, Term

router = APIRouter(tags=["search"])

_MOST_TERMS = 8
_LONGEST_TEXT, _LONGEST_PICTURE = 500, 16 << 20  # characters; of a picture as base64
_MOST_PIXELS, _SIDE_PX = 40_000_000, 1024
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_LONGEST_S = 1e6
_UNREADABLE = (OSError, ValueError, SyntaxError, MemoryError)  # what Pillow raises; binascii.Error is a ValueError


class SearchTerm(BaseModel):
    """One thing to search for: exactly one of text, id and image."""

    text: str | None = Field(None, max_length=_LONGEST_TEXT)
    id: str | None = Field(None, max_length=4096, description="a video of the store")
    at_s: float | None = Field(None, ge=-_LONGEST_S, le=_LONGEST_S, description="one moment of that video")
    image: str | None = Field(None, max_length=_LONGEST_PICTURE, description="a picture as base64, or a data: address")
    sign: Literal[1, -1] = Field(1, description="-1 subtracts")


class Search(BaseModel):
    """Terms, and which videos may be hits."""

    terms: list[SearchTerm] = Field(min_length=1, max_length=_MOST_TERMS)
    count: int = Field(50, ge=1, le=MOST_HITS)
    labels: list[str] = Field(default_factory=list, max_length=500, description="with one of these labels")
    path: str = Field("", max_length=4096, description="with this text in id or path")


@router.post("/api/search", summary="Search the collection")
def search(service: TheService, asked: Search) -> Answer:
    """Return the best moments, as spans; `how` says what the scores are, `words` which class names stood for a text."""
    terms = [_term(service, term) for term in asked.terms]
    found, places = service.collection, None
    if asked.labels or asked.path:
        wanted = Filter(frozenset(asked.labels), path=asked.path)
        places = list_places(found, service.opinions, wanted, "path")
    return _answer(service, terms, asked.count, places)


@router.get("/api/video/similar", summary="Moments like a video, or like one of its moments")
def read_similar(
    service: TheService,
    id: VideoId,  # noqa: A002 - the parameter of the address
    at_s: Annotated[Moment | None, Query()] = None,
    count: Annotated[int, Query(ge=1, le=MOST_HITS)] = 12,
) -> Answer:
    """Return the most similar moments of other videos, as spans."""
    found, place = find_video(service, id)
    return _answer(service, [Term(video=found.ids[place], at_s=at_s)], count, None)


def _answer(service: Service, terms: list[Term], count: int, places: NDArray[np.int64] | None) -> Answer:
    try:
        result = service.searcher.search(service.collection, terms, places=places)
    except EmbedError as error:
        raise ApiError(422, "not_searched", str(error)) from error
    return Answer(result_to_json(result, count))


def _term(service: Service, asked: SearchTerm) -> Term:
    """Return a term whose video is one of the store."""
    if sum(value is not None for value in (asked.text, asked.id, asked.image)) != 1:
        raise ApiError(422, "invalid", "A term is a text, an id or an image. Give exactly one of them.")
    if asked.image is not None:
        return Term(picture=_picture(asked.image), sign=asked.sign)
    if asked.id is not None:
        found, place = find_video(service, asked.id)
        return Term(video=found.ids[place], at_s=asked.at_s, sign=asked.sign)
    if not (asked.text or "").strip():
        raise ApiError(422, "invalid", "The text is empty. Write what the video should show.")
    return Term(text=asked.text, sign=asked.sign)


def _picture(encoded: str) -> NDArray[np.uint8]:
    """Return a picture (H, W_px, 3), no larger than is of use to an encoder."""
    from PIL import Image, ImageOps

    try:
        content = base64.b64decode(encoded.rpartition(",")[2], validate=True)
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ApiError(
                    413,
                    "too_large",
                    f"A picture may have {_MOST_PIXELS:,} pixels. Make it smaller, then send it again.",
                )
            picture.draft("RGB", (_SIDE_PX, _SIDE_PX))
            picture.thumbnail((_SIDE_PX, _SIDE_PX))
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (*_UNREADABLE, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ApiError(
            422, "no_picture", "The image cannot be read. Send a JPEG, PNG, WebP, BMP or GIF file as base64."
        ) from error

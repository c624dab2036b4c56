"""The videos of the collection: pages of the list, one video with its timeline, its frames, and its file."""

from collections.abc import Sequence
from email.utils import formatdate
from hashlib import sha256
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Query
from fastapi.responses import FileResponse, Response

from classify.web.answers import Answer, ApiError
from classify.web.collection import (
    By,
    Collection,
    Filter,
    Opinions,
    Order,
    human_to_json,
    is_labelled,
    likeliest,
    list_places,
    novelties,
    public_name,
    timeline_of,
)
from classify.web.media import local_video
from classify.web.service import Service, TheService

router = APIRouter(tags=["videos"])

_IN_LIST, _IN_DETAIL = 5, 30  # labels of a video, beside those that it is given
_MOST_AT_ONCE = 500
_LONGEST_S = 1e6  # eleven days

VideoId = Annotated[str, Query(description="the id of a video of the store", max_length=4096)]
Moment = Annotated[float, Query(ge=-_LONGEST_S, le=_LONGEST_S, description="seconds on the clock of the file")]


@router.get("/api/videos", summary="Videos, filtered and sorted")
def list_videos(
    service: TheService,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_AT_ONCE)] = 60,
    ids: Annotated[list[str] | None, Query(description="these videos alone, in this order", max_length=500)] = None,
    labels: Annotated[list[str] | None, Query(description="one of these labels; commas part them, too")] = None,
    by: Annotated[By, Query(description="whose labels count")] = "either",
    unlabelled: Annotated[bool, Query(description="those alone that nobody has labelled")] = False,
    path: Annotated[str, Query(description="a part of id or path", max_length=4096)] = "",
    sort: Annotated[Order, Query()] = "path",
    descending: bool = False,
) -> Answer:
    """Return a page of the list, and how many videos fit in all; `total` is at most 500 of those named by `ids`."""
    found, opinions = service.collection, service.opinions
    if ids:
        places = np.array([found.places[one] for one in ids if one in found.places], dtype=np.int64)
    else:
        wanted = Filter(_labels_of(labels), by, unlabelled, path)
        places = list_places(found, opinions, wanted, sort, descending=descending)
    shown = places[offset : offset + limit].tolist()
    return Answer({"total": len(places), "videos": describe_videos(service, found, shown)})


@router.get("/api/video", summary="One video with its timeline and moments")
def read_video(service: TheService, id: VideoId) -> Answer:  # noqa: A002 - the parameter of the address
    """Return what the list has of it, and what speaks for each label at each moment."""
    found, place = find_video(service, id)
    (facts,) = describe_videos(service, found, [place], count=_IN_DETAIL)
    record = found.record(place)
    evidence = found.evidence(place)
    return Answer(
        {
            **facts,
            "width": record.width_px,
            "height": record.height_px,
            **timeline_of(evidence, found.classifier.thresholds, [one["label"] for one in facts["predicted"]]),
        }
    )


@router.get("/api/video/frame", summary="A frame as a JPEG", response_class=Response)
def read_frame(
    service: TheService,
    id: VideoId,  # noqa: A002
    at_s: Moment = 0.0,
    width: Annotated[int, Query(ge=16, le=1920, description="greatest width in pixels")] = 320,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return the frame that is shown at a moment. The browser may keep it."""
    found, place = find_video(service, id)
    path, _, status = local_video(found.locations[place])
    said = f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{at_s:.2f}\0{width}"
    headers = {
        "ETag": f'"{sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:32]}"',
        "Cache-Control": "private, max-age=3600",
    }
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(service.frames.read(path, status, at_s, width), media_type="image/jpeg", headers=headers)


@router.get("/api/video/file", summary="The file, whole or in ranges", response_class=FileResponse)
@router.head("/api/video/file", include_in_schema=False)
def read_file(service: TheService, id: VideoId) -> FileResponse:  # noqa: A002
    """Return the video's file for a player. Ranges, suffix ranges and If-Range are those of RFC 9110, section 14."""
    found, place = find_video(service, id)
    path, kind, status = local_video(found.locations[place])
    headers = {"Cache-Control": "private, no-cache", "Last-Modified": formatdate(status.st_mtime, usegmt=True)}
    return FileResponse(path, media_type=kind, stat_result=status, headers=headers)


def find_video(service: Service, name: str) -> tuple[Collection, int]:
    """Return the collection, and the place of a video in it.

    Raises:
        ApiError: there is no such video.
    """
    found = service.collection
    place = found.places.get(name)
    if place is None:
        raise ApiError(404, "no_such_video", "The store has no video of this id. List them with /api/videos.")
    return found, place


def describe_videos(
    service: Service, found: Collection, places: Sequence[int], *, count: int = _IN_LIST
) -> list[dict[str, Any]]:
    """Return videos JSON-ready, with what the head says and what people say."""
    opinions: Opinions = service.opinions
    novelty = novelties(found, is_labelled(found, opinions), places) if places else np.zeros(0)
    durations_s = found.store.durations_s
    return [
        {
            "id": public_name(found.ids[place]),
            "path": found.locations[place],
            "duration_s": round(float(durations_s[place]), 3),
            "predicted": likeliest(found.names, found.probabilities[place], found.given[place], count),
            "given": found.labels[place],
            "human": human_to_json(opinions.get(found.ids[place])),
            "doubt": round(float(found.doubts[place]), 4),
            "novelty": round(float(unlike), 4),
        }
        for place, unlike in zip(places, novelty, strict=True)
    ]


def _labels_of(given: Sequence[str] | None) -> frozenset[str]:
    """Return labels that stand one by one or with commas between them; a label may itself have a comma."""
    return frozenset(part for whole in given or () for part in (whole, *whole.split(",")) if part)

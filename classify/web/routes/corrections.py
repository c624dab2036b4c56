"""What people say of videos: give labels, take them back, and read all of it."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from classify.corrections import Correction
from classify.errors import LabelError
from classify.web.answers import Answer, ApiError
from classify.web.collection import human_to_json, public_name
from classify.web.routes.videos import find_video
from classify.web.service import Service, TheService

router = APIRouter(tags=["corrections"])

_MOST_CHANGES, _MOST_LABELS = 10_000, 200


class Change(BaseModel):
    """The labels of one video."""

    id: str = Field(max_length=4096, description="the video")
    labels: list[str] | None = Field(
        max_length=_MOST_LABELS, description="its labels; [] for none of them, null for no opinion any more"
    )


class Corrections(BaseModel):
    """What is said together, and undone together."""

    changes: list[Change] = Field(min_length=1, max_length=_MOST_CHANGES)
    who: str = Field("", max_length=200, description="who says so")


class Undo(BaseModel):
    """Which batch is taken back."""

    batch: int = Field(ge=1, le=2**53)
    who: str = Field("", max_length=200)


@router.post("/api/corrections", summary="Say what videos show")
def correct(service: TheService, said: Corrections) -> Answer:
    """Store labels of videos. Nothing is overwritten: the log keeps who said what, when."""
    corrections = [_correction(service, change) for change in said.changes]
    try:
        batch = service.corrections.append(corrections, who=said.who)
    except LabelError as error:
        raise _refused(error) from error
    return _told(service, batch, [correction.video_id for correction in corrections])


@router.post("/api/corrections/undo", summary="Take a batch back")
def undo(service: TheService, said: Undo) -> Answer:
    """Take back what was said together. The answer's batch is that of the undoing: undo it to redo."""
    ids = [one.video_id for one in service.corrections.history() if one.batch == said.batch]
    try:
        batch = service.corrections.undo(said.batch, who=said.who)
    except LabelError as error:
        raise _refused(error) from error
    return _told(service, batch, ids)


@router.get("/api/corrections", summary="What holds now")
def read_corrections(service: TheService) -> Answer:
    """Return the corrections that hold, by video."""
    return Answer({"corrections": _humans(service, service.opinions)})


@router.get("/api/corrections.csv", summary="What holds now, as a label file", response_class=PlainTextResponse)
def read_label_file(service: TheService) -> PlainTextResponse:
    """Return a label file that split-videos and train-head take as --labels."""
    headers = {"Content-Disposition": 'attachment; filename="corrections.csv"'}
    content = service.corrections.to_csv().encode("utf-8", "surrogateescape")
    return PlainTextResponse(content, media_type="text/csv; charset=utf-8", headers=headers)


def _correction(service: Service, change: Change) -> Correction:
    found, place = find_video(service, change.id)
    record = found.record(place)
    labels = None if change.labels is None else tuple(change.labels)
    return Correction(record.id, labels, record.content_hash)


def _told(service: Service, batch: int, ids: Iterable[str]) -> Answer:
    service.opinion_cache.forget()
    return Answer({"batch": batch, "corrected": _humans(service, dict.fromkeys(ids))})


def _humans(service: Service, ids: Iterable[str]) -> list[dict[str, Any]]:
    opinions = service.opinions
    return [{"id": public_name(one), "human": human_to_json(opinions.get(one))} for one in ids]


def _refused(error: LabelError) -> ApiError:
    return ApiError(422, "not_stored", str(error))

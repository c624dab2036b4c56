"""Label uploads: send files, wait for their labels or follow the job."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from classify.web.answers import Answer, ApiError
from classify.web.service import Service, TheService
from classify.web.tagging import Job, receive_files

router = APIRouter(tags=["tagging"])

_BEAT_S = 15.0  # between two signs of life of a stream in which nothing happens
_LOOK_S = 1.0  # between two looks whether a visitor who waits is still there
_DRAINED_BYTES, _DRAINED_S = 16 << 20, 3.0

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            }
        },
    }
}


@router.post("/api/predict", summary="Label videos that are sent", openapi_extra=_FORM)
async def predict(
    request: Request,
    service: TheService,
    wait: Annotated[bool, Query(description="False answers at once, with a job to follow")] = True,
) -> Answer:
    """Label one video or several. Each is decoded, embedded, labelled, and deleted."""
    try:
        with service.tagger.admit():
            files = await receive_files(request, service.uploads, service.config.limits)
    except ApiError as error:
        if error.status != 408:
            await _drain(request)
        raise
    job = service.tagger.submit(files)
    if not wait:
        return Answer({"job": job.key}, 202, {"Location": f"/api/jobs/{job.key}"})
    await _wait(request, service, job)
    if len(job.files) == 1 and job.files[0].error is not None:
        raise job.files[0].error
    return Answer({"videos": [_outcome(file) for file in job.to_json()["files"]]})


@router.get("/api/jobs/{key}", summary="What has become of a job")
def read_job(service: TheService, key: str) -> Answer:
    """Return the state of each file, with its labels once it is done."""
    job = service.tagger.job(key)
    return Answer(job.to_json(service.tagger.ahead_of(job)))


@router.delete("/api/jobs/{key}", summary="Cancel a job")
def cancel_job(service: TheService, key: str) -> Answer:
    """End what has not ended, and delete the files."""
    job = service.tagger.job(key)
    service.tagger.cancel(job)
    return Answer(job.to_json())


@router.get("/api/jobs/{key}/events", summary="Follow a job", response_class=StreamingResponse)
async def follow_job(service: TheService, key: str) -> StreamingResponse:
    """Stream the job's state after each change, as server-sent events, until it ends."""
    job = service.tagger.job(key)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(service, job), media_type="text/event-stream", headers=headers)


async def _events(service: Service, job: Job) -> AsyncIterator[str]:
    with job.listen() as news:
        while True:
            has_ended = job.has_ended  # looked at before the state is told, so that the end is told, too
            yield f"data: {json.dumps(job.to_json(service.tagger.ahead_of(job)))}\n\n"
            if has_ended:
                return
            while not await news.wait(_BEAT_S):
                yield ": still there\n\n"


async def _wait(request: Request, service: Service, job: Job) -> None:
    """Wait until a job has ended; cancel it if the visitor goes."""
    with job.listen() as news:
        while not job.has_ended:
            if not await news.wait(_LOOK_S) and await request.is_disconnected():
                service.tagger.cancel(job)


def _outcome(file: dict[str, Any]) -> dict[str, Any]:
    """Return what became of one of several files."""
    return file.get("result") or {"name": file["name"], "error": file.get("error")}


async def _drain(request: Request) -> None:
    """Read on for a moment: a browser that still sends would not see the answer."""
    received = 0
    try:
        async with asyncio.timeout(_DRAINED_S):
            async for chunk in request.stream():
                received += len(chunk)
                if received > _DRAINED_BYTES:
                    return
    except (TimeoutError, RuntimeError, ClientDisconnect):  # the second, where the body has been read before
        return

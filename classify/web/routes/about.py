"""What the server is, and how it does: its state, labels, health and metrics."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from classify.web.answers import Answer
from classify.web.collection import Collection, human_labels, text_search_of
from classify.web.service import TheService

router = APIRouter(tags=["about"])


@router.get("/api/status", summary="State, head, store, limits")
def read_status(service: TheService) -> Answer:
    """Answer at any time, also while the head loads; `state` is loading, ready or failed."""
    library, limits = service.library, service.config.limits
    found = library.collection if library.state == "ready" else None
    return Answer(
        {
            "state": library.state,
            "message": library.message,
            "head": None if found is None else head_facts(found),
            "store": None if found is None else _store_facts(found),
            "uploads": {"is_ready": service.tagger.is_ready, "message": service.tagger.why_not_now},
            "search": {"text": None if found is None else text_search_of(found), "image": service.tagger.is_ready},
            "limits": {
                "upload_bytes": limits.upload_bytes,
                "duration_s": limits.duration_s,
                "files": limits.files,
            },
            "thresholds": None if found is None else found.classifier.thresholds,
        }
    )


@router.get("/api/labels", summary="Labels that the head knows, with counts")
def read_labels(service: TheService) -> Answer:
    """Return how many videos the head gives each label, and how many people gave it."""
    found, opinions = service.collection, service.opinions
    said: dict[str, int] = {}
    for place in range(len(found.ids)):
        for label in human_labels(found, opinions, place) or ():
            said[label] = said.get(label, 0) + 1
    counts = dict(zip(found.names, found.given.sum(axis=0).tolist(), strict=True))
    names = [*found.names, *sorted(said.keys() - set(found.names))]
    return Answer(
        {"labels": [{"label": one, "predicted": counts.get(one, 0), "human": said.get(one, 0)} for one in names]}
    )


@router.get("/healthz", summary="200 as long as the server runs")
def read_health(service: TheService) -> Answer:
    """Say only that the server runs, and its state; it asks for no token."""
    return Answer({"state": service.library.state})


@router.get("/metrics", summary="Counters for Prometheus", response_class=PlainTextResponse)
def read_metrics(service: TheService) -> PlainTextResponse:
    """Return the server's counters in Prometheus's text format."""
    return PlainTextResponse(service.metrics.to_text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def head_facts(found: Collection) -> dict[str, Any]:
    """Return what the page says of the head."""
    return {
        "name": found.head.name,
        "version": None,
        "arch": found.classifier.config.arch,
        "labels": found.names,
        "is_multi_label": found.classifier.thresholds is not None,
    }


def _store_facts(found: Collection) -> dict[str, Any]:
    return {
        "videos": len(found.ids),
        "vectors": int(found.store.row_counts.sum()),
        "model": found.store.provenance.encoder.model,
    }

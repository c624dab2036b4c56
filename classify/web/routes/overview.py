"""The collection and the model as a whole: the map and the card."""

import base64

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray

from classify.web.answers import Answer
from classify.web.collection import labels_on_map, public_name, read_card
from classify.web.service import TheService

router = APIRouter(tags=["overview"])


@router.get("/api/map", summary="Moments as points of a plane")
def read_map(service: TheService) -> Answer:
    """Return at most 100,000 moments. Arrays are base64 of little-endian numbers.

    `video` is uint32, a place in `ids`; `at_s` float32; `xy` float32, two a point; `label` int16, a place in `labels`,
    or -1.
    """
    found = service.collection
    drawn = service.map_of(found)
    labels, label_of = labels_on_map(found, service.opinions)
    return Answer(
        {
            "ids": [public_name(video_id) for video_id in found.ids],
            "labels": labels,
            "how": "PCA",
            "total": drawn.total,
            "count": len(drawn.places),
            "video": _packed(drawn.places.astype("<u4")),
            "at_s": _packed(drawn.at_s.astype("<f4")),
            "xy": _packed(drawn.xy.astype("<f4")),
            "label": _packed(label_of[drawn.places].astype("<i2")),
        }
    )


@router.get("/api/card", summary="What the model is, and how good")
def read_the_card(service: TheService) -> Answer:
    """Return what train-head wrote beside the head: its report, history, and labels that are probably wrong."""
    return Answer(read_card(service.collection))


def _packed(numbers: NDArray[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).tobytes()).decode("ascii")

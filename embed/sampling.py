"""Which frames of a video are embedded: Timeline -> frame indices (T, W).

T is the number of vectors, W the frames behind one vector (1 for image encoders). Indices count shown frames from 0.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embed.timeline import Timeline


class Sampling(Protocol):
    """A rule that picks frames."""

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, W) indices of the frames to embed, ascending in T."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description with the rule's `name`; `sampling_from_json` reads it."""
        ...


@dataclass(frozen=True)
class UniformFrames:
    """The frame at the centre of each of `frame_count` equal parts of the video.

    The parts are equal in shown frames, as the packets tell them: of F frames, part i gives frame
    floor((2i + 1) F / (2 frame_count)). A video of no more than `frame_count` frames gives each frame once, so no
    frame is ever embedded twice and sequences vary in length.

    >>> UniformFrames(4).choose(8).tolist()
    [1, 3, 5, 7]
    >>> UniformFrames(3).choose(10).tolist()
    [1, 5, 8]
    >>> UniformFrames(4).choose(3).tolist()
    [0, 1, 2]
    """

    frame_count: int = 100

    def __post_init__(self) -> None:
        if self.frame_count < 1:
            raise ValueError(f"frame_count is at least 1, got {self.frame_count}")

    def choose(self, available: int) -> NDArray[np.int64]:
        """Return the (T,) frames chosen of `available` ones."""
        if available <= self.frame_count:
            return np.arange(available, dtype=np.int64)
        parts = np.arange(self.frame_count, dtype=np.int64)
        return (2 * parts + 1) * available // (2 * self.frame_count)

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return the (T, 1) indices of the frames to embed."""
        return self.choose(timeline.frame_count)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {"name": "uniform", **asdict(self)}


_SAMPLINGS = {"uniform": UniformFrames}


def sampling_from_json(description: Mapping[str, Any]) -> Sampling:
    """Build the rule that `to_json` described.

    Raises:
        ValueError: the name is unknown.
    """
    fields = dict(description)
    name = fields.pop("name", None)
    if name not in _SAMPLINGS:
        raise ValueError(f"unknown sampling {name!r}; known are {', '.join(_SAMPLINGS)}")
    return _SAMPLINGS[name](**fields)

"""Logits and probabilities of videos, without dropout.

If videos have several views, probabilities are the mean over all views.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classify.errors import ClassifyError
from classify.heads import StandardisedHead
from classify.training.batches import VideoBatch, Videos
from classify.training.device_sets import BatchSource, place_videos
from classify.training.devices import explained_memory, find_device
from classify.training.mixup import Step, views_of
from classify.training.objective import Objective


def predict_probabilities(
    head: StandardisedHead, videos: Videos, thresholds: tuple[float, ...] | None, *, device: str = "auto"
) -> NDArray[np.float32]:
    """Return the probability of each label for each video.

    Args:
        head: moved to the device, and back afterwards.
        videos: N videos, 1 or more.
        thresholds: as in `TrainingRun`. None means one label for each video, so probabilities sum to 1.
        device: as in `TrainConfig`.

    Returns:
        (N, C) float32.

    Raises:
        ClassifyError: the logits of a video are not finite, because its vectors are not.
        TrainError: this machine does not have the device, or the memory is full.
    """
    place, before = find_device(device), head.mean.device
    objective, indices = Objective(thresholds is not None), np.arange(len(videos))
    try:
        with explained_memory():
            data = place_videos(videos, head.to(place), place)
            logits, _ = _logits(head, data, views_of(indices, videos.view_count))
            _refuse_infinite(logits, videos)
            return objective.probabilities(objective.average(logits, videos.view_count))
    finally:
        head.to(before)


def head_logits(head: StandardisedHead, batch: VideoBatch) -> Tensor:
    """Return the logits (B, C) of a batch."""
    if batch.mask is None:
        return head.classify(batch.vectors)
    logits: Tensor = head(batch.vectors, batch.mask, batch.timestamps_s)
    return logits


def view_logits(
    head: StandardisedHead, data: BatchSource, indices: NDArray[np.int64], objective: Objective, view_count: int
) -> tuple[Tensor, Tensor]:
    """Return logits (n, C) of the mean probabilities of each video's views, and targets (n, C)."""
    logits, targets = _logits(head, data, views_of(indices, view_count))
    return objective.average(logits, view_count), targets[::view_count]


def _refuse_infinite(logits: Tensor, videos: Videos) -> None:
    """Raise ClassifyError if logits (N x V, C) are not finite. Probabilities would hide infinite ones."""
    broken = ~logits.isfinite().all(dim=1)
    if broken.any():
        video_id = videos.ids[int(broken.nonzero()[0]) // videos.view_count]
        raise ClassifyError(
            f"The head returns no finite logits for the video {video_id!r}: its vectors contain NaN or infinity, or "
            "the head's weights do. Embed the video again or leave it out. If all videos fail, train the head again."
        )


@torch.inference_mode()
def _logits(head: StandardisedHead, data: BatchSource, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return logits (n, C) and targets (n, C) of the views at the indices, without dropout."""
    head.eval()
    batches = data.batches([Step(block) for block in data.blocks(indices)])
    found = [(head_logits(head, batch), batch.targets) for batch in batches]
    return torch.cat([logits for logits, _ in found]), torch.cat([targets for _, targets in found])

"""Measure how much a lower precision changes vectors, on the user's own frames, before any vector is stored."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from embed.decode_pool import DecodedVideo, DecodeLimits, DecodePlan, DecodePool
from embed.encoders import Encoder, suited_batch_size
from embed.errors import EncoderError
from embed.run.config import window_of
from embed.sources import FetchConfig, Fetcher, Video
from embed.store import EncoderIdentity, Fidelity
from embed.video import Clips, UniformFrames

LEAST_COSINE = 0.999
"""A precision is refused if the cosine of any frame to float32 is lower."""

_VIDEO_COUNT = 4
_MOST_VIDEOS = 64
_FRAMES_A_VIDEO, _CLIPS_A_VIDEO = 8, 2


def first_frames(
    videos: Iterable[Video], plan: DecodePlan, limits: DecodeLimits, *, public_only: bool = False
) -> NDArray[np.uint8] | None:
    """Decode eight evenly spaced frames, or two clips, of each of the first four videos that can be decoded.

    Args:
        videos: tried in order until four are decoded, at most 64 of them, for lists that begin with dead links.
        plan: how each is decoded; of its sampling only W counts.
        limits: what each may take. Its server may be silent for that many seconds.
        public_only: True fetches from public hosts only.

    Returns:
        (B, W, side_px, side_px, 3) uint8; None if no video can be decoded. Then nothing is measured, and vectors are
        stored in the requested precision anyway.
    """
    window = window_of(plan.sampling) or 1
    sampling = UniformFrames(_FRAMES_A_VIDEO) if window == 1 else Clips(window, clip_count=_CLIPS_A_VIDEO)
    plan = replace(plan, sampling=sampling)
    with ExitStack() as stack:
        fetching = FetchConfig.patient_for(limits.timeout_s, public_only=public_only)
        fetcher = stack.enter_context(Fetcher(replace(fetching, ahead_files=1)))
        pool = stack.enter_context(DecodePool(plan, workers=1, limits=limits, fetch=fetcher.local_file))
        results = pool.decode(fetcher.ahead(islice(videos, _MOST_VIDEOS)))
        decoded = (result.rgb for result in results if isinstance(result, DecodedVideo))
        found = list(islice(decoded, _VIDEO_COUNT))
    return np.concatenate(found) if found else None


def measure_fidelity(encoder: Encoder, reference: Encoder, rgb: NDArray[np.uint8]) -> Fidelity:
    """Encode frames twice and compare the vectors.

    Args:
        encoder: an encoder of lower precision.
        reference: the same encoder in float32.
        rgb: (B, W, side_px, side_px, 3) uint8.
    """
    ours, theirs = _encoded(encoder, rgb), _encoded(reference, rgb)
    cosines = (ours * theirs).sum(1) / (np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1))
    return Fidelity(len(rgb), float(cosines.min()), float(cosines.mean()))


def _encoded(encoder: Encoder, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(B, W, side_px, side_px, 3) -> (B, D), in batches that suit the encoder, as its memory may hold no more."""
    at_once = suited_batch_size(encoder)
    return np.concatenate([encoder.encode(rgb[first : first + at_once]) for first in range(0, len(rgb), at_once)])


def is_faithful(fidelity: Fidelity) -> bool:
    """Return True if every frame's cosine is at least `LEAST_COSINE`; False if one is NaN."""
    return fidelity.cosine_min >= LEAST_COSINE


def too_unfaithful(fidelity: Fidelity, identity: EncoderIdentity) -> EncoderError:
    """Return the error with the measured figures."""
    return EncoderError(
        f"{identity.precision} changes the vectors of {identity.model} too much: on {fidelity.frame_count} of your "
        f"frames their cosine to float32 is {fidelity.cosine_min:.4f} at worst and {fidelity.cosine_mean:.4f} on "
        f"average, and each must be at least {LEAST_COSINE}. Use --precision float32."
    )

"""An encoder is tried before the first vector of a store: different frames differ, a frame is the same twice.

Runtimes were seen that gave one vector for every image. Nothing else would tell: heads would train, and learn nothing.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed.encoders import Encoder, frames_for
from embed.errors import EncoderError
from embed.store import Provenance, library_versions

_SAME = 0.999
"""Least cosine between the vectors of one frame in one batch."""


def check_encoder_itself(encoder: Encoder) -> str:
    """Encode three made frames, or clips, of which two are equal, and return what identifies the vector of the first.

    Returns:
        sha256 of the vector as little-endian float16. It tells whether two machines compute the same to the last bit.

    Raises:
        EncoderError: the vectors cannot be right; the message says why.
    """
    rgb = frames_for(encoder, 2)[[0, 1, 0]]
    vectors = np.asarray(encoder.encode(rgb), dtype=np.float64)
    name = encoder.identity.model
    advice = "Try --device cpu and --precision float32; if the fault stays, the weights or a library are broken"
    if not np.isfinite(vectors).all():
        raise EncoderError(f"{name} gives values that are not finite for made frames. {advice}.")
    if np.abs(vectors).max() > np.finfo(np.float16).max:
        raise EncoderError(f"{name} gives values beyond float16, which ends at 65,504, for made frames. {advice}.")
    rows = vectors.astype("<f2")  # as a store takes them
    if np.array_equal(rows[0], rows[1]):
        raise EncoderError(f"{name} gives the same vector for two different frames. {advice}.")
    cosine = _cosine(vectors[0], vectors[2])
    if cosine < _SAME:
        raise EncoderError(f"{name} gives two vectors for one frame (cosine {cosine:.4f}). {advice}.")
    return hashlib.sha256(rows[0].tobytes()).hexdigest()


def compare_with_store(encoder: Encoder, device: str, made: Provenance) -> str:
    """Encode the made frames again where a store is continued, and return what differs from when it was made.

    Returns:
        "" if nothing does, or if no vector was made on this device.

    Raises:
        EncoderError: as for `check_encoder_itself`.
    """
    name = name_device(device)
    if name not in made.references or made.references[name] == check_encoder_itself(encoder):
        return ""
    then, now = made.versions, library_versions()
    changed = [f"{one} {then[one]}, now {now[one]}" for one in now if one in then and then[one] != now[one]]
    with_others = f" (with {'; '.join(changed)})" if changed else ""
    return (
        f"{encoder.identity.model} gave another vector for the same made frame on this device when the store was "
        f"made{with_others}. New rows may differ from the store's in their last digits, or by more. To be sure, embed "
        "all videos into another store."
    )


def name_device(device: str) -> str:
    """Return what computes on a torch device, by the name that its maker gave it."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return device
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found and device == "cpu" else device


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / lengths) if lengths else float(np.array_equal(one, other))

"""Decode on the video engine of an NVIDIA GPU (NVDEC), to the very pixels that the CPU gives.

Through the FFmpeg that PyAV brings along: packets are planned, sent and matched as everywhere, and only the decoder's
arithmetic moves. H.264, HEVC, VP8 and VP9 are specified to the bit, so that engine and CPU agree. The wanted frames
alone leave the GPU; their planes are then turned to RGB by `embed.pictures`, as everywhere. So vectors of both may
stand in one store. One thing differs: the engine does not say where a stream is damaged.

All else is decoded on the CPU, and the reason told. AV1 is: FFmpeg prefers dav1d for it, which knows no GPU.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from embed.decoding import Frames, frames_of, shown_by_plan, shown_in_order
from embed.errors import VideoError
from embed.pictures import PLANES_OF
from embed.planning import plan_packets
from embed.preprocessing import Preprocessing
from embed.sampling import Sampling
from embed.timeline import open_video, read_packets

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

_CODECS = ("h264", "hevc", "vp8", "vp9")
_THREAD_COUNT = 1  # the engine does the work: a decoder's threads would only take turns at it
_PIXEL_FORMATS = ("yuvj420p", *PLANES_OF.values())


def read_frames_by_nvdec(path: str, sampling: Sampling, preprocessing: Preprocessing | None = None) -> Frames | str:
    """Decode the frames of a local video that a sampling rule chooses, or say why the CPU must.

    Args:
        path: a local file.
        sampling: which frames.
        preprocessing: applied to each frame; None keeps the frames at their own size.

    Raises:
        VideoError: the file is no video, which the CPU would not change.
    """
    why_not = why_no_gpu() or why_not_this(path)
    if why_not:
        return why_not
    packets = read_packets(path)
    indices = sampling.indices(packets.timeline)
    wanted = frozenset(indices.ravel().tolist())
    plan = plan_packets(packets, np.unique(indices))
    if plan is None:
        shown = shown_in_order(path, packets.timeline, wanted, _THREAD_COUNT, accelerator=_accelerator())
    else:
        shown = shown_by_plan(path, packets, plan, wanted, _THREAD_COUNT, accelerator=_accelerator())
    try:
        return frames_of(packets.timeline, indices, shown, preprocessing) or "NVDEC does not give all its frames"
    except VideoError as error:
        return f"NVDEC does not decode it: {error.__cause__}"


def why_no_gpu() -> str | None:
    """Say why this machine has no NVDEC; None where it has."""
    gpu = _gpu()
    return gpu if isinstance(gpu, str) else None


def why_not_this(path: str) -> str | None:
    """Say why a video is not for NVDEC; None where it is.

    Raises:
        VideoError: the file is no video.
    """
    with open_video(path) as (_, stream):
        codec, pixel_format = stream.codec.name, stream.codec_context.pix_fmt
    if codec not in _CODECS:
        return f"NVDEC is used for {', '.join(_CODECS)}, not for {codec}"
    if pixel_format not in _PIXEL_FORMATS:
        return f"NVDEC is used for 4:2:0 in 8 or 10 bits, not for {pixel_format}"
    return None


@cache
def _gpu() -> "HWAccel | str":
    """Open the GPU, and keep it open as long as this process lives, since that takes long; or say why there is none."""
    import av

    try:
        return _accelerator().create(av.Codec("h264", "r"))
    except (av.FFmpegError, OSError, NotImplementedError) as error:
        return f"FFmpeg finds no NVIDIA GPU with a video engine here ({error})"


def _accelerator() -> "HWAccel":
    """Return how FFmpeg is to decode: on the GPU or not at all, and frames stay there until they are read."""
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=False, is_hw_owned=True)

"""Decode on the video engine of an NVIDIA GPU (NVDEC), to the very pixels that the CPU gives.

Through the FFmpeg that PyAV brings along: packets are planned, sent and matched as everywhere, and only the decoder's
arithmetic moves. H.264, HEVC, VP8 and VP9 are specified to the bit, so that engine and CPU agree. The wanted frames
alone leave the GPU; their planes are then turned to RGB by `embed.video.pictures`, as everywhere. So vectors of both
may stand in one store. One thing differs: the engine does not say where a stream is damaged.

All else is decoded on the CPU, and the reason told. AV1 is: FFmpeg prefers dav1d for it, which knows no GPU.
"""

from collections.abc import Generator
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from embed.errors import VideoError
from embed.video.decoders import has_alpha_beside
from embed.video.decoding import Frames, ShownFrame, frames_of, shown_by_plan, shown_in_order
from embed.video.pictures import PLANES_OF, PictureReader
from embed.video.planning import plan_packets
from embed.video.preprocessing import FrameCut
from embed.video.sampling import Sampling
from embed.video.timeline import open_video, read_packets

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

_CODECS = ("h264", "hevc", "vp8", "vp9")
_THREAD_COUNT = 1  # the engine does the work: a decoder's threads would only take turns at it
_PIXEL_FORMATS = ("yuvj420p", *PLANES_OF.values())


def read_frames_by_nvdec(path: str, sampling: Sampling, preprocessing: FrameCut | None = None) -> Frames | str:
    """Decode the frames of a local video that a sampling rule chooses, or say why the CPU must.

    Args:
        path: a local file.
        sampling: which frames.
        preprocessing: applied to each frame; None keeps the frames at their own size.

    Raises:
        VideoError: the file is no video, which the CPU would not change.
    """
    sides_px = why_no_gpu() or nvdec_sides_px(path)
    if isinstance(sides_px, str):
        return sides_px
    packets = read_packets(path)
    indices = sampling.indices(packets.timeline)
    wanted = frozenset(indices.ravel().tolist())
    plan = plan_packets(packets, np.unique(indices))
    if plan is None:
        shown = shown_in_order(path, packets.timeline, wanted, _THREAD_COUNT, accelerator=_accelerator())
    else:
        shown = shown_by_plan(path, packets, plan, wanted, _THREAD_COUNT, accelerator=_accelerator())
    try:
        frames = frames_of(packets.timeline, indices, [_of_size(shown, sides_px)], preprocessing)
    except VideoError as error:
        return f"NVDEC does not decode it: {error.__cause__}"
    return frames or "NVDEC does not give all its frames"


def _of_size(shown: Generator[ShownFrame], sides_px: frozenset[int]) -> Generator[ShownFrame]:
    """Pass on pictures up to one of another size: on a GPU, FFmpeg leaves what a stream crops on its left and top."""
    with closing(shown):
        for index, rgb in shown:
            if sides_px != {*rgb.shape[:2]}:
                return
            yield index, rgb


def why_no_gpu() -> str | None:
    """Say why this machine has no NVDEC; None where it has."""
    gpu = _gpu()
    return gpu if isinstance(gpu, str) else None


def nvdec_sides_px(path: str) -> frozenset[int] | str:
    """Return the lengths of a picture's sides, or say why a video is not for NVDEC.

    Raises:
        VideoError: the file is no video.
    """
    with open_video(path) as (_, stream):
        if has_alpha_beside(stream):
            return "NVDEC is used for 4:2:0 in 8 or 10 bits, not for transparent WebM"
        codec, pixel_format = stream.codec.name, stream.codec_context.pix_fmt
        sides_px = frozenset(PictureReader(stream.sample_aspect_ratio).size(stream.width, stream.height))
    if codec not in _CODECS:
        return f"NVDEC is used for {', '.join(_CODECS)}, not for {codec}"
    if pixel_format not in _PIXEL_FORMATS:
        return f"NVDEC is used for 4:2:0 in 8 or 10 bits, not for {pixel_format}"
    return sides_px


@cache
def _gpu() -> "HWAccel | str":
    """Open the GPU, and keep it open as long as this process lives, since that takes long; or say why there is none."""
    import av

    try:
        return _accelerator().create(av.Codec("h264", "r"))
    except (av.FFmpegError, OSError, NotImplementedError) as error:
        cause = getattr(error, "strerror", None) or error
        return f"FFmpeg finds no NVIDIA GPU with a video engine here ({cause})"


def _accelerator() -> "HWAccel":
    """Return how FFmpeg is to decode: on the GPU or not at all, and frames stay there until they are read."""
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=False, is_hw_owned=True)

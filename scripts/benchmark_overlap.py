"""Measure what windows that overlap by half cost before they are encoded, beside windows that do not.

Both ways take turns on the same VIDEOs, so that other load affects them
equally: a worker process decodes, resizes to 224 pixels and hands over. The
ratio of CPU time is that of decoding and resizing, which other processes
change least. Megabytes are those handed over; "MB of clips" is what the clips
have, each frame as often as it is in one.

Prints a Markdown table with medians.
"""

import argparse
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

from embed.decode_pool import DecodedVideo, DecodePlan, decode_videos
from embed.sources import find_videos
from embed.video import Preprocessing, Windows

PREPROCESSING = Preprocessing(224, 256, "shortest", "bilinear", (0.45,) * 3, (0.225,) * 3, antialias=False)


def main() -> None:
    options = parse()
    plans = {
        name: DecodePlan(Windows(options.window, options.window / parts, options.clip_frames), PREPROCESSING, "pyav", 1)
        for name, parts in (("side by side", 1), ("overlapping by half", 2))
    }
    rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in plans}
    for _ in range(options.rounds + 1):
        for name, plan in plans.items():
            rounds[name].append(measure(options.videos, plan))
    print(f"{os.cpu_count()} threads, {date.today()}. Medians of {options.rounds} rounds.\n")
    print("| windows | clips | frames handed over | MB | MB of clips | CPU seconds | seconds | CPU time, ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    # The first round warms up.
    found = {name: [median(column) for column in zip(*measured[1:], strict=True)] for name, measured in rounds.items()}
    least_s = found["side by side"][4]
    for name, (clips, frames, megabytes, whole, cpu_s, seconds) in found.items():
        cells = f"{clips:,.0f} | {frames:,.0f} | {megabytes:.1f} | {whole:.1f} | {cpu_s:.2f} | {seconds:.2f}"
        print(f"| {name} | {cells} | {cpu_s / least_s:.3f} |")


def measure(videos: Sequence[str], plan: DecodePlan) -> tuple[float, ...]:
    """Return the numbers of clips and frames, megabytes of frames and of clips, and CPU and wall seconds."""
    decoded: list[DecodedVideo] = []
    started = perf_counter()
    for result in decode_videos(find_videos(videos), plan, workers=1):
        if not isinstance(result, DecodedVideo):
            raise SystemExit(f"{result.location} cannot be decoded: {result.detail}")
        decoded.append(result)
    seconds = perf_counter() - started
    return (
        sum(len(video.places) for video in decoded),
        sum(len(video.pictures) for video in decoded),
        sum(video.pictures.nbytes for video in decoded) / 1e6,
        sum(video.places.size * video.pictures[0].nbytes for video in decoded) / 1e6,
        sum(video.cpu_s for video in decoded),
        seconds,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("videos", nargs="+", type=Path, metavar="VIDEO", help="videos, or folders of them")
    add("--window", type=float, default=1.0, help="seconds of a window; default: %(default)s")
    add("--clip-frames", type=int, default=16, help="W, the frames of a clip; default: %(default)s")
    add("--rounds", type=int, default=3, help="how often each way is measured; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()

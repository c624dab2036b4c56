"""Measure what `--sampling keyframes` saves in embedding time and costs in micro-F1, on real clips.

FOLDER holds the clips and labels.csv, as for benchmark_accuracy.py. Micro-F1
is measured as there: with folds by group and several seeds, and without a
choice made by the held-out videos. The clips are embedded as they are, and
encoded again in H.264 with a key frame every --gop frames; each time with
evenly spaced frames, and with the key frames nearest to them. Stores and clips
are made below --work, which must be empty if the seconds are to be those of a
whole run. Prints a Markdown table.
"""

import argparse
import csv
import os
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from itertools import product
from pathlib import Path
from statistics import mean
from time import perf_counter

import accuracy_bench as accuracy
import av
from accuracy_baselines import BASELINES, MEAN
from benchmark_accuracy import ROOT

from classify import TrainConfig
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos
from embed.video import KeyFrames

SAMPLINGS: dict[str, type[UniformFrames] | type[KeyFrames]] = {"uniform": UniformFrames, "keyframes": KeyFrames}


def main() -> None:
    arguments = parse()
    heads = [MEAN, *arguments.arch.split(",")]
    cores = os.cpu_count()
    print(
        f"{arguments.folder.name}, {arguments.model}, {arguments.frames_count} frames at most; {arguments.folds} folds"
    )
    print(f"by group x {arguments.seeds} seeds; {cores} cores, {date.today()}.\n")
    print(f"| clips | sampling | frames a video | seconds | CPU | {' | '.join(heads)} |")
    print("| --- | --- | --- | --- | --- |" + " --- |" * len(heads))
    for (title, folder), sampling in product(clip_sets(arguments), SAMPLINGS):
        store = arguments.work / f"{title.replace(' ', '-')}-{sampling}.h5"
        config = EmbedConfig(model=arguments.model, sampling=SAMPLINGS[sampling](arguments.frames_count))
        begun, cpu_before = perf_counter(), sum(os.times()[:4])
        embed_videos([folder], store, config)
        seconds, cpu_s = perf_counter() - begun, sum(os.times()[:4]) - cpu_before
        with EmbeddingStore(store) as opened:
            frames = mean(opened.row_counts.tolist())
        scores = " | ".join(f"{micro_f1(store, folder, head, arguments):.3f}" for head in heads)
        print(f"| {title} | {sampling} | {frames:.1f} | {seconds:.1f} | {cpu_s:.1f} | {scores} |", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    clips, work = ROOT.parent / "shared/data/ut_interaction6", ROOT / "build" / "benchmark-keyframes"
    add = parser.add_argument
    add("folder", nargs="?", type=Path, default=clips, help="the clips; default: UT-Interaction beside the project")
    add("--gop", nargs="*", type=int, default=(12, 30), help="frames from key frame to key frame; default: 12 30")
    add("--work", type=Path, default=work, help="a folder for stores and clips; default: one below build/")
    add("--model", default="efficientnet-lite0", help="the encoder; default: %(default)s")
    add("--frames-count", type=int, default=32, help="the maximum number of frames per clip; default: %(default)s")
    add("--arch", default="linear,transformer", help="heads; default: %(default)s")
    add("--folds", type=int, default=5, help="folds per seed; default: %(default)s")
    add("--seeds", type=int, default=3, help="number of seeds; default: %(default)s")
    add("--epochs", type=int, help="epochs per training run; default: the recipe's")
    add("--learning-rate", type=float, help="learning rate; default: the recipe's")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="parallel training runs; default: one per core")
    return parser.parse_args()


def clip_sets(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield the name and the folder of each set of clips; sets that do not exist yet are encoded."""
    yield "as they are", arguments.folder
    for gop in arguments.gop:
        folder = arguments.work / f"gop-{gop}"
        if not (folder / "labels.csv").exists():
            encode_anew(arguments.folder, folder, gop)
        yield f"GOP {gop}", folder


def encode_anew(source: Path, goal: Path, gop: int) -> None:
    """Write every clip of a folder again in H.264, and then labels.csv."""
    with (source / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file))
    for row in labels:
        path = goal / Path(row["path"]).with_suffix(".mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        encode(source / row["path"], path, gop)
    with (goal / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "group"))
        writer.writerows((str(Path(row["path"]).with_suffix(".mp4")), row["label"], row["group"]) for row in labels)


def encode(source: Path, goal: Path, gop: int) -> None:
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        video = reading.streams.video[0]
        fps = video.average_rate or Fraction(30)
        options = {"g": str(gop), "sc_threshold": "0", "preset": "veryfast", "crf": "18"}
        stream = writing.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = video.width // 2 * 2, video.height // 2 * 2, "yuv420p"
        for number, frame in enumerate(reading.decode(video)):
            picture = frame.reformat(stream.width, stream.height, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = number, 1 / fps, 0
            writing.mux(stream.encode(picture))
        writing.mux(stream.encode(None))


def micro_f1(store: Path, folder: Path, head: str, arguments: argparse.Namespace) -> float:
    """Train and test a head or baseline on every fold of every seed; return the mean over the seeds."""
    recipe = TrainConfig(epochs=arguments.epochs, learning_rate=arguments.learning_rate, device="cpu")
    bench = accuracy.make_bench(store, folder / "labels.csv", arguments.folds, range(arguments.seeds), recipe)
    if head in BASELINES:
        (found,) = accuracy.try_baselines(bench, [head])
    else:
        (found,) = accuracy.try_heads(bench, [(head, 0.0)], arguments.jobs)
    return mean(found.seed_scores(bench))


if __name__ == "__main__":
    main()

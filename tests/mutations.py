"""Damages video files of many kinds; the same seed gives the same damage."""

import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.media import write_moving_video

ORIGINALS = {
    "h264.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "h264.mkv": ("libx264", {"g": "12", "bf": "2"}),
    "h264.ts": ("libx264", {"g": "12", "bf": "2"}),
    "h264.flv": ("libx264", {"g": "12", "bf": "0"}),
    "h264.h264": ("libx264", {"g": "12", "bf": "2"}),
    "hevc.mp4": ("libx265", {"g": "12", "x265-params": "log-level=none:open-gop=1"}),
    "hevc.mkv": ("libx265", {"g": "12", "x265-params": "log-level=none"}),
    "vp9.webm": ("libvpx-vp9", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    "av1.mkv": ("libsvtav1", {"g": "12", "preset": "11"}),
    "mpeg4.avi": ("mpeg4", {"g": "12", "bf": "2"}),
    "mpeg4.mov": ("mpeg4", {"g": "12"}),
    "mpeg2.ts": ("mpeg2video", {"g": "12", "bf": "2"}),
    "mpeg2.mpg": ("mpeg2video", {"g": "12"}),
    "mjpeg.avi": ("mjpeg", {}),
    "pictures.gif": ("gif", {}),
}
"""File name -> encoder and its options: 15 pairs of container and codec, each with 36 frames of 128 x 96 pixels."""

PIXEL_FORMATS = {"mjpeg": "yuvj420p", "gif": "rgb8"}
BOXES = (b"moov", b"trak", b"mdia", b"stsd", b"stsz", b"stts", b"ctts", b"stsc", b"stco", b"stss", b"elst", b"mdat")
BOXES += (b"avc1", b"avcC", b"hvc1", b"hvcC", b"tkhd", b"LIST", b"movi", b"idx1", b"strf", b"IHDR")
LARGE = (0, 1, 7, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def write_originals(folder: Path) -> list[Path]:
    """Write one video of each kind."""
    folder.mkdir()
    return [
        write_moving_video(
            folder / name, 36, codec=codec, options=options, pixel_format=PIXEL_FORMATS.get(codec, "yuv420p")
        )
        for name, (codec, options) in ORIGINALS.items()
    ]


def write_mutants(folder: Path, originals: Sequence[Path], count: int, *, seed: int) -> None:
    """Write `count` files, each an original with one to three kinds of damage."""
    folder.mkdir()
    contents = [path.read_bytes() for path in originals]
    draw = random.Random(seed)
    for number in range(count):
        which = draw.randrange(len(originals))
        content = bytearray(contents[which])
        kinds = draw.sample(KINDS, draw.choice([1, 1, 1, 2, 3]))
        for damage in kinds:
            damage(content, draw, contents)
        names = "-".join(damage.__name__ for damage in kinds)
        (folder / f"{number:03}-{names}-{originals[which].name}").write_bytes(content)


def flip_bytes(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Change up to 200 bytes anywhere."""
    for _ in range(draw.choice([1, 5, 200])):
        if content:
            content[draw.randrange(len(content))] ^= draw.randrange(1, 256)


def flip_header(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Change up to 20 bytes at the start, where most formats have their header."""
    for _ in range(draw.choice([1, 4, 20])):
        if content:
            content[draw.randrange(min(1000, len(content)))] = draw.randrange(256)


def cut(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Keep only the beginning."""
    del content[draw.randrange(len(content) + 1) :]


def behead(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Keep only the end."""
    del content[: draw.randrange(len(content) + 1)]


def zero_blocks(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Set up to eight blocks to zero, as a disk that lost them does."""
    for _ in range(draw.randint(1, 8)):
        start, size = draw.randrange(len(content) + 1), draw.choice([64, 512, 4096])
        content[start : start + size] = bytes(len(content[start : start + size]))


def swap_header(content: bytearray, draw: random.Random, contents: Sequence[bytes]) -> None:
    """Replace the first bytes with those of another file."""
    size = draw.choice([16, 100, 1000, 4000])
    content[:size] = draw.choice(contents)[:size]


def splice(content: bytearray, draw: random.Random, contents: Sequence[bytes]) -> None:
    """Replace the end with that of another file."""
    other = draw.choice(contents)
    content[draw.randrange(len(content) + 1) :] = other[draw.randrange(len(other)) :]


def inflate_boxes(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Write false sizes into boxes of MP4 and lists of AVI, and false counts into their tables."""
    for name in draw.sample(BOXES, 6):
        at = content.find(name)
        if at >= 4:
            position = at + draw.choice([-4, 4, 8, 12])
            content[position : position + 4] = struct.pack(draw.choice(["<I", ">I"]), draw.choice(LARGE))


def claim_dimensions(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Write other numbers in place of the width and height, 128 and 96, if they are stored with 16 bits."""
    for name in (b"\x00\x80\x00\x60", b"\x80\x00\x60\x00", b"\x80\x00\x00\x00\x60\x00\x00\x00"):
        at = content.find(name)
        if at >= 0:
            content[at : at + 2] = content[at + 2 : at + 4] = struct.pack("<H", draw.choice([0, 1, 9999, 30000, 65535]))


def repeat_block(content: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Insert a copy of a piece of the file at another place."""
    start = draw.randrange(len(content) + 1)
    at = draw.randrange(len(content) + 1)
    content[at:at] = content[start : start + draw.choice([1, 188, 5000])]


Damage = Callable[[bytearray, random.Random, Sequence[bytes]], None]
KINDS: tuple[Damage, ...] = (
    flip_bytes,
    flip_header,
    cut,
    behead,
    zero_blocks,
    swap_header,
    splice,
    inflate_boxes,
    claim_dimensions,
    repeat_block,
)

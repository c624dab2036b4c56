"""Videos whose frames show their own numbers, and an encoder whose vectors spell these numbers."""

import errno
import os
import re
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from embed.sources.random_access import RandomAccessFile
from embed.store.provenance import EncoderIdentity
from embed.video.preprocessing import Preprocessing
from tests.decoding import count_decoded

BLOCK_PX = 16
BIT_COUNT = 10
WIDTH_PX, HEIGHT_PX = BLOCK_PX * BIT_COUNT, 64


def numbered_frame(number: int) -> NDArray[np.uint8]:
    """Return an RGB frame that shows `number` as ten black or white bars, with a red band at the bottom."""
    bits = [(number >> bit) & 1 for bit in range(BIT_COUNT)]
    frame = np.repeat(np.array(bits, dtype=np.uint8) * 255, BLOCK_PX)[None, :, None].repeat(HEIGHT_PX, 0).repeat(3, 2)
    frame[-BLOCK_PX:] = (220, 30, 30)
    return frame


def number_of(rgb: NDArray[np.uint8]) -> int:
    """Return a frame's number, read from its (H, W_px, 3) pixels."""
    bars = rgb[8 : HEIGHT_PX - 2 * BLOCK_PX, :, :].mean(axis=(0, 2))
    middles = bars[BLOCK_PX // 2 :: BLOCK_PX]
    return int(sum(1 << bit for bit, level in enumerate(middles) if level > 127))


def write_video(
    path: Path,
    frame_count: int = 30,
    *,
    codec: str = "libx264",
    fps: int = 25,
    ticks: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    rotation_degrees: int = 0,
    numbers: Sequence[int] | None = None,
) -> Path:
    """Write a video of numbered frames and return its path.

    Args:
        path: its suffix chooses the container.
        frame_count: number of frames, numbered from 0.
        codec: FFmpeg's name of the encoder.
        fps: frames per second; the time base is one frame.
        ticks: the frames' presentation times in units of 1 / fps, for a variable frame rate.
        options: of the encoder; the default makes B-frames and a key frame every 10 frames with H.264.
        rotation_degrees: written to the display matrix.
        numbers: the frames' numbers, if they do not count up from 0.
    """
    default = {"g": "10", "bf": "2"} if codec in ("libx264", "libx265", "mpeg4") else {}
    if codec == "libx265":
        default["x265-params"] = "log-level=none"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=default if options is None else options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        if rotation_degrees:
            stream.set_display_rotation(rotation_degrees)
        for number in range(frame_count):
            shown = number if numbers is None else numbers[number]
            frame = av.VideoFrame.from_ndarray(numbered_frame(shown), format="rgb24")
            frame.pts = number if ticks is None else ticks[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_damaged_stream(path: Path) -> Path:
    """Write a transport stream of 41 frames, of which frames 30 to 33 do not decode; damage any other file as much."""
    while True:  # in some runs x264 writes other bytes, so that other frames are hit
        write_video(path, 100, options={"g": "10", "bf": "0", "threads": "1"})
        content = bytearray(path.read_bytes())
        content[len(content) // 3 : len(content) // 3 + 20_000] = b"\xff" * 20_000
        path.write_bytes(content)
        if path.suffix != ".ts" or count_decoded(path) == 37:
            return path


def moving_frame(number: int, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Return frame `number` of a moving texture, in which a frame decoded with a wrong reference looks wrong."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (height_px // 8 + 1, width_px // 8 + 1, 3), dtype=np.uint8)
    texture = coarse.repeat(8, 0).repeat(8, 1)[:height_px, :width_px]
    frame = np.roll(texture, (number, 3 * number), axis=(0, 1))
    frame[number % height_px // 2 :: 16] = rng.integers(0, 256, 3)
    frame[: height_px // 4, : width_px // 4] = (number * 37 % 256, number * 91 % 256, number * 11 % 256)
    return frame


def write_moving_video(
    path: Path,
    frame_count: int,
    *,
    codec: str,
    options: dict[str, str],
    pixel_format: str = "yuv420p",
    width_px: int = 128,
    height_px: int = 96,
) -> Path:
    """Write a video of a moving texture at 25 frames per second; the path's suffix chooses the container."""
    pictures = (moving_frame(number, width_px, height_px) for number in range(frame_count))
    frames = (av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures)
    return _encode(frames, path, (width_px, height_px), codec=codec, options=options, pixel_format=pixel_format)


def encode_again(source: Path, goal: Path, *, codec: str, options: dict[str, str], pixel_format: str) -> Path:
    """Write a video again with another codec, at 25 frames per second and with an even width and height."""
    with av.open(str(source)) as reading:
        video = reading.streams.video[0]
        size = (video.width // 2 * 2, video.height // 2 * 2)
        return _encode(reading.decode(video), goal, size, codec=codec, options=options, pixel_format=pixel_format)


def _encode(
    frames: Iterable[av.VideoFrame],
    path: Path,
    size: tuple[int, int],
    *,
    codec: str,
    options: dict[str, str],
    pixel_format: str,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        (stream.width, stream.height), stream.pix_fmt = size, pixel_format
        for number, frame in enumerate(frames):
            scaled = frame.reformat(*size, format=pixel_format)
            scaled.pts, scaled.time_base, scaled.pict_type = number, Fraction(1, 25), PictureType.NONE
            container.mux(stream.encode(scaled))
        container.mux(stream.encode(None))
    return path


def set_edits(path: Path, edits: Sequence[tuple[int, int]]) -> Path:
    """Write an edit list into an MP4 file of 25 frames per second, which then shows only these parts, in this order.

    Args:
        path: of a file whose index is its last box, as FFmpeg writes it.
        edits: for each part, its first frame and its number of frames, in the order shown.

    Source: ISO/IEC 14496-12, 8.6.6 (elst): a count, then for each part its duration, its first moment and its rate.
    """
    content = path.read_bytes()
    moov, ticks_per_frame = content.rindex(b"moov"), _media_ticks_per_s(content) // 25
    at = content.index(b"elst", moov)
    (count,) = struct.unpack_from(">I", content, at + 8)
    _, before_first, _ = struct.unpack_from(">IiI", content, at + 12)
    listed = b"".join(
        struct.pack(">IiI", 1000 * frames // 25, before_first + first * ticks_per_frame, 1 << 16)
        for first, frames in edits
    )
    changed = bytearray(content[: at + 8] + struct.pack(">I", len(edits)) + listed + content[at + 12 + 12 * count :])
    for name in (b"moov", b"trak", b"edts", b"elst"):
        size_at = content.index(name, moov) - 4
        (size,) = struct.unpack_from(">I", content, size_at)
        struct.pack_into(">I", changed, size_at, size + 12 * (len(edits) - count))
    path.write_bytes(changed)
    return path


def set_display_matrix(path: Path, turn: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into an MP4 file: a pixel at (x, y) is shown at (a x + c y, b x + d y).

    `turn` is (a, b, c, d).

    Source: ISO/IEC 14496-12, 8.3.2 (tkhd): a, b, u, c, d, v, x, y, w; u, v, w in 1 / 2**30, the others in 1 / 2**16.
    """
    a, b, c, d = (value << 16 for value in turn)
    content = bytearray(path.read_bytes())
    struct.pack_into(">9i", content, content.rindex(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def _media_ticks_per_s(content: bytes) -> int:
    (ticks_per_s,) = struct.unpack_from(">I", content, content.rindex(b"mdhd") + 16)
    return int(ticks_per_s)


def failing_disk(path: Path, *, readable_share: float) -> RandomAccessFile:
    """Return a file's content whose first bytes can be read, and whose others fail as on a broken disk (EIO)."""
    content = path.read_bytes()

    def read_span(start: int, stop: int) -> bytes:
        if stop > len(content) * readable_share:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return content[start:stop]

    return RandomAccessFile(len(content), read_span)


def copy_packets(source: Path, goal: Path, *, first: int) -> Path:
    """Write a video's packets, beginning at `first`, to another file, without encoding them again."""
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in [packet for packet in reading.demux(video=0) if packet.size][first:]:
            packet.stream = stream
            writing.mux(packet)
    return goal


def crop_packets(source: Path, goal: Path, *, left_px: int, top_px: int) -> Path:
    """Write an H.264 file again with a header that crops its left and top."""
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        video = reading.streams.video[0]
        stream = writing.add_stream_from_template(video)
        cropping = BitStreamFilterContext(f"h264_metadata=crop_left={left_px}:crop_top={top_px}", video, stream)
        for packet in reading.demux(video):
            for cropped in cropping.filter(packet if packet.size else None):
                cropped.stream = stream
                writing.mux(cropped)
    return goal


def add_messages(source: Path, goal: Path, messages: Sequence[tuple[int, bytes]]) -> Path:
    """Write a raw H.264 stream again with supplemental messages (SEI), each a type and a content, before each picture.

    Source: ITU-T H.264, 7.3.2.3 and 7.4.1 (a byte of 3 is put in where content would look like a start code).
    """
    units = b""
    for kind, content in messages:
        body = re.sub(rb"\0\0(?=[\0-\3])", lambda _: b"\0\0\3", bytes([kind, len(content)]) + content + b"\x80")
        units += b"\0\0\1\x06" + body
    with av.open(str(source)) as reading:
        pictures = [bytes(packet) for packet in reading.demux(video=0)]
    first_slice = rb"\0\0\x01[\x01\x21\x41\x61\x65]"
    goal.write_bytes(
        b"".join(re.sub(first_slice, lambda found: units + found[0], picture, count=1) for picture in pictures)
    )
    return goal


class BarReader:
    """An encoder for tests: a vector holds the mean level of each of the ten bars, so it spells the frame's number."""

    def __init__(self, *, weights: str = "one", dimension: int = BIT_COUNT) -> None:
        self.identity = EncoderIdentity(
            family="tests",
            model="bar-reader",
            pretrained="none",
            weights_sha256=weights,
            dimension=dimension,
            preprocessing=Preprocessing(
                side_px=WIDTH_PX,
                resize_px=WIDTH_PX,
                resize_mode="squash",
                kernel="bilinear",
                mean=(0.0, 0.0, 0.0),
                std=(1.0, 1.0, 1.0),
            ),
        )

    def encode(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode (B, 1, side, side, 3) frames to (B, 10)."""
        levels = rgb[:, 0, WIDTH_PX // 4 : WIDTH_PX // 2].mean(axis=(1, 3)) / 255
        return levels[:, BLOCK_PX // 2 :: BLOCK_PX].astype(np.float32)


def spelled_numbers(vectors: NDArray[np.floating]) -> list[int]:
    """Return the frames' numbers, read from a BarReader's (T, 10) vectors."""
    return [int(sum(1 << bit for bit, level in enumerate(vector) if level > 0.5)) for vector in vectors]


def retime_packets(source: Path, goal: Path, ticks: Sequence[int]) -> Path:
    """Write a video's packets with new presentation times, in 1/25 s and in decoding order, to another file."""
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        packets = [packet for packet in reading.demux(video=0) if packet.size]
        reached = np.minimum.accumulate(np.array(ticks)[::-1])[::-1]  # no packet is decoded later than it is shown
        for order, (packet, tick) in enumerate(zip(packets, ticks, strict=True)):
            packet.stream, packet.time_base = stream, Fraction(1, 2500)
            packet.pts, packet.dts = 100 * (tick + 1), 100 * (int(reached[order]) - 1) + order % 100
            writing.mux(packet)
    return goal


def join_streams(sources: Sequence[Path], goal: Path) -> Path:
    """Write raw H.264 streams without B-frame delays end to end into one file, at 25 frames per second."""
    joined = b"".join(source.read_bytes() for source in sources)
    if goal.suffix == ".h264":
        goal.write_bytes(joined)
        return goal
    with av.open(BytesIO(joined), format="h264") as reading, av.open(str(goal), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for order, packet in enumerate(packet for packet in reading.demux(video=0) if packet.size):
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = order
            writing.mux(packet)
    return goal


def write_field_video(path: Path, frame_count: int, *, fields_per_packet: int) -> Path:
    """Write H.264 pictures of 16 x 32 pixels, each as two fields in one packet or in two.

    No available encoder makes them, so the units are written by hand with uncompressed macroblocks. Source: ITU-T
    H.264, 7.3.2 and 7.3.3.
    """
    sequence, parameters = _bits_unit(0x67, f"{77:08b}{0:08b}{10:08b}1101101001100100"), b"\x68\xce\x38\x80"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt = 16, 32, "yuv420p"
        stream.codec_context.extradata = b"\0\0\0\1" + sequence + b"\0\0\0\1" + parameters
        for number in range(0, 2 * frame_count, fields_per_packet):
            fields = range(number, number + fields_per_packet)
            content = b"".join(b"\0\0\0\1" + _field_unit(at // 2, is_bottom=bool(at % 2)) for at in fields)
            packet = av.Packet(content if number else stream.codec_context.extradata + content)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 50), number % 2 == 0
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


def field_level(number: int, *, is_bottom: bool) -> int:
    """Return the luma, 20 to 219, of a field of picture `number`."""
    return (40 + 12 * number + 90 * is_bottom) % 200 + 20


def _field_unit(number: int, *, is_bottom: bool) -> bytes:
    """Return a field of one macroblock: the top field begins an IDR picture, the bottom field completes it."""
    head = "1" + "0001000" + "1" + "0000" + ("11" if is_bottom else "10")  # macroblock 0, I, set 0, frame_num 0, field
    marking = "0" if is_bottom else "00"
    idr_number = "" if is_bottom else ("1", "010")[number % 2]
    slice_bits = head + idr_number + marking + "1" + "000011010"  # quantiser unchanged; uncompressed
    slice_bits += "0" * (-len(slice_bits) % 8)
    level = field_level(number, is_bottom=is_bottom)
    return _bits_unit(0x61 if is_bottom else 0x65, slice_bits + f"{level:08b}" * 256 + f"{128:08b}" * 128)


def _bits_unit(head: int, bits: str) -> bytes:
    """Return a unit with its stop bit; its content must not contain a start code."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return bytes([head]) + int(bits, 2).to_bytes(len(bits) // 8, "big")

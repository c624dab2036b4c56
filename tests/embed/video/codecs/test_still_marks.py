"""A picture of Motion JPEG or PNG is an entry only if its packet has all tables and the palette that it uses."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embed.video.codecs.bitstreams import rule_for
from embed.video.codecs.marks import DISPOSABLE, ENTRY, LASTING, UNPROVEN
from embed.video.decoding import read_frames
from embed.video.sampling import UniformFrames
from tests.embed.video.codecs.test_lasting import contents, rewrite
from tests.embed.video.test_planning import mistakes, planned_choices
from tests.media import moving_frame, write_moving_video

HUFFMAN, QUANTISERS, COMMENT, APPLICATION = 0xC4, 0xDB, 0xFE, 0xE1


def jpeg(*, quality: int = 80, is_progressive: bool = False) -> bytes:
    """Return a JPEG with tables made for it."""
    file = BytesIO()
    Image.fromarray(moving_frame(3, 64, 48)).save(
        file, "JPEG", quality=quality, optimize=True, progressive=is_progressive
    )
    return file.getvalue()


def without(content: bytes, kind: int) -> bytes:
    """Return a JPEG without its first segment of a kind."""
    at = content.index(bytes([0xFF, kind]))
    return content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]


def with_segment(content: bytes, kind: int, inside: bytes) -> bytes:
    """Return a JPEG with another segment at its start."""
    return content[:2] + bytes([0xFF, kind]) + (len(inside) + 2).to_bytes(2, "big") + inside + content[2:]


def first_marks(codec: str, *packets: bytes) -> list[int]:
    rule = rule_for(codec, None)
    assert rule is not None
    return [rule(content, True) for content in packets]


@pytest.mark.parametrize(
    ("content", "marks"),
    [
        pytest.param(jpeg(), ENTRY | DISPOSABLE, id="all tables"),
        pytest.param(jpeg(is_progressive=True), ENTRY | DISPOSABLE, id="progressive, tables between the scans"),
        pytest.param(jpeg() + jpeg(), ENTRY | DISPOSABLE, id="two fields"),
        pytest.param(without(jpeg(), HUFFMAN), UNPROVEN, id="a Huffman table is missing"),
        pytest.param(without(jpeg(), QUANTISERS), UNPROVEN, id="a quantiser table is missing"),
        pytest.param(
            with_segment(without(jpeg(), HUFFMAN), APPLICATION, b"Exif\0\0" + jpeg()), UNPROVEN, id="only its thumbnail"
        ),
        pytest.param(jpeg()[: jpeg().index(b"\xff\xda")], UNPROVEN, id="no scan"),
    ],
)
def test_a_jpeg_is_an_entry_if_it_defines_each_table_that_it_uses(content: bytes, marks: int) -> None:
    assert first_marks("mjpeg", content) == [marks]


@pytest.mark.parametrize("text", [b"CS=ITU601\0", b"AVID\0"])
def test_a_comment_that_the_decoder_heeds_holds_on(text: bytes) -> None:
    marks = first_marks("mjpeg", jpeg(), with_segment(jpeg(), COMMENT, text), jpeg())
    assert marks == [ENTRY | DISPOSABLE, ENTRY | LASTING, 0 | DISPOSABLE]
    assert first_marks("mjpeg", jpeg(), with_segment(jpeg(), COMMENT, b"Camera"))[1] == ENTRY | DISPOSABLE


@pytest.mark.parametrize("kind", [HUFFMAN, QUANTISERS])
def test_motion_jpeg_whose_tables_stand_in_some_pictures_equals_decoding_everything(tmp_path: Path, kind: int) -> None:
    source = write_moving_video(tmp_path / "a.avi", 24, codec="mjpeg", options={}, pixel_format="yuvj420p")
    picture = [jpeg(quality=20 + 3 * number) for number in range(24)]

    def change(order: int, _: bytes) -> bytes:
        return picture[order] if order % 4 == 0 else without(picture[order // 4 * 4], kind)

    path = rewrite(source, tmp_path / "b.avi", change)
    assert mistakes(path) == {}
    assert planned_choices(path) == set()


def test_motion_jpeg_with_a_comment_on_its_colours_in_the_middle_equals_decoding_everything(tmp_path: Path) -> None:
    source = write_moving_video(tmp_path / "a.avi", 24, codec="mjpeg", options={}, pixel_format="yuvj420p")

    def change(order: int, content: bytes) -> bytes:
        return with_segment(content, COMMENT, b"CS=ITU601\0") if order == 7 else content

    path = rewrite(source, tmp_path / "b.avi", change)
    assert len(contents(path)) == 24
    assert mistakes(path) == {}
    assert planned_choices(path)


def chunk(kind: bytes, inside: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(inside)) + kind + inside + struct.pack(">I", zlib.crc32(kind + inside))


@pytest.mark.parametrize("thread_count", [1, 4])
def test_colours_that_a_png_in_the_middle_states_hold_beyond_it(tmp_path: Path, thread_count: int) -> None:
    source = write_moving_video(tmp_path / "a.mov", 24, codec="png", options={}, pixel_format="rgb24")
    perceptual_quantiser = chunk(b"cICP", bytes([9, 16, 0, 1]))

    def change(order: int, content: bytes) -> bytes:
        return content[:33] + perceptual_quantiser + content[33:] if order == 7 else content

    path = rewrite(source, tmp_path / "b.mov", change)
    plain, whole = (read_frames(str(each), UniformFrames(99), thread_count=1).rgb for each in (source, path))
    assert (plain != whole).any(axis=(1, 2, 3, 4)).tolist() == [False] * 7 + [True] * 17
    assert mistakes(path) == {}
    for count in (1, 3, 99):
        rgb = read_frames(str(path), UniformFrames(count), thread_count=thread_count).rgb
        np.testing.assert_array_equal(rgb, whole[UniformFrames(count).choose(24)])


def png(*, colour_type: int, has_palette: bool) -> bytes:
    """Return a PNG of one pixel."""
    palette = chunk(b"PLTE", b"\1\2\3") if has_palette else b""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + palette + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("colour_type", "has_palette", "marks"),
    [
        pytest.param(0, False, ENTRY | DISPOSABLE, id="grey"),
        pytest.param(3, True, ENTRY | DISPOSABLE, id="indices"),
        pytest.param(3, False, UNPROVEN, id="indices without a palette"),
    ],
)
def test_an_indexed_png_is_an_entry_if_it_has_its_palette(colour_type: int, has_palette: bool, marks: int) -> None:
    assert first_marks("png", png(colour_type=colour_type, has_palette=has_palette)) == [marks]

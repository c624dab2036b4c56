"""Key frames of VP8 that are no entries, and side data that no decoder decodes with; alpha is in test_lasting.py."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from embed.video.codecs.marks import ENTRY, HIDDEN, UNPROVEN
from embed.video.codecs.vpx_marks import marks_with_alpha, vp8_marks, vp9_marks
from embed.video.timeline import packet_row
from tests.media import write_video

ALPHA = (1).to_bytes(8, "big")
KEY_TAG = b"\x10\0\0\x9d\1\x2a\x10\0\x10\0"  # shown, then 16 x 16 pixels


def bools(*flags: int) -> bytes:
    """Return a partition that begins with flags, each as often true as false. Source: RFC 6386, 7.3."""
    low, size, bits = 0, 255, 0
    for flag in (*flags, *[0] * 24):
        split = 1 + ((size - 1) * 128 >> 8)
        low, size = (low + split, size - split) if flag else (low, split)
        while size < 128:
            low, size, bits = low << 1, size << 1, bits + 1
    low <<= (-bits) % 8
    return low.to_bytes((bits + 7) // 8 + 1, "big")


@pytest.mark.parametrize(
    ("flags", "marks"),
    [
        pytest.param((0, 0, 0), ENTRY, id="no segments"),
        pytest.param((1, 1, 0, 1), ENTRY, id="no segments, another colour space and clamping"),
        pytest.param((0, 0, 1, 1, 1), ENTRY, id="segments with a map"),
        pytest.param((0, 0, 1, 0, 1), 0, id="segments by an earlier map"),
        pytest.param((1, 0, 1, 0, 0), 0, id="the same in another colour space"),
        pytest.param((1, 1, 1, 1, 0), ENTRY, id="all with a map"),
    ],
)
def test_a_vp8_key_frame_that_keeps_the_map_of_segments_is_no_entry(flags: tuple[int, ...], marks: int) -> None:
    assert vp8_marks(KEY_TAG + bools(*flags), True) == marks


@pytest.mark.parametrize(
    ("addition", "marks"),
    [
        pytest.param(ALPHA + KEY_TAG, ENTRY, id="key frame"),
        pytest.param(ALPHA + b"\x11\0\0", 0, id="no key frame"),
        pytest.param(ALPHA + b"\x01\0\0", UNPROVEN, id="not shown"),
        pytest.param(ALPHA, UNPROVEN, id="empty"),
        pytest.param(b"", UNPROVEN, id="none"),
        pytest.param((4).to_bytes(8, "big") + KEY_TAG, UNPROVEN, id="another kind"),
    ],
)
def test_a_packet_is_an_entry_if_its_alpha_is_one(addition: bytes, marks: int) -> None:
    assert marks_with_alpha(ENTRY, addition, vp8_marks) == marks


def test_alpha_that_is_hidden_with_its_colours_is_proven() -> None:
    assert marks_with_alpha(HIDDEN, ALPHA + b"\x01\0\0", vp8_marks) == HIDDEN
    assert marks_with_alpha(ENTRY, ALPHA + b"\x82\x49\x83", vp9_marks) == ENTRY


def test_a_palette_beside_a_packet_is_not_proven_but_where_the_stream_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("msrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "pal8"
        for number in range(3):
            frame = av.VideoFrame(16, 16, "pal8")
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.planes[1].update(bytes([60 * number, 0, 0, 255]) * 256)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert unproven(path) == [0, UNPROVEN, UNPROVEN]


@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_data_beside_a_packet_that_no_decoder_decodes_with_is_proven(tmp_path: Path, ending: str) -> None:
    assert unproven(write_video(tmp_path / f"a.{ending}", 12, codec="mpeg2video")) == [0] * 12


def unproven(path: Path) -> list[int]:
    """Return whether what is beside each packet is proven to leave later packets alone."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    return [packet_row(packet, None, order)[-1] & UNPROVEN for order, packet in enumerate(packets)]

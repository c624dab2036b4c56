"""Marks of packets written by hand from the standards; tests/embed/test_planning.py reads those of real encoders."""

import pytest

from embed.bitstreams import (
    DISPOSABLE,
    ENTRY,
    HIDDEN,
    LAYERED,
    OPEN,
    PARAMETERS,
    PREDICTED,
    SKIPPED,
    UNPROVEN,
    rule_for,
)

START = b"\0\0\1"
# A picture of one macroblock: profile, level, numbers of sets, frame_num of 4 bits, shown as decoded, frames alone.
SEQUENCE, PICTURE = b"\x67\x42\0\x0a\xdd\xc8", b"\x68\xce\x38\x80"
FIELD_SEQUENCE = b"\x67\x4d\0\x0a\xdd\x98"  # the same, where pictures may be coded as fields
I_PICTURE = {"frame": b"\x65\x88\x82", "top": b"\x65\x88\x84", "bottom": b"\x65\x88\x86"}


def hevc_unit(kind: int, layer: int = 0) -> bytes:
    return START + bytes([kind << 1, layer + 1, 0x80])


@pytest.mark.parametrize(
    ("codec", "content", "is_key", "marks"),
    [
        pytest.param("h264", START + b"\x65\x88\x80", True, ENTRY, id="H.264 IDR"),
        pytest.param(
            "h264",
            START + SEQUENCE + START + PICTURE + START + b"\x65\x88",
            True,
            ENTRY | PARAMETERS,
            id="with parameters",
        ),
        pytest.param("h264", START + b"\x41\x9a\x00", False, 0, id="H.264 reference"),
        pytest.param("h264", START + b"\x01\x9e\x00", False, DISPOSABLE, id="H.264 nal_ref_idc 0"),
        pytest.param("h264", START + b"\x41\x9a" + START + b"\x01\x9e", False, 0, id="of two fields one is leant on"),
        pytest.param(
            "h264", START + b"\x06\x06\x01\xc0\x80" + START + b"\x41\x88\x80", True, ENTRY | OPEN, id="recovery"
        ),
        pytest.param("h264", START + b"\x06\x06\x01\x40\x80" + START + b"\x41\x88\x80", True, 0, id="slow recovery"),
        pytest.param(
            "h264",
            START + b"\x06\x06\x01\xc0\x80" + START + b"\x41\x9a\x80",
            True,
            PREDICTED,
            id="recovery on a P slice",
        ),
        pytest.param(
            "h264",
            START + b"\x06\x06\x01\x80\x80" + START + b"\x41\x88\x80",
            True,
            0,
            id="recovery to much the same, not the exact",
        ),
        pytest.param(
            "h264",
            START + b"\x06\x00\x03\0\0\3\6\x06\x01\x40\x80" + START + b"\x41\x88\x80",
            True,
            0,
            id="no recovery where a byte that keeps start codes out is taken for one",
        ),
        pytest.param("h264", START + PICTURE + START + b"\x65\x88", True, UNPROVEN, id="one set without the other"),
        pytest.param("h264", START + b"\x09\x10", False, UNPROVEN, id="H.264 without a picture"),
        pytest.param("hevc", hevc_unit(19), True, ENTRY, id="HEVC IDR"),
        pytest.param("hevc", hevc_unit(21), True, ENTRY | OPEN, id="HEVC CRA"),
        pytest.param("hevc", hevc_unit(8), False, SKIPPED | DISPOSABLE, id="HEVC RASL_N"),
        pytest.param("hevc", hevc_unit(9), False, SKIPPED, id="HEVC RASL_R"),
        pytest.param("hevc", hevc_unit(0), False, DISPOSABLE, id="HEVC TRAIL_N"),
        pytest.param("hevc", hevc_unit(1), False, 0, id="HEVC TRAIL_R"),
        pytest.param("hevc", hevc_unit(0, 1), False, DISPOSABLE | LAYERED, id="HEVC higher sub-layer"),
        pytest.param("hevc", hevc_unit(16), True, UNPROVEN, id="HEVC broken link"),
        pytest.param("hevc", hevc_unit(1) + hevc_unit(36), False, UNPROVEN, id="HEVC end of sequence"),
        pytest.param("hevc", hevc_unit(34) + hevc_unit(19), True, UNPROVEN, id="HEVC one set without the others"),
        pytest.param("vp8", b"\x10\0\0", True, ENTRY, id="VP8 key frame"),
        pytest.param("vp8", b"\x11\0\0", False, 0, id="VP8 shown"),
        pytest.param("vp8", b"\x01\0\0", False, HIDDEN, id="VP8 alt-ref frame, never shown"),
        pytest.param("vp9", b"\x82\x49\x83", True, ENTRY, id="VP9 key frame"),
        pytest.param("vp9", b"\x86\0\0", False, 0, id="VP9 shown"),
        pytest.param("vp9", b"\x84\0\0", False, HIDDEN, id="VP9 not shown and alone"),
        pytest.param("vp9", b"\x84\0\xc0", False, 0, id="VP9 superframe"),
        pytest.param("vp9", b"\x88\0\0", False, 0, id="VP9 shows an earlier one"),
        pytest.param("av1", b"\x12\0\x0a\x01\0\x32\x01\x10", True, ENTRY, id="AV1 shown key frame"),
        pytest.param("av1", b"\x12\0\x32\x01\x10", True, 0, id="AV1 key frame without its sequence header"),
        pytest.param("av1", b"\x12\0\x0a\x01\0\x32\x01\x00", True, 0, id="AV1 key frame not shown"),
        pytest.param("mpeg2video", START + b"\xb3\0" + START + b"\0\0\x08", True, ENTRY | OPEN, id="MPEG-2 I"),
        pytest.param("mpeg2video", START + b"\0\0\x18", False, PREDICTED | DISPOSABLE, id="MPEG-2 B"),
        pytest.param("mpeg4", START + b"\xb6\x80" + bytes(20), False, PREDICTED | DISPOSABLE, id="MPEG-4 B"),
        pytest.param(
            "mpeg4", START + b"\x20\0" + START + b"\xb6\x10" + bytes(20), True, ENTRY | OPEN | PARAMETERS, id="with VOL"
        ),
        pytest.param("mpeg4", START + b"\xb6\x40" + bytes(20), True, PREDICTED, id="MPEG-4 P, called a key frame"),
        pytest.param("mpeg4", START + b"\xb6\x40\0", False, UNPROVEN, id="MPEG-4 repeats a picture"),
        pytest.param("mpeg4", b"\x7f", True, HIDDEN, id="MPEG-4 placeholder"),
        pytest.param("mpeg4", START + b"\xb6\x40" + START + b"\xb6\x80", False, UNPROVEN, id="MPEG-4 packed"),
        pytest.param("mjpeg", b"\xff\xd8\xff\xda", True, UNPROVEN, id="JPEG without tables"),
    ],
)
def test_a_packet_is_marked_by_what_its_bytes_say(codec: str, content: bytes, is_key: bool, marks: int) -> None:
    rule = rule_for(codec, None)
    assert rule is not None
    assert rule(content, is_key) == marks


def test_length_fields_are_read_where_the_header_announces_them() -> None:
    rule = rule_for("h264", b"\1\x64\0\x1f\xff")
    assert rule is not None
    assert rule(b"\0\0\0\2\x06\x05\0\0\0\3\x01\x9e\0", False) == DISPOSABLE


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        pytest.param(["frame"], ENTRY, id="a frame"),
        pytest.param(["top", "bottom"], ENTRY, id="both fields"),
        pytest.param(["top"], UNPROVEN, id="the top field"),
        pytest.param(["bottom"], UNPROVEN, id="the bottom field"),
    ],
)
def test_of_interlaced_h264_only_whole_pictures_are_proven(fields: list[str], marks: int) -> None:
    rule = rule_for("h264", START + FIELD_SEQUENCE + START + PICTURE)
    assert rule is not None
    assert rule(b"".join(START + I_PICTURE[field] for field in fields), True) == marks


def test_h264_that_cannot_be_read_is_not_proven() -> None:
    rule = rule_for("h264", START + b"\x67\x42" + START + PICTURE)
    assert rule is not None
    assert rule(START + I_PICTURE["frame"], True) == UNPROVEN


def test_a_codec_without_a_rule_has_none() -> None:
    assert rule_for("gif", None) is None


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8", "vp9", "av1", "mpeg2video", "mpeg4", "mjpeg"])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
def test_any_bytes_are_read_without_an_error(codec: str, length: int) -> None:
    rule = rule_for(codec, None)
    assert rule is not None
    assert all(rule(bytes([value]) * length, True) >= 0 for value in range(256))
    assert all(rule((START + bytes([value]) * length)[:length], True) >= 0 for value in range(256))

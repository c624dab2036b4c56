"""Marks of packets that are written by hand from the standards; ../test_planning.py tests packets of real encoders."""

import pytest

from embed.video.codecs.bitstreams import rule_for
from embed.video.codecs.marks import (
    DISPOSABLE,
    ENTRY,
    HIDDEN,
    LAYERED,
    OPEN,
    PARAMETERS,
    PREDICTED,
    SKIPPED,
    TRAILED,
    UNPROVEN,
)

START = b"\0\0\1"
# A picture of one macroblock: profile, level, numbers of sets, frame_num of 4 bits, shown in decoding order, no fields.
SEQUENCE, PICTURE = b"\x67\x42\0\x0a\xdd\xc8", b"\x68\xce\x38\x80"
FIELD_SEQUENCE = b"\x67\x4d\0\x0a\xdd\x98"  # the same, but pictures may be coded as fields
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
        pytest.param(
            "h264", START + b"\x41\x9a" + START + b"\x01\x9e", False, 0, id="one of two fields is a reference"
        ),
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
            id="recovery to approximate pictures, not exact ones",
        ),
        pytest.param(
            "h264",
            START + b"\x06\x00\x03\0\0\3\6\x06\x01\x40\x80" + START + b"\x41\x88\x80",
            True,
            0,
            id="no recovery if an emulation prevention byte looks like one",
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
        pytest.param("vp9", b"\x84\0\0", False, HIDDEN, id="VP9 not shown, no superframe"),
        pytest.param("vp9", b"\x84\0\xc0", False, 0, id="VP9 superframe"),
        pytest.param("vp9", b"\x88\0\0", False, 0, id="VP9 shows an earlier frame"),
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
def test_a_packet_is_marked_from_its_bytes(codec: str, content: bytes, is_key: bool, marks: int) -> None:
    rule = rule_for(codec, None)
    assert rule is not None
    assert rule(content, is_key) == marks


def test_length_fields_are_read_if_the_header_announces_them() -> None:
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
def test_only_whole_pictures_of_interlaced_h264_are_proven(fields: list[str], marks: int) -> None:
    rule = rule_for("h264", START + FIELD_SEQUENCE + START + PICTURE)
    assert rule is not None
    assert rule(b"".join(START + I_PICTURE[field] for field in fields), True) == marks


def test_h264_that_cannot_be_read_is_not_proven() -> None:
    rule = rule_for("h264", START + b"\x67\x42" + START + PICTURE)
    assert rule is not None
    assert rule(START + I_PICTURE["frame"], True) == UNPROVEN


def av1_unit(kind: int, bits: str, *, layer: bytes = b"") -> bytes:
    """Return an AV1 unit with its size; a trailing 1 bit ends it, as the standard requires."""
    whole = bits + "1"
    content = int(whole.ljust(-(-len(whole) // 8) * 8, "0"), 2).to_bytes(-(-len(whole) // 8), "big")
    return bytes([kind << 3 | (4 if layer else 0) | 2]) + layer + bytes([len(content)]) + content


def av1_sequence(*, timing: str = "0", screen_content: str = "1", motion: str = "1") -> bytes:
    """Return a sequence header with one operating point and with order hints of 7 bits."""
    start, operating_point = "000" + "0" + "0" + timing, "0" + "00000" + "0" * 12 + "00000"
    size, tools = "0000" * 2 + "00", "0" + "0" * 7
    return av1_unit(1, start + operating_point + size + tools + "1" + "00" + screen_content + motion + "110")


def av1_frame(*, kind: str = "01", resilient: str = "0", screen_content: str = "0", slots: str = "0" * 8) -> bytes:
    """Return a shown frame that refreshes these slots; by default, it is predicted from others."""
    start = "0" + kind + "1" + resilient + "0" + screen_content
    return av1_unit(6, start + "0" + "0001010" + ("" if resilient == "1" else "000") + slots)


@pytest.mark.parametrize(
    ("sequence", "packet", "marks"),
    [
        pytest.param(av1_sequence(), av1_frame(), DISPOSABLE, id="refreshes nothing"),
        pytest.param(av1_sequence(), av1_frame(slots="00000001"), 0, id="refreshes the last slot"),
        pytest.param(av1_sequence(), av1_frame(slots="10000000"), 0, id="refreshes the first slot"),
        pytest.param(av1_sequence(), av1_frame(kind="10"), 0, id="not predicted"),
        pytest.param(av1_sequence(), av1_frame(resilient="1"), DISPOSABLE, id="resilient"),
        pytest.param(av1_sequence(), av1_frame(screen_content="11", slots="00000001"), 0, id="screen content"),
        pytest.param(
            av1_sequence(screen_content="00", motion=""),
            av1_frame(screen_content=""),
            DISPOSABLE,
            id="never screen content",
        ),
        pytest.param(
            av1_sequence(screen_content="01", motion="00"),
            av1_frame(screen_content=""),
            DISPOSABLE,
            id="always screen content, no integer motion",
        ),
        pytest.param(av1_sequence(timing="1" + "0" * 64 + "1" + "00101" + "0"), av1_frame(), DISPOSABLE, id="timed"),
        pytest.param(av1_sequence(timing="1" + "0" * 64 + "01"), av1_frame(), 0, id="with a decoder model"),
        pytest.param(av1_sequence(), av1_frame() + av1_frame(), 0, id="two shown frames"),
        pytest.param(av1_sequence(), av1_unit(6, "0010") + av1_frame(), TRAILED, id="after one that is not shown"),
        pytest.param(av1_sequence(), av1_unit(3, "0010") + av1_unit(4, "") + av1_frame(), TRAILED, id="in tiles"),
        pytest.param(av1_sequence(), av1_frame() + av1_unit(7, ""), 0, id="with a repeated header"),
        pytest.param(av1_sequence(), av1_unit(3, "1" + "000"), 0, id="shows an earlier frame"),
        pytest.param(av1_sequence(), av1_unit(6, "0011000000", layer=b"\0"), 0, id="with a layer"),
        pytest.param(av1_sequence(), av1_unit(6, ""), 0, id="cut short"),
        pytest.param(b"", av1_frame(), 0, id="no sequence header"),
        pytest.param(
            av1_sequence() + av1_unit(6, "0001") + av1_sequence(timing="1" + "0" * 65 + "0"),
            av1_frame(),
            0,
            id="another sequence header",
        ),
    ],
)
def test_an_av1_frame_that_refreshes_no_slot_is_disposable(sequence: bytes, packet: bytes, marks: int) -> None:
    rule = rule_for("av1", None)
    assert rule is not None
    for unit in sequence.split(av1_unit(6, "0001")):
        rule(unit + av1_unit(6, "0001"), True)
    assert rule(packet, False) == marks


def test_a_codec_without_a_rule_has_none() -> None:
    assert rule_for("gif", None) is None


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8", "vp9", "av1", "mpeg2video", "mpeg4", "mjpeg"])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
def test_any_bytes_are_read_without_an_error(codec: str, length: int) -> None:
    rule = rule_for(codec, None)
    assert rule is not None
    assert all(rule(bytes([value]) * length, True) >= 0 for value in range(256))
    assert all(rule((START + bytes([value]) * length)[:length], True) >= 0 for value in range(256))

"""What outlives a picture of H.264 and HEVC: parameter sets by number, messages, layers."""

import pytest

from embed.video.codecs.bitstreams import rule_for
from embed.video.codecs.marks import DISPOSABLE, ENTRY, LASTING, PARAMETERS, UNPROVEN, Rule
from embed.video.codecs.units import lasting_elements, parameter_units

START = b"\0\0\1"
# A picture of one macroblock: profile, level, numbers of sets, frame_num of 4 bits, shown in decoding order, no fields.
SEQUENCE, PICTURE, OTHER_PICTURE = b"\x67\x42\0\x0a\xdd\xc8", b"\x68\xce\x38\x80", b"\x68\x4e\x38\x80"
KEY, DISPOSED = b"\x65\x88\x82", b"\x01\x9e\x00"


def packet(*units: bytes) -> bytes:
    """Return units after start codes."""
    return b"".join(START + unit for unit in units)


def rule_of(codec: str) -> Rule:
    """Return the rule of a new stream."""
    rule = rule_for(codec, None)
    assert rule is not None
    return rule


def h264_message(kind: int, content: bytes) -> bytes:
    """Return a unit with one message."""
    return bytes([6, kind, len(content)]) + content + b"\x80"


def hevc_message(kind: int, content: bytes) -> bytes:
    """Return a unit with one message."""
    return bytes([39 << 1, 1, kind, len(content)]) + content + b"\x80"


def hevc_unit(kind: int, content: bytes = b"\x80", *, layer: int = 0) -> bytes:
    """Return a unit of the lowest sub-layer."""
    return bytes([kind << 1 | layer >> 5, (layer & 31) << 3 | 1]) + content


def test_an_entry_without_a_set_that_changed_before_is_none() -> None:
    rule = rule_of("h264")
    first = rule(packet(SEQUENCE, PICTURE, OTHER_PICTURE, KEY), True)
    again = rule(packet(SEQUENCE, PICTURE, KEY), True)
    changed = rule(packet(SEQUENCE, PICTURE, OTHER_PICTURE[:2] + b"\x39\x80", KEY), True)
    without = rule(packet(SEQUENCE, PICTURE, KEY), True)
    with_it = rule(packet(SEQUENCE, PICTURE, OTHER_PICTURE, KEY), True)
    assert [marks & ENTRY for marks in (first, again, changed, without, with_it)] == [1, 1, 1, 0, 1]
    assert without & PARAMETERS


@pytest.mark.parametrize("kind", [19, 47, 147])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_picture_with_another_lasting_message_is_kept(codec: str, kind: int) -> None:
    is_hevc, rule = codec == "hevc", rule_of(codec)
    key, disposed = (hevc_unit(19), hevc_unit(0)) if is_hevc else (KEY, DISPOSED)
    before, after = ((hevc_message if is_hevc else h264_message)(kind, content) for content in (b"\1\2", b"\3\4"))
    assert rule(packet(before, key), True) & ENTRY
    assert rule(packet(before, disposed), False) & (DISPOSABLE | LASTING) == DISPOSABLE
    assert rule(packet(after, disposed), False) & (DISPOSABLE | LASTING) == LASTING
    assert not rule(packet(key), True) & ENTRY
    assert rule(packet(before, key), True) & ENTRY


@pytest.mark.parametrize("kind", [0, 1, 4, 6, 137, 144])
def test_a_message_on_one_picture_keeps_none(kind: int) -> None:
    rule = rule_of("h264")
    rule(packet(KEY), True)
    assert rule(packet(h264_message(kind, b"\1\2"), DISPOSED), False) & (DISPOSABLE | LASTING) == DISPOSABLE


def test_another_version_of_x264_holds_on_and_other_settings_do_not() -> None:
    texts = [b"x264 - core 164 r1 options: crf=1", b"x264 - core 164 r1 options: crf=2", b"x264 - core 148 r2"]
    rule = rule_of("h264")
    marks = [rule(packet(h264_message(5, bytes(16) + text), DISPOSED), False) for text in texts]
    assert [each & LASTING for each in marks] == [0, 0, LASTING]


def test_the_sets_of_a_header_are_those_that_the_stream_begins_with() -> None:
    header = b"\1\x42\0\x0a\xff\xe1" + b"".join(
        len(unit).to_bytes(2, "big") + unit + count for unit, count in ((SEQUENCE, b"\1"), (PICTURE, b""))
    )
    assert parameter_units("h264", header) == [SEQUENCE, PICTURE]
    listed = bytes(20) + b"\3\2" + bytes([0x20]) + b"\0\1\0\3\x40\1\2" + bytes([0x21]) + b"\0\1\0\3\x42\1\3"
    assert parameter_units("hevc", b"\1" + listed) == [b"\x40\1\2", b"\x42\1\3"]


@pytest.mark.parametrize(
    ("codec", "unit", "number"),
    [
        pytest.param("h264", SEQUENCE, 0, id="H.264 sequence"),
        pytest.param("h264", OTHER_PICTURE, 1, id="H.264 picture"),
        pytest.param("hevc", b"\x40\1\x5c\1", 5, id="HEVC video"),
        pytest.param("hevc", b"\x42\1\1" + bytes(12) + b"\x60", 2, id="HEVC sequence"),
        pytest.param("hevc", b"\x42\1\5" + bytes(12) + b"\xc0\0" + bytes(12) + b"\x60", 2, id="HEVC sub-layers"),
        pytest.param("hevc", b"\x44\1\x60", 2, id="HEVC picture"),
    ],
)
def test_a_parameter_set_is_known_by_its_number(codec: str, unit: bytes, number: int) -> None:
    assert [kind[2] for kind in lasting_elements(codec, [unit])] == [(0, number)]  # type: ignore[index]


def test_a_packet_with_other_layers_than_the_first_is_not_proven() -> None:
    both = rule_of("hevc")
    assert both(packet(hevc_unit(19), hevc_unit(19, layer=1)), True) == ENTRY
    assert both(packet(hevc_unit(1), hevc_unit(1, layer=1)), False) == 0
    assert both(packet(hevc_unit(19)), True) & UNPROVEN
    one = rule_of("hevc")
    assert one(packet(hevc_unit(19)), True) == ENTRY
    assert one(packet(hevc_unit(19), hevc_unit(19, layer=1)), True) & UNPROVEN


def test_an_entry_that_discards_pictures_waiting_to_be_shown_is_not_proven() -> None:
    rule = rule_of("hevc")
    assert rule(packet(hevc_unit(19, b"\xc0")), True) == ENTRY  # nothing waits before the first
    assert rule(packet(hevc_unit(19, b"\x80")), True) == ENTRY
    assert rule(packet(hevc_unit(19, b"\xc0")), True) & UNPROVEN

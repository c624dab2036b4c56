"""What outlives a picture of MPEG-4 and MPEG-2: marks of packets, and streams of an encoder with elements put in."""

from pathlib import Path

import pytest

from embed.video.codecs.bitstreams import rule_for
from embed.video.codecs.marks import DISPOSABLE, ENTRY, LASTING, PARAMETERS, UNPROVEN, Rule
from tests.embed.codings import write_coding
from tests.embed.video.codecs.test_lasting import contents, rewrite, start_code, unlike_in_order
from tests.embed.video.test_planning import mistakes, planned_choices
from tests.media import write_moving_video

PICTURES = {kind: b"\0\0\1\xb6" + bytes([code << 6]) + bytes(range(1, 30)) for code, kind in enumerate("IPB")}
CLOCK = start_code(0xB3, "0" * 20)


def layer(*, is_interlaced: bool = False, quantiser: str = "0") -> bytes:
    """Return the header of a layer (VOL): 128 x 96 pixels at 25 frames per second."""
    size = f"1{128:013b}1{96:013b}1"
    return start_code(
        0x20,
        "0"
        + "00000001"
        + "0"
        + "0001"
        + "0"
        + "00"
        + f"1{25:016b}1"
        + "0"
        + size
        + f"{is_interlaced:b}"
        + "1"
        + "0"
        + quantiser,
    )


def mpeg4_rule(header: bytes = b"") -> Rule:
    """Return the rule of a new MPEG-4 stream."""
    rule = rule_for("mpeg4", header)
    assert rule is not None
    return rule


def test_a_b_picture_is_disposable_unless_its_layer_is_interlaced() -> None:
    assert mpeg4_rule(layer())(PICTURES["B"], False) & (DISPOSABLE | UNPROVEN) == DISPOSABLE
    assert mpeg4_rule(layer(is_interlaced=True))(PICTURES["B"], False) & UNPROVEN
    assert not mpeg4_rule(layer(is_interlaced=True))(PICTURES["P"], False) & UNPROVEN


def test_a_layer_that_cannot_be_read_may_be_interlaced() -> None:
    assert mpeg4_rule(start_code(0x20, "0" * 9))(PICTURES["B"], False) & UNPROVEN


def test_a_group_that_a_later_layer_makes_interlaced_is_not_proven() -> None:
    rule = mpeg4_rule(layer())
    rule(PICTURES["I"], True)
    assert rule(layer(is_interlaced=True) + PICTURES["I"], True) & PARAMETERS
    assert rule(PICTURES["B"], False) & UNPROVEN


@pytest.mark.parametrize(
    ("heads", "is_proven"),
    [
        pytest.param([CLOCK, b"", b""], True, id="only the first"),
        pytest.param([b"", CLOCK, CLOCK], True, id="all but the first"),
        pytest.param([CLOCK, b"", CLOCK], False, id="some"),
        pytest.param([CLOCK, CLOCK, b""], False, id="not the last"),
    ],
)
def test_the_clock_is_set_at_all_entries_or_at_none(heads: list[bytes], is_proven: bool) -> None:
    rule = mpeg4_rule(layer())
    marks = [rule(head + PICTURES["I"], True) for head in heads]
    assert any(each & UNPROVEN for each in marks) != is_proven


@pytest.mark.parametrize("kind", ["P", "B"])
def test_a_picture_that_sets_the_clock_between_entries_is_not_proven(kind: str) -> None:
    rule = mpeg4_rule(layer())
    rule(PICTURES["I"], True)
    assert rule(CLOCK + PICTURES[kind], False) & UNPROVEN


def test_another_layer_beside_a_b_picture_keeps_it() -> None:
    rule = mpeg4_rule(layer())
    rule(PICTURES["I"], True)
    marks = rule(layer(quantiser="1") + PICTURES["B"], False)
    assert marks & (LASTING | DISPOSABLE) == LASTING
    assert not rule(PICTURES["I"], True) & ENTRY
    assert rule(layer() + PICTURES["I"], True) & ENTRY


@pytest.mark.parametrize(("name", "is_heeded"), [(b"XviD0047", True), (b"Lavc52.1", True), (b"Camera 7", False)])
def test_the_name_of_another_encoder_holds_on(name: bytes, is_heeded: bool) -> None:
    rule = mpeg4_rule(layer())
    rule(b"\0\0\1\xb2Lavc60.3" + PICTURES["I"], True)
    marks = rule(b"\0\0\1\xb2" + name + PICTURES["B"], False)
    assert bool(marks & LASTING) == is_heeded
    assert bool(rule(PICTURES["I"], True) & ENTRY) != is_heeded


@pytest.mark.parametrize("ending", ["mp4", "avi", "ts"])
def test_interlaced_b_pictures_of_mpeg4_are_decoded_in_order(tmp_path: Path, ending: str) -> None:
    path = write_coding(tmp_path, "MPEG-4 interlaced", ending)
    assert planned_choices(path) == set()
    assert {count: unlike_in_order(path, count) for count in (1, 3, 8)} == {1: [], 3: [], 8: []}


@pytest.mark.parametrize("removed", ["every second", "all", "the first"])
def test_mpeg4_without_some_clocks_is_decoded_as_it_is_in_order(tmp_path: Path, removed: str) -> None:
    options = {"g": "12", "bf": "2", "flags": "+mv4"}
    source = write_moving_video(tmp_path / "a.ts", 72, codec="mpeg4", options=options)
    clocks = [order for order, content in enumerate(contents(source)) if CLOCK[:4] in content]
    places = {"every second": clocks[1::2], "all": clocks, "the first": clocks[:1]}[removed]

    def change(order: int, content: bytes) -> bytes:
        at = content.find(CLOCK[:4])
        return content[:at] + content[at + 7 :] if at >= 0 and order in places else content

    path = rewrite(source, tmp_path / "b.ts", change)
    assert sum(CLOCK[:4] in content for content in contents(path)) == len(clocks) - len(places)
    assert mistakes(path) == {}
    assert bool(planned_choices(path)) == (removed != "every second")


def test_a_display_extension_that_comes_later_must_be_at_each_later_entry() -> None:
    rule = rule_for("mpeg2video", None)
    assert rule is not None
    sequence, picture = b"\0\0\1\xb3" + bytes(range(1, 9)), b"\0\0\1\0\0\x08\xff\xf8" + b"\0\0\1\1" + bytes(range(1, 9))
    display = b"\0\0\1\xb5\x23\5\5\5"
    marks = [rule(sequence + extra + picture, True) & ENTRY for extra in (b"", b"", display, b"", display)]
    assert marks == [ENTRY, ENTRY, ENTRY, 0, ENTRY]

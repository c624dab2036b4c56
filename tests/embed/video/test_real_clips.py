"""Xvid clips as cameras and editors write them: B-pictures packed in pairs, repeated pictures, ends cut off anywhere.

AVI stores no presentation times, and FFmpeg makes up wrong ones. A clip shows the frames that its decoder returns, one
after another; the headers of the pictures prove that these are in the order shown.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import av
import pytest

from tests.playing import play, unlike

KINDS = "IPBS"  # kinds of pictures, as numbered in their headers. Source: ISO/IEC 14496-2, table 6-20
REPEATS_BYTES = 8  # the maximum size of a packet that repeats the previous picture


def as_shown(path: Path) -> str:
    """Return the kinds of a clip's pictures as shown: a B-picture precedes the picture that it follows in the file.

    Source: ISO/IEC 14496-2, 6.1.3.5 (the order of VOPs).
    """
    with av.open(str(path)) as container:
        contents = [bytes(packet) for packet in container.demux(video=0) if packet.size > REPEATS_BYTES]
    kinds = [KINDS[head[0] >> 6] for content in contents for head in re.findall(b"(?s)\0\0\1\xb6(.)", content)]
    shown, held = "", ""
    for kind in kinds:
        shown, held = (shown + kind, held) if kind == "B" else (shown + held, kind)
    return shown + held


def without_what_the_cut_took(kinds: str) -> str:
    """Return the kinds without the last B-picture, packed with another picture: the packet that shows it is cut off."""
    return kinds[:-2] + kinds[-1]


def wrongs(clips: Sequence[Path]) -> dict[str, list[int]]:
    """Return, for each clip, the frames that differ from those that a player shows."""
    return {clip.name: wrong for clip in clips if (wrong := unlike(clip, list(play(clip)), 1000))}


def misordered(clips: Sequence[Path]) -> dict[str, str]:
    """Return the kinds of the pictures that a player shows, for clips where their order differs from the headers'."""
    played = {clip: "".join(shown.kind.name for shown in play(clip)) for clip in clips}
    told = {clip: as_shown(clip) for clip in clips}
    return {
        clip.name: kinds
        for clip, kinds in played.items()
        if kinds not in (told[clip], without_what_the_cut_took(told[clip]))
    }


@pytest.fixture
def clips(ut_interaction6: Path) -> list[Path]:
    """Return all 120 clips."""
    found = sorted(ut_interaction6.rglob("*.avi"))
    assert len(found) == 120
    return found


def test_every_tenth_clip_gives_the_frames_that_a_player_shows(clips: list[Path]) -> None:
    assert wrongs(clips[::10]) == {}


def test_a_player_shows_every_tenth_clip_in_the_order_of_its_picture_headers(clips: list[Path]) -> None:
    assert misordered(clips[::10]) == {}


@pytest.mark.nightly
def test_every_clip_gives_the_frames_that_a_player_shows(clips: list[Path]) -> None:
    assert wrongs(clips) == {}


@pytest.mark.nightly
def test_a_player_shows_every_clip_in_the_order_of_its_picture_headers(clips: list[Path]) -> None:
    assert misordered(clips) == {}

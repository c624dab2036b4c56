"""Planned decoding returns exactly the pixels that decoding everything returns."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.errors import VideoError
from embed.machine import VIDEO_SUFFIXES
from embed.video.decoding import read_frames, shown_by_parts, shown_by_plan, shown_in_order
from embed.video.packet_feed import SEEK_BYTES, PlanFailed
from embed.video.planning import plan_packets
from embed.video.sampling import UniformFrames
from embed.video.timeline import Packets, read_packets
from tests.embed.mixes import CODECS, ENDINGS, FRAME_COUNT, MIXES, Mix, numbers_of, write_mix
from tests.media import (
    encode_again,
    field_level,
    join_streams,
    retime_packets,
    set_edits,
    write_field_video,
    write_moving_video,
)
from tests.playing import play, unlike

DAMAGED = {"corrupted.mp4"}
LARGE_BYTES = 600_000
RECODED = {"H.264 open pyramid": 0, "HEVC open pyramid": 35, "VP9": 70, "AV1": 105}  # and one of the real clips

Targets = Callable[[int], NDArray[np.int64]]
TARGETS: dict[str, Targets] = {
    "three": lambda count: np.array([count // 6, count // 2, count - 2]),
    "every seventh": lambda count: np.arange(3, count, 7),
    "around key frames": lambda count: np.array([i for i in range(count) if i % 32 in (13, 15, 16, 30)]),
    "at random": lambda count: np.flatnonzero(np.random.default_rng(count).random(count) < 0.15),
    "eight": lambda count: np.linspace(0, count - 1, 8).astype(np.int64),
    "a hundred": lambda count: np.linspace(0, count - 1, 100).astype(np.int64),
    "all": np.arange,
    "the last": lambda count: np.array([count - 1]),
    "the first": lambda _: np.array([0]),
}
SPARSE = {"three", "every seventh", "at random", "eight", "the last", "key frames"}  # planned if any choice is


def differing(
    path: Path, wanted: NDArray[np.int64], packets: Packets, everything: dict[int, NDArray[np.uint8]], seek_bytes: int
) -> list[int]:
    """Return the wanted frames that planned decoding returns with other pixels, or not at all."""
    plan = plan_packets(packets, wanted)
    if plan is None:
        return []
    targets = frozenset(wanted.tolist())
    planned = dict(shown_by_plan(str(path), packets, plan, targets, thread_count=2, seek_bytes=seek_bytes))
    return [i for i in sorted(targets) if i not in planned or not np.array_equal(planned[i], everything[i])]


def differing_by_parts(
    path: Path, wanted: NDArray[np.int64], packets: Packets, everything: dict[int, NDArray[np.uint8]]
) -> list[int]:
    """Return the wanted frames that three parallel decoders return with other pixels, or not at all."""
    plan = plan_packets(packets, wanted, decoders=3)
    if plan is None:
        return []
    parts = shown_by_parts(str(path), packets, plan, frozenset(wanted.tolist()), 3)
    found = dict(frame for part in parts for frame in part)
    return [i for i in wanted.tolist() if i not in found or not np.array_equal(found[i], everything[i])]


def choices_of(packets: Packets) -> dict[str, NDArray[np.int64]]:
    choices = {name: np.unique(choose(packets.timeline.frame_count)) for name, choose in TARGETS.items()}
    choices["key frames"] = np.flatnonzero(packets.timeline.is_keyframe)[::2]
    return {name: chosen for name, chosen in choices.items() if len(chosen) and chosen.min() >= 0}


def planned_choices(path: Path) -> set[str]:
    """Return the choices of targets that are decoded by plan: `mistakes` tests only these."""
    packets = read_packets(str(path))
    return {name for name, chosen in choices_of(packets).items() if plan_packets(packets, chosen) is not None}


def mistakes(path: Path) -> dict[str, list[int]]:
    """Return, for each choice of targets, the frames that differ from those of decoding everything.

    Each choice is decoded once reading over gaps, and once seeking over them.
    """
    packets = read_packets(str(path))
    everyone = frozenset(range(packets.timeline.frame_count))
    everything = dict(shown_in_order(str(path), packets.timeline, everyone, thread_count=2))
    choices = choices_of(packets)
    one_by_one = {
        f"{name}, seeks over {seek_bytes} bytes": differing(path, chosen, packets, everything, seek_bytes)
        for name, chosen in choices.items()
        for seek_bytes in (0, SEEK_BYTES)
    }
    side_by_side = {
        f"{name}, three decoders": differing_by_parts(path, chosen, packets, everything)
        for name, chosen in choices.items()
    }
    return {name: wrong for name, wrong in (one_by_one | side_by_side).items() if wrong}


def sent_share(path: Path, *, target_count: int = 1) -> float:
    """Return the share of packets, up to the last of some evenly spaced frames, that is sent for these frames."""
    packets = read_packets(str(path))
    wanted = UniformFrames(target_count).choose(packets.timeline.frame_count)
    plan = plan_packets(packets, wanted)
    whole = int(np.flatnonzero(np.isin(packets.frame_of, wanted))[-1]) + 1
    return 1.0 if plan is None else sum(len(run.orders) for run in plan) / whole


@pytest.fixture(scope="module", params=MIXES)
def mix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mix:
    """Return one video of each codec in each container."""
    return write_mix(tmp_path_factory.mktemp("mix"), *request.param)


def test_planned_frames_equal_those_of_decoding_everything(mix: Mix) -> None:
    assert mistakes(mix.path) == {}
    assert planned_choices(mix.path) & SPARSE == (SPARSE if mix.is_planned else set())


def test_the_frames_are_those_that_a_player_shows(mix: Mix) -> None:
    shown = list(play(mix.path))
    assert numbers_of(frame.rgb for frame in shown) == list(range(FRAME_COUNT))
    assert {count: unlike(mix.path, shown, count) for count in (3, 1000)} == {3: [], 1000: []}


def encoded_again(clip: Path, folder: Path, name: str) -> Path:
    """Return a real clip encoded with one of the codecs."""
    codec, options, pixel_format = CODECS[name]
    goal = folder / f"{clip.stem}.{ENDINGS[name.split()[0]][0]}"
    return encode_again(clip, goal, codec=codec, options=options, pixel_format=pixel_format)


@pytest.mark.parametrize(("name", "number"), RECODED.items())
def test_planned_frames_of_real_clips_in_other_codecs_equal_those_of_decoding_everything(
    tmp_path: Path, ut_interaction6: Path, name: str, number: int
) -> None:
    path = encoded_again(sorted(ut_interaction6.rglob("*.avi"))[number], tmp_path, name)
    assert mistakes(path) == {}
    assert planned_choices(path) >= SPARSE
    assert sent_share(path) < 0.5


@pytest.mark.nightly
@pytest.mark.parametrize("name", RECODED)
def test_planned_frames_of_every_real_clip_in_another_codec_equal_those_of_decoding_everything(
    tmp_path: Path, ut_interaction6: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    clips = [encoded_again(clip, tmp_path, name) for clip in sorted(ut_interaction6.rglob("*.avi"))]
    assert len({path.name for path in clips}) == 120
    one, eight = (np.array([sent_share(path, target_count=count) for path in clips]) for count in (1, 8))
    with capsys.disabled():
        print(f"\n{name}: share of packets sent for 1 frame {one.mean():.3f}, for 8 {eight.mean():.3f}")
    assert {path.name: wrong for path in clips if (wrong := mistakes(path))} == {}
    assert one.max() < 1


@pytest.mark.parametrize("name", ["H.264 pyramid", "H.264 open", "HEVC open pyramid", "VP9"])
def test_an_edit_list_shows_its_part_and_is_planned(tmp_path: Path, name: str) -> None:
    codec, options, pixel_format = CODECS[name]
    whole = write_moving_video(tmp_path / "a.mp4", FRAME_COUNT, codec=codec, options=options, pixel_format=pixel_format)
    everything = shown_in_order(str(whole), read_packets(str(whole)).timeline, frozenset(range(13, 74)))
    pictures = [rgb for _, rgb in everything]
    path = set_edits(whole, [(13, 61)])
    packets = read_packets(str(path))
    np.testing.assert_allclose(packets.timeline.timestamps_s, np.arange(61) / 25, atol=1e-6)
    assert len(packets.marks) > 61 + 13
    edited = dict(shown_in_order(str(path), packets.timeline, frozenset(range(61))))
    assert all(np.array_equal(edited[index], rgb) for index, rgb in enumerate(pictures))
    assert mistakes(path) == {}
    assert sent_share(path) < 1


def test_if_an_edit_list_repeats_pictures_everything_is_decoded(tmp_path: Path) -> None:
    codec, options, _ = CODECS["H.264 no B"]
    path = write_moving_video(tmp_path / "a.mp4", FRAME_COUNT, codec=codec, options=options)
    set_edits(path, [(10, 30), (50, 31)])
    assert mistakes(path) == {}
    assert plan_packets(read_packets(str(path)), np.array([28])) is None


@pytest.mark.parametrize(
    ("fields_per_packet", "ending", "is_planned"),
    [(2, "mp4", True), (2, "mkv", True), (1, "mkv", False), (2, "ts", False)],
)
def test_two_fields_are_shown_as_one_picture_in_one_packet_or_two(
    tmp_path: Path, fields_per_packet: int, ending: str, is_planned: bool
) -> None:
    path = write_field_video(tmp_path / f"a.{ending}", 12, fields_per_packet=fields_per_packet)
    frames = read_frames(str(path), UniformFrames(100))
    levels = [[field_level(number, is_bottom=is_bottom) for is_bottom in (False, True)] for number in range(12)]
    np.testing.assert_allclose(frames.rgb[:, 0, :2, 0, 0], (np.array(levels) - 16) * 255 / 219, atol=2)
    np.testing.assert_allclose(frames.timestamps_s, np.arange(12) / 25, atol=1e-6)
    few = read_frames(str(path), UniformFrames(3))
    np.testing.assert_array_equal(few.rgb, frames.rgb[[2, 6, 10]])
    assert (few.timeline.frame_count, few.damaged_count) == (12, 0)
    assert (plan_packets(read_packets(str(path)), np.array([4])) is not None) == is_planned
    assert not is_planned or mistakes(path) == {}


@pytest.mark.parametrize("name", ["H.264 open", "H.264 open pyramid", "HEVC open pyramid", "MPEG-2", "MPEG-4"])
def test_if_timestamps_hide_leading_pictures_everything_is_decoded(tmp_path: Path, name: str) -> None:
    codec, options, _ = CODECS[name]
    path = write_moving_video(tmp_path / "a.mkv", FRAME_COUNT, codec=codec, options=options)
    count = len(read_packets(str(path)).marks)
    hidden = retime_packets(path, tmp_path / "b.mkv", list(range(count)))
    assert plan_packets(read_packets(str(hidden)), np.array([count - 30])) is None


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("name", ["H.264 pyramid", "HEVC open", "VP9"])
def test_planned_frames_of_a_variable_rate_equal_those_of_decoding_everything(
    tmp_path: Path, name: str, ending: str
) -> None:
    codec, options, _ = CODECS[name]
    path = write_moving_video(tmp_path / f"a.{ending}", FRAME_COUNT, codec=codec, options=options)
    packets = read_packets(str(path))
    steps = np.random.default_rng(3).integers(1, 9, FRAME_COUNT)
    ticks = np.cumsum(steps)[packets.frame_of].tolist()
    uneven = retime_packets(path, tmp_path / f"b.{ending}", ticks)
    assert len(np.unique(np.diff(read_packets(str(uneven)).timeline.timestamps_s).round(6))) > 5
    assert plan_packets(read_packets(str(uneven)), np.array([50])) is not None
    assert mistakes(uneven) == {}


@pytest.mark.parametrize("ending", ["ts", "h264"])
def test_a_change_of_size_within_a_stream_shows_the_frames_of_decoding_everything(tmp_path: Path, ending: str) -> None:
    codec, options, _ = CODECS["H.264 closed"]
    parts = [
        write_moving_video(tmp_path / f"{side}.h264", 40, codec=codec, options=options, width_px=side)
        for side in (128, 192)
    ]
    path = join_streams(parts, tmp_path / f"a.{ending}")
    packets = read_packets(str(path))
    assert len(packets.marks) == 80
    assert mistakes(path) == {}


def test_groups_without_a_target_are_not_sent(tmp_path: Path) -> None:
    codec, options, _ = CODECS["H.264 no B"]
    path = write_moving_video(tmp_path / "a.mp4", 64, codec=codec, options=options)
    first, run = plan_packets(read_packets(str(path)), np.array([35])) or []
    assert first.orders.tolist() == [0]
    assert run.orders.tolist() == [32, 33, 34, 35]


def test_disposable_pictures_that_are_not_targets_are_not_sent(tmp_path: Path) -> None:
    codec, options, _ = CODECS["MPEG-4"]
    path = write_moving_video(tmp_path / "a.mp4", 64, codec=codec, options=options)
    packets = read_packets(str(path))
    (run,) = plan_packets(packets, np.array([9])) or []
    assert packets.frame_of[run.orders].tolist() == [0, 3, 6, 9]


def test_a_leading_picture_also_needs_the_previous_group(tmp_path: Path) -> None:
    codec, options, _ = CODECS["HEVC open pyramid"]
    packets = read_packets(str(write_moving_video(tmp_path / "a.mp4", 96, codec=codec, options=options)))
    entries = np.flatnonzero(packets.timeline.is_keyframe)
    _, run = plan_packets(packets, entries[3:4] - 1) or []
    assert packets.frame_of[run.orders[0]] == entries[2]


def odd_files(folder: Path, sizes_bytes: range) -> list[Path]:
    """Return the odd video files, with any suffix, whose sizes are in this range."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in VIDEO_SUFFIXES)
    return [path for path in paths if path.stat().st_size in sizes_bytes]


def test_planned_frames_of_every_odd_video_equal_those_of_decoding_everything(odd_videos: Path) -> None:
    small = odd_files(odd_videos, range(LARGE_BYTES))
    assert {path.name: wrong for path in small if (wrong := mistakes_or_fallback(path))} == {}
    assert len([path for path in small if planned_choices(path)]) >= 21
    assert ".gif" in {path.suffix for path in small}


@pytest.mark.nightly
def test_planned_frames_of_every_large_odd_video_equal_those_of_decoding_everything(odd_videos: Path) -> None:
    large = odd_files(odd_videos, range(LARGE_BYTES, 1 << 40))
    assert {path.name: wrong for path in large if (wrong := mistakes_or_fallback(path))} == {}
    assert len([path for path in large if planned_choices(path)]) >= 4
    assert ".avi" in {path.suffix for path in large}


def test_real_clips_with_one_key_frame_are_decoded_in_order(ut_interaction6: Path) -> None:
    clips = sorted(ut_interaction6.rglob("*.avi"))
    assert len(clips) == 120
    assert [path.name for path in clips if planned_choices(path)] == []


def mistakes_or_fallback(path: Path) -> dict[str, list[int]]:
    """Return the mistakes; for a file that is damaged on purpose, a plan that notices its own failure has none."""
    try:
        return mistakes(path)
    except (PlanFailed, VideoError):
        if path.name not in DAMAGED:
            raise
        return {}

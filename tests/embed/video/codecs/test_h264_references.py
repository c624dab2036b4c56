"""B-pictures that are not needed are found, and their stand-ins leave all other pictures unchanged."""

from pathlib import Path

import numpy as np
import pytest

from embed.video.codecs.h264_headers import ParameterSets
from embed.video.codecs.h264_references import stand_ins
from embed.video.codecs.units import parameter_units
from embed.video.decoding import shown_by_plan, shown_in_order
from embed.video.planning import plan_packets
from embed.video.timeline import Packets, read_packets
from tests.media import write_moving_video

PYRAMID = {"g": "32", "preset": "veryfast", "bf": "3", "sc_threshold": "0"}
PYRAMID_PARAMETERS = "b-pyramid=normal:b-adapt=0"


def pyramid(path: Path, references: int, *more: str) -> Packets:
    """Return the packets of 64 frames: key frames are 0 and 32; between every fourth are two layers of B-pictures."""
    options = PYRAMID | {"refs": str(references), "x264-params": ":".join((PYRAMID_PARAMETERS, *more))}
    return read_packets(str(write_moving_video(path, 64, codec="libx264", options=options)))


def replaced_frames(packets: Packets, wanted: list[int]) -> list[int]:
    runs = plan_packets(packets, np.array(wanted)) or []
    return sorted(int(packets.frame_of[order]) for run in runs for order in run.stand_ins)


def test_b_pictures_that_only_unwanted_pictures_refer_to_are_replaced(tmp_path: Path) -> None:
    packets = pyramid(tmp_path / "a.mp4", 1)
    assert replaced_frames(packets, [21]) == [2, 6, 10, 14, 18]


def test_a_wanted_b_picture_keeps_the_one_it_refers_to(tmp_path: Path) -> None:
    packets = pyramid(tmp_path / "a.mp4", 1)
    assert 6 not in replaced_frames(packets, [5, 20])
    assert 2 in replaced_frames(packets, [5, 20])


@pytest.mark.parametrize("ending", ["mp4", "ts"])
@pytest.mark.parametrize("more", ["slices=1", "slices=3", "weightp=2:weightb=1", "cabac=0", "direct=temporal"])
def test_frames_beside_replaced_ones_are_exact(tmp_path: Path, more: str, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    packets = pyramid(path, 1, more)
    wanted = frozenset({5, 12, 23, 40, 47, 62})
    plan = plan_packets(packets, np.array(sorted(wanted)))
    assert plan is not None
    assert any(run.stand_ins for run in plan)
    planned = dict(shown_by_plan(str(path), packets, plan, wanted, 2))
    in_order = dict(shown_in_order(str(path), packets.timeline, wanted, 2))
    assert [index for index in wanted if not np.array_equal(planned[index], in_order[index])] == []


def test_b_pictures_that_later_pictures_list_are_not_replaced(tmp_path: Path) -> None:
    assert replaced_frames(pyramid(tmp_path / "a.mp4", 4), [21, 28]) == []


def test_a_stand_in_has_the_number_order_and_markings_of_its_picture(tmp_path: Path) -> None:
    packets = pyramid(tmp_path / "a.mp4", 1)
    known = ParameterSets()
    for unit in parameter_units("h264", packets.extradata):
        known.learn(unit)
    (replaced,) = [run.stand_ins for run in plan_packets(packets, np.array([21])) or [] if run.stand_ins]
    for order, (parameters, stand_in) in replaced.items():
        known.learn(parameters)
        (_, found), (_, original) = known.read_slice(stand_in), known.read_slice(packets.heads[order][0])
        assert (found.frame_number, found.order_low) == (original.frame_number, original.order_low)
        assert (found.unmarked, found.reference_level) == (original.unmarked, original.reference_level)


def heads_of(packets: Packets) -> tuple[list[list[bytes]], list[bytes], list[bool]]:
    """Return the arguments of `stand_ins` for the first group of pictures, without a target."""
    heads = [list(units) for units in packets.heads[:20]]
    return heads, parameter_units("h264", packets.extradata), [False] * 20


def test_a_stream_that_uses_the_spare_parameter_set_keeps_all_pictures(tmp_path: Path) -> None:
    heads, parameters, is_target = heads_of(pyramid(tmp_path / "a.mp4", 1))
    replaced = stand_ins(heads, parameters, is_target)
    assert replaced
    spare = next(iter(replaced.values()))[0]
    assert stand_ins(heads, [*parameters, spare], is_target) == {}
    assert stand_ins([[spare, *heads[0]], *heads[1:]], parameters, is_target) == {}


def test_two_pictures_in_one_packet_replace_nothing(tmp_path: Path) -> None:
    heads, parameters, is_target = heads_of(pyramid(tmp_path / "a.mp4", 1))
    assert stand_ins(heads, parameters, is_target)
    assert stand_ins([*heads[:4], heads[4] + heads[5], *heads[6:]], parameters, is_target[1:]) == {}


@pytest.mark.parametrize("length", [0, 1, 5, 30])
def test_units_that_make_no_sense_replace_nothing(length: int) -> None:
    units = [bytes([kind]) + bytes([value]) * length for kind in (0x65, 0x41, 0x67, 0x68) for value in range(0, 256, 5)]
    assert stand_ins([[unit] for unit in units], units, [False] * len(units)) == {}
    assert stand_ins([[unit, unit] for unit in units], [], [True] * len(units)) == {}

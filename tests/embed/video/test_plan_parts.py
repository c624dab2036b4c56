from dataclasses import replace
from pathlib import Path

import numpy as np

from embed.video.planning import decoders_for, part_plan, plan_packets
from embed.video.timeline import read_packets
from tests.media import write_moving_video


def test_decoders_share_a_plan_evenly_and_completely(tmp_path: Path) -> None:
    path = write_moving_video(tmp_path / "clip.mp4", 96, codec="libx264", options={"g": "12", "bf": "0"})
    packets = read_packets(str(path))
    plan = plan_packets(packets, np.arange(6, 96, 12)) or []

    parts = part_plan(plan, 3)

    sent = [np.concatenate([run.orders for run in part]) for part in parts]
    # The first packet goes to every decoder, since encoders write their name and version into it.
    assert [orders[0] for orders in sent] == [0, 0, 0]
    shared = np.concatenate([sent[0], sent[1][1:], sent[2][1:]])
    np.testing.assert_array_equal(shared, np.concatenate([run.orders for run in plan]))
    assert max(map(len, sent)) - min(map(len, sent)) <= 7


def test_large_pictures_are_decoded_by_fewer_decoders_at_a_time(tmp_path: Path) -> None:
    timeline = read_packets(str(write_moving_video(tmp_path / "clip.mp4", 2, codec="libx264", options={}))).timeline
    assert decoders_for(timeline, 16) == 16
    assert decoders_for(replace(timeline, width_px=3840, height_px=2160), 16) == 2
    assert decoders_for(replace(timeline, width_px=7680, height_px=4320), 16) == 1


def test_a_header_that_claims_no_pixels_stops_no_decoder(tmp_path: Path) -> None:
    timeline = read_packets(str(write_moving_video(tmp_path / "clip.mp4", 2, codec="libx264", options={}))).timeline
    assert decoders_for(replace(timeline, width_px=0), 2) == 2

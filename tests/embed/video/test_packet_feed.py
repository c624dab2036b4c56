"""What is sent in place of a packet; that the pictures stay the same is shown by tests/embed/video/test_planning.py."""

from pathlib import Path

import numpy as np

from embed.video.planning import plan_packets
from embed.video.timeline import read_packets
from tests.embed.mixes import CODECS
from tests.embed.video.test_planning import mistakes
from tests.media import write_moving_video


def test_what_an_av1_packet_shows_is_cut_off_where_nothing_leans_on_it(tmp_path: Path) -> None:
    codec, options, _ = CODECS["AV1"]
    path = write_moving_video(tmp_path / "a.mp4", 96, codec=codec, options=options | {"g": "64"})
    plan = plan_packets(read_packets(str(path)), np.array([60]))
    assert plan is not None
    assert sum(len(run.orders) for run in plan) < 0.8 * 61
    assert sum(len(run.cuts) for run in plan) > 0.1 * 61
    assert mistakes(path) == {}

"""What is sent in place of a packet; tests/embed/video/test_planning.py shows that the pictures stay the same."""

from pathlib import Path

import numpy as np

from embed.video.planning import plan_packets
from embed.video.timeline import read_packets
from tests.embed.mixes import CODECS
from tests.embed.video.test_planning import mistakes
from tests.media import write_moving_video


def test_the_shown_picture_of_an_av1_packet_is_cut_off_if_nothing_refers_to_it(tmp_path: Path) -> None:
    codec, options, _ = CODECS["AV1"]
    path = write_moving_video(tmp_path / "a.mp4", 96, codec=codec, options=options | {"g": "64"})
    plan = plan_packets(read_packets(str(path)), np.array([60]))
    assert plan is not None
    assert sum(len(run.orders) for run in plan) < 0.8 * 61
    assert sum(len(run.cuts) for run in plan) > 0.1 * 61
    assert mistakes(path) == {}

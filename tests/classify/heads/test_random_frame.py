import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from classify.heads.random_frame import RandomFrameHead, choose_row


@pytest.mark.parametrize(
    ("video_id", "row_count", "row"),
    [
        # sha256sum, then its last 32 bits by hand: mod 2^k only the last digits count.
        ("abc", 16, 0xD),  # ba7816bf ... f20015ad
        ("abc", 256, 0xAD),
        ("", 256, 0x55),  # e3b0c442 ... 7852b855
        ("", 1, 0),
    ],
)
def test_the_row_is_the_ids_sha256_mod_the_row_count(video_id: str, row_count: int, row: int) -> None:
    assert choose_row(video_id, row_count) == row


@pytest.mark.parametrize("video_id", ["food/0001.mp4", "旅行.mp4", "a" * 300])
def test_no_digit_of_a_hash_beyond_2_to_the_53_is_lost(video_id: str) -> None:
    exact = int(sha256(video_id.encode()).hexdigest(), 16)

    assert exact > 2**53
    assert choose_row(video_id, 97) == exact % 97
    assert choose_row(video_id, 97) != int(float(exact)) % 97


def test_the_row_is_the_same_in_processes_that_hash_strings_differently() -> None:
    code = "from classify.heads.random_frame import choose_row; print(hash('x.mp4'), choose_row('x.mp4', 10**9))"

    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    )

    assert first[0] != second[0]
    assert first[1] == second[1]


def test_random_frame_keeps_the_one_vector_at_that_row() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)

    selected = RandomFrameHead(3, 2).select(vectors, "abc")

    assert selected.tolist() == [vectors[0xAD % 4].tolist()]

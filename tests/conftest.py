"""Fixtures that several test modules share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def odd_videos() -> Path:
    """The folder of files that break video readers; skips where it is absent."""
    folder = SHARED_DATA / "odd_videos"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it holds real files that break video readers, and is not shipped")
    return folder


@pytest.fixture
def ut_interaction6() -> Path:
    """The folder of 120 labelled clips; skips where it is absent."""
    folder = SHARED_DATA / "ut_interaction6"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it holds 120 labelled real clips, and is not shipped")
    return folder

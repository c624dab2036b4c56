"""Fixtures that several test modules share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from embed.encoders.torchvision_operators import declare_missing_operators
from tests.browsers import open_browser
from tests.embed.encoders.frames import SMALL_CLIP

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a small CLIP with random weights."""
    declare_missing_operators()
    import open_clip

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "clip.pt"
    model = open_clip.create_model(SMALL_CLIP)
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture
def cases() -> Path:
    """Return the folder of small videos that were once decoded wrongly; skip the test if it is absent."""
    folder = SHARED_DATA / "cases"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it holds small videos that were once decoded wrongly, and is not shipped")
    return folder


@pytest.fixture
def odd_videos() -> Path:
    """Return the folder of files that break video readers; skip the test if it is absent."""
    folder = SHARED_DATA / "odd_videos"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it holds real files that break video readers, and is not shipped")
    return folder


@pytest.fixture
def ut_interaction6() -> Path:
    """Return the folder of 120 labelled clips; skip the test if it is absent."""
    folder = SHARED_DATA / "ut_interaction6"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it holds 120 labelled real clips, and is not shipped")
    return folder


@pytest.fixture
def browser_page() -> "Iterator[Page]":
    """Return a page of a real Chromium; skip the test where none is installed."""
    with open_browser() as browser:
        yield browser.new_page()

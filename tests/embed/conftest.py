"""Fixtures that several test modules of `embed` share."""

from pathlib import Path

import pytest
import torch

from embed.torchvision_operators import declare_missing_operators
from tests.embed.encoders.frames import SMALL_CLIP


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small CLIP with random weights."""
    declare_missing_operators()
    import open_clip

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "clip.pt"
    model = open_clip.create_model(SMALL_CLIP)
    torch.save(model.state_dict(), path)
    return path

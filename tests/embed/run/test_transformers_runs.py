"""Runs with a clip model of transformers: a store goes on with the same checkpoint, and with no other."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from embed import EmbedConfig, EmbeddingStore, embed_videos
from embed.errors import StoreMismatch
from tests.embed.encoders.transformers_models import WINDOW, save_model
from tests.media import write_video

pytest.importorskip("transformers")


def test_a_store_goes_on_with_its_checkpoint_and_refuses_another(tmp_path: Path) -> None:
    folder, videos, store = save_model("vjepa2", tmp_path / "model"), tmp_path / "videos", tmp_path / "s.h5"
    videos.mkdir()
    write_video(videos / "a.mp4", 30)
    config = EmbedConfig(model=f"vjepa2:{folder}", workers=1, device="cpu")

    embed_videos(videos, store, config)
    with EmbeddingStore(store) as made:
        first = made.read("a.mp4").vectors
        assert made.provenance.encoder.window == WINDOW
    write_video(videos / "b.mp4", 25)
    embed_videos(videos, store, config)

    with EmbeddingStore(store) as made:
        assert np.array_equal(made.read("a.mp4").vectors, first)
        assert len(made.read("b.mp4").vectors) > 1
    shutil.rmtree(folder)
    save_model("vjepa2", folder, seed=1)
    write_video(videos / "c.mp4", 25)
    with pytest.raises(StoreMismatch, match="weights"):
        embed_videos(videos, store, config)

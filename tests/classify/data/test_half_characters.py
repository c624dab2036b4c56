from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classify import LabelError, split_videos


def test_a_label_that_is_half_a_character_is_named(make_store: Callable[..., Path], tmp_path: Path) -> None:
    store = make_store({"a.mp4": np.eye(16)[:1], "b.mp4": np.eye(16)[:1]})
    (tmp_path / "l.jsonl").write_text('{"id": "a.mp4", "label": "y"}\n{"id": "b.mp4", "label": "x\\ud800"}\n')
    with pytest.raises(LabelError, match=r"l\.jsonl, line 2: '\\ud800' is half a character"):
        split_videos(store, tmp_path / "split.csv", labels=tmp_path / "l.jsonl")

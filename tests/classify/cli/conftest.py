import shutil
from pathlib import Path

import pytest
from click.testing import Result

from tests.classify.cli.learning_runs import QUICK, learn, make_files
from tests.media import write_video


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Ten tiny videos of two classes, a broken one among them, and what learning from them said."""
    root = tmp_path_factory.mktemp("first run")
    for number in range(9):
        folder = root / "my videos" / ("dark", "light")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        frame_count = 4 + number  # no two files are equal
        write_video(folder / f"{number}.mp4", frame_count, numbers=[number % 2 * 1023] * frame_count)
    make_files(root / "my videos", "dark/broken.mp4")
    return root, learn(root / "my videos", *QUICK)


@pytest.fixture
def again(first: tuple[Path, Result], tmp_path: Path) -> Path:
    """A copy of the videos' folder and of what was learned, moved together and without the broken video."""
    for name in ("my videos", "my videos-learned"):
        shutil.copytree(first[0] / name, tmp_path / name)
    (tmp_path / "my videos" / "dark" / "broken.mp4").unlink()
    return tmp_path / "my videos"

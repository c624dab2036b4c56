"""The recipes in resources/recipes/ run from their data to their tables, here at toy size on real clips."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[1] / "resources" / "recipes"
CLASSES, CLIPS_A_CLASS = ("hug", "kick", "punch"), 5
TOY = {"MODEL": "efficientnet-lite0", "FRAMES": "2", "EPOCHS": "2", "FOLDS": "2", "SEEDS": "1", "BUDGET": "2"}


@pytest.fixture
def videos(ut_interaction6: Path, tmp_path: Path) -> Path:
    """A folder of class folders with five clips each."""
    for name in CLASSES:
        (tmp_path / "videos" / name).mkdir(parents=True)
        for clip in sorted((ut_interaction6 / name).iterdir())[:CLIPS_A_CLASS]:
            (tmp_path / "videos" / name / clip.name).symlink_to(clip)
    return tmp_path / "videos"


def run(recipe: str, *arguments: Path | str, **settings: str) -> str:
    """Run a recipe at toy size, and return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", RECIPES / recipe, *arguments],
        env={**os.environ, **TOY, **settings, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def contenders(comparison: Path) -> set[tuple[str, float | None]]:
    """Return what a comparison has figures of: the name and mixup's alpha."""
    found = json.loads((comparison / "comparison.json").read_text())
    return {(one["name"], one["mixup"]) for one in found["contenders"]}


def test_every_recipe_says_how_it_is_used_and_stops_at_the_first_failure() -> None:
    for recipe in RECIPES.glob("*.sh"):
        text = recipe.read_text()
        assert f"usage: {recipe.name}" in text
        assert "\nset -euo pipefail\n" in text


def test_a_list_of_youtube_topics_becomes_six_heads_and_their_comparison(videos: Path, tmp_path: Path) -> None:
    clips = sorted(videos.glob("*/*"))
    with (tmp_path / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["link", "title", "description", "category"])
        rows.writerows([str(clip), "a title", "some, text", clip.parent.name] for clip in clips)
        rows.writerow([str(videos / "hug/dead.mp4"), "a title", "", "hug"])

    printed = run("a-youtube-topics.sh", tmp_path / "list.csv", tmp_path / "out")

    assert "15 videos embedded, 0 in the store already, 1 failed" in printed
    heads = {folder.name for folder in (tmp_path / "out/heads").iterdir() if (folder / "report.html").is_file()}
    assert heads == {
        f"{arch}-mixup-{mixup}" for arch in ("linear", "transformer", "random-frame") for mixup in (0, 0.4)
    }
    assert contenders(tmp_path / "out/comparison") >= {("transformer", 0.4), ("random-frame", 0.0), ("linear", 0.4)}


def test_hashtags_keep_their_places_when_the_set_grows(videos: Path, tmp_path: Path) -> None:
    new, out = tmp_path / "new", tmp_path / "out"
    new.mkdir()
    for folder in sorted(videos.iterdir()):
        clip = sorted(folder.iterdir())[-1]
        clip.rename(new / f"{folder.name}{clip.suffix}")
    run("c-hashtags.sh", videos, new, out)
    before = json.loads((out / "head/head.json").read_text())["label_names"]

    (videos / "a-new-hashtag").mkdir()
    for number in range(4):
        (videos / "a-new-hashtag" / f"{number}.avi").write_bytes((new / "hug.avi").read_bytes() + bytes([number]))
    run("c-hashtags.sh", videos, new, out)

    assert json.loads((out / "head/head.json").read_text())["label_names"] == [*before, "a-new-hashtag"]
    with (out / "tags.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(CLASSES)


def test_the_heads_of_clip4clip_are_compared(videos: Path, tmp_path: Path) -> None:
    run("g-clip4clip.sh", videos, tmp_path / "out")

    names = {name for name, _ in contenders(tmp_path / "out/comparison")}
    assert names >= {"clip4clip-mean", "clip4clip-lstm", "clip4clip"}

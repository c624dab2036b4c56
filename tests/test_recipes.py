"""The recipes in resources/recipes/ run from their data to their tables, here at toy size on real clips."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from embed.encoders import declare_missing_operators
from tests.embed.encoders.transformers_models import save_model
from tests.embed.interchange.records import codes_of, write_frames

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


@pytest.mark.nightly
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


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Frame-level records of 40 videos with one of two labels, which their bytes tell."""
    made = []
    for number in range(40):
        label, codes = number % 2, codes_of(number, frames=4)
        codes[0][:, :8] = 255 * label
        made.append((f"v{number:03d}", [label], codes))
    return write_frames(tmp_path / "train00.tfrecord", made)


@pytest.mark.nightly
def test_video_backbones_are_fine_tuned_from_stored_activations(videos: Path, tmp_path: Path) -> None:
    declare_missing_operators()
    models = pytest.importorskip("torchvision.models.video")
    torch.save(models.r2plus1d_18().state_dict(), tmp_path / "r2plus1d.pt")
    clips = sorted(videos.glob("*/*"))
    rows = [
        f"{clip.relative_to(videos)},{clip.parent.name}{'|person' if n % 2 else ''}\n" for n, clip in enumerate(clips)
    ]
    (videos / "labels.csv").write_text("path,labels\n" + "".join(rows))

    run(
        "b-video-backbones.sh",
        *(videos, videos / "labels.csv", tmp_path / "out"),
        BACKBONES="r2plus1d_18:layer4",
        PRETRAINED=str(tmp_path / "r2plus1d.pt"),
        EPOCHS="1",
    )

    head = json.loads((tmp_path / "out/head-r2plus1d_18/head.json").read_text())
    assert (head["arch"], sorted(head["label_names"])) == ("last-block", ["hug", "kick", "person", "punch"])
    assert (tmp_path / "out/dataset").is_dir()


@pytest.mark.nightly
def test_videomae_is_fine_tuned_with_and_without_mixup(videos: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    checkpoint = save_model("videomae", tmp_path / "videomae")
    for part, chosen in (("train", slice(0, 4)), ("val", slice(4, 5))):
        for name in CLASSES:
            (tmp_path / "coin" / part / name).mkdir(parents=True)
            for clip in sorted((videos / name).iterdir())[chosen]:
                (tmp_path / "coin" / part / name / clip.name).symlink_to(clip.resolve())

    run(
        "e-videomae.sh", tmp_path / "coin", tmp_path / "out", VIDEOMAE=f"videomae:{checkpoint}", LAYER="encoder.layer.1"
    )

    for mixup in ("0", "0.4"):
        config = json.loads((tmp_path / f"out/head-mixup-{mixup}/head.json").read_text())["config"]
        assert (config["arch"], config["mixup"], config["optimizer"]) == ("last-block", float(mixup), "adamw")


def test_personal_videos_are_learned_from_youtube_8m_records(records: Path, tmp_path: Path) -> None:
    (tmp_path / "vocabulary.csv").write_text("Index,Name\n0,Game\n1,Car\n")

    run("d-personal-videos.sh", str(records), tmp_path / "vocabulary.csv", tmp_path / "out", LABELS="0,1")

    assert (tmp_path / "out/head-rnn/report.html").is_file()
    lines = (tmp_path / "out/predictions.csv").read_text().splitlines()
    assert (lines[0], len(lines)) == ("VideoId,LabelConfidencePairs", 41)


def test_youtube_8m_baselines_train_on_its_records(records: Path, tmp_path: Path) -> None:
    run("f-youtube8m-baselines.sh", str(records), tmp_path / "out", ARCHS="linear moe")

    for arch in ("linear", "moe"):
        test = json.loads((tmp_path / f"out/head-{arch}/report.json").read_text())["parts"]["test"]
        assert 0 <= test["gap_at_20"] <= 1

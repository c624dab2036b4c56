"""`search-videos` as people and programs see it."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from embed import EmbedConfig, UniformFrames, embed_videos
from tests.media import write_video

Run = Callable[..., Result]


def test_a_video_finds_those_that_look_like_it(run: Run, toy_store: Path) -> None:
    result = run("search_videos", toy_store, "--like", "hug/00.mp4", "--count", 5)

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 0, result.output
    assert [row["id"].split("/")[0] for row in rows] == ["hug"] * 5
    assert list(rows[0]) == ["id", "path", "score", "start_s", "end_s", "best_s"]
    assert float(rows[0]["score"]) > 0.9
    assert "hug/00.mp4" not in {row["id"] for row in rows}


def test_json_has_hits_and_how_they_were_scored(run: Run, toy_store: Path) -> None:
    found = json.loads(run("search_videos", toy_store, "hug/00.mp4@1", "--json").stdout)

    assert (found["how"], found["words"], len(found["hits"])) == ("cosine with the example", [], 20)
    assert list(found["hits"][0]) == ["id", "path", "score", "start_s", "end_s", "best_s"]


def test_labels_and_paths_filter(run: Run, toy_store: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,label\nhug/01.mp4,near\nkick/00.mp4,near\nwave/00.mp4,far\n")

    def ids(*options: object) -> set[str]:
        result = run("search_videos", toy_store, "--like", "hug/00.mp4", "--count", 100, *options)
        assert result.exit_code == 0, result.output
        return {row["id"] for row in csv.DictReader(io.StringIO(result.stdout))}

    assert ids("--labels", "labels.csv", "--label", "near") == {"hug/01.mp4", "kick/00.mp4"}
    assert ids("--label", "kick", "--path", "*/1*") == {f"kick/{number}.mp4" for number in range(10, 20)}
    result = run("search_videos", toy_store, "--like", "hug/00.mp4", "--label", "hugs")
    assert result.exit_code == 2
    assert "No video has the label 'hugs'. There are hug, kick, wave." in result.stderr


def test_files_are_written_where_nothing_is_lost(run: Run, toy_store: Path, tmp_path: Path) -> None:
    like = ("--like", "hug/00.mp4")
    assert run("search_videos", toy_store, *like, "-o", "hits.csv").stdout == "20 hits -> hits.csv\n"
    assert "hits.csv" in run("search_videos", toy_store, *like, "-o", "hits.csv").stderr  # said to be replaced
    (tmp_path / "mine.csv").write_text("mine\n")

    refused = run("search_videos", toy_store, *like, "-o", "mine.csv")

    assert refused.exit_code == 2
    assert (tmp_path / "mine.csv").read_text() == "mine\n"
    assert run("search_videos", toy_store, *like, "-o", toy_store.name).exit_code == 2
    no_sheet = run("search_videos", toy_store, *like, "--sheet", "s.jpg")
    assert "s.jpg was not written: no hit lies in a file on this machine" in no_sheet.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Nothing to search for was given. Write words, or name an example with --like."),
        (("--like", "gone.mp4"), "'gone.mp4' is neither the id of a video in"),
        (("--unlike", "hug/00.mp4"), "Every term of the search is subtracted"),
        (('"a dog" "b"',), "is not understood from"),
        (("hug/00.mp4", "--json", "-o", "-"), "--json and -o - both write to stdout"),
    ],
)
def test_what_cannot_be_searched_is_said(run: Run, toy_store: Path, words: tuple[str, ...], said: str) -> None:
    result = run("search_videos", toy_store, *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_whole_way_from_clips_to_a_contact_sheet(run: Run, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number in range(3):
        write_video(tmp_path / "videos" / f"{number}.mp4", 6, numbers=[number * 300 + place for place in range(6)])
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(3), device="cpu")
    embed_videos(tmp_path / "videos", tmp_path / "e.h5", config)

    result = run("search_videos", "e.h5", "a barcode", "--sheet", "hits.jpg", "--count", 2)

    assert result.exit_code == 0, result.output
    assert "searched by ImageNet words: " in result.stderr
    with Image.open(tmp_path / "hits.jpg") as sheet:
        assert sheet.width > 640
    assert run("search_videos", "e.h5", "a barcode", "--sheet", "hits.jpg").exit_code == 0  # its own is replaced

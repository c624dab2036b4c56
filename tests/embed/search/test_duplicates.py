"""Copies among the videos of a store: of the same file, encoded again, or with another beginning."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from classify.cli import framehead
from embed.errors import OutputError, StoreError
from embed.search import find_duplicates
from embed.search.alignment import Sequence, align
from embed.search.duplicates import write_duplicates
from embed.store import EmbeddingStore, StoreWriter, VideoRecord
from tests.embed.stores import PROVENANCE

D = PROVENANCE.encoder.dimension


def walk(seed: int, count: int = 40) -> NDArray[np.float64]:
    """Return (count, D) vectors of a video that changes slowly around one look."""
    rng = np.random.default_rng(seed)
    base, noise = 6 * rng.normal(size=D), 5 * rng.normal(size=(count + 2, D))
    return np.asarray(base + noise[:-2] + noise[1:-1] + noise[2:])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three films; one again as the same file, one encoded again, and one without its first 12 rows."""
    rng = np.random.default_rng(9)
    films = {f"film-{number}": walk(number) for number in range(3)}
    copies = {
        "again": films["film-1"] + 0.02 * rng.normal(size=(40, D)),
        "cut": films["film-2"][12:] + 0.02 * rng.normal(size=(28, D)),
        "same": films["film-0"],
    }
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for name, rows in {**films, **copies}.items():
            record = VideoRecord(
                name,
                location=f"/v/{name}",
                content_hash="0" if name in ("film-0", "same") else name,
                duration_s=len(rows) / 2,
            )
            writer.append(record, rows, np.arange(len(rows)) / 2)
    return tmp_path / "s.h5"


def run(*words: object) -> Result:
    return CliRunner().invoke(framehead, [str(word) for word in words])


def test_each_kind_of_copy_is_found_once_with_the_longest_first(store: Path) -> None:
    found = find_duplicates(store)
    told = [[(own.video_id, own.kind, own.copy_of) for own in group.videos] for group in found.groups]
    assert told == [
        [("again", "", ""), ("film-1", "near copy", "again")],
        [("film-0", "", ""), ("same", "same file", "film-0")],
        [("film-2", "", ""), ("cut", "shifted copy", "film-2")],
    ]
    assert found.compared == 6


def test_a_cut_copy_says_where_it_begins_in_the_whole_one(store: Path) -> None:
    cut = next(own for group in find_duplicates(store).groups for own in group.videos if own.kind == "shifted copy")
    assert (cut.video_id, cut.copy_of) == ("cut", "film-2")
    assert cut.shift_s == pytest.approx(6.0, abs=0.5)  # 12 rows, within one step


@pytest.mark.parametrize("step", [1, 3], ids=["same sampling", "every third frame"])
def test_sequences_of_other_steps_are_aligned_within_one_step(step: int) -> None:
    rows = walk(5, 120)
    whole = Sequence.of(rows, np.arange(120) / 10)
    part = Sequence.of(rows[36::step], 2.0 + np.arange(84)[::step] / 10)
    found = align(whole, part)
    assert found.agreement > 0.9
    assert found.shift_s == pytest.approx(1.6, abs=step / 10)
    assert align(part, whole).shift_s == pytest.approx(-1.6, abs=step / 10)


def test_another_video_and_one_in_which_nothing_changes_do_not_agree() -> None:
    moments_s = np.arange(40.0)
    video, still = Sequence.of(walk(1), moments_s), Sequence.of(np.ones((40, D)), moments_s)
    assert align(video, still).agreement == 0
    assert align(video, Sequence.of(walk(1)[:1], moments_s[:1])).agreement == 0
    assert align(video, Sequence.of(np.random.default_rng(3).normal(size=(40, D)), moments_s)).agreement < 0.5


def test_copies_of_copies_are_one_group(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for name in "abc":
            writer.append(VideoRecord(name, duration_s=20.0), walk(1), np.arange(40.0))
    (group,) = find_duplicates(tmp_path / "s.h5").groups
    assert [own.video_id for own in group.videos] == ["a", "b", "c"]


def test_a_store_without_videos_or_with_empty_ones_has_no_copies(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "empty.h5", PROVENANCE):
        pass
    assert find_duplicates(tmp_path / "empty.h5").groups == ()
    with StoreWriter(tmp_path / "zeros.h5", PROVENANCE) as writer:
        for name, count in {"a": 3, "b": 3, "c": 0}.items():
            writer.append(VideoRecord(name), np.zeros((count, D)), np.arange(count))
    assert find_duplicates(tmp_path / "zeros.h5").groups == ()
    with pytest.raises(StoreError):
        find_duplicates(tmp_path / "absent.h5")


@pytest.mark.parametrize("limit", [0, -1, 1.5, float("nan")])
def test_a_limit_that_is_no_similarity_is_refused(store: Path, limit: float) -> None:
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        find_duplicates(store, similarity=limit)


def test_the_command_prints_a_table_json_and_csv(store: Path, tmp_path: Path) -> None:
    shown = run("find-duplicates", store)
    assert shown.exit_code == 0
    assert "3 groups of copies among 6 videos" in shown.stdout
    assert "cut" in shown.stdout
    as_json = json.loads(run("find-duplicates", store, "--json").stdout)
    assert as_json["groups"][0][0].keys() == {"id", "path", "kind", "copy_of", "similarity", "shift_s"}
    run("find-duplicates", store, "-o", tmp_path / "copies.csv")
    with (tmp_path / "copies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["group"] for row in rows] == ["1", "1", "2", "2", "3", "3"]
    again = run("find-duplicates", store, "-o", tmp_path / "copies.csv")
    assert (again.exit_code, "older table of copies" in again.stderr) == (0, True)


def test_a_foreign_file_is_not_replaced(store: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("mine\n")
    with EmbeddingStore(store) as opened, pytest.raises(OutputError):
        write_duplicates(find_duplicates(opened), tmp_path / "notes.csv")
    assert run("find-duplicates", store, "-o", tmp_path / "notes.csv").exit_code == 2
    assert run("find-duplicates", store, "-o", store).exit_code == 2
    assert (tmp_path / "notes.csv").read_text() == "mine\n"

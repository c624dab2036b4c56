import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from embed.machine import isolation
from embed.store import Failure, StoreWriter, VideoRecord
from embed.store.inspection import inspect_embeddings
from tests.embed.stores import PROVENANCE, append, write_store


def test_a_report_counts_videos_and_vectors(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        append(writer, "a", 1, count=2)
        append(writer, "b", 2, count=5)
        writer.append_failure(Failure("c", "/c", "unreadable", "no header"))
    report = inspect_embeddings(tmp_path / "s.h5")
    assert (report.videos, report.vectors, report.dimension) == (2, 7, 10)
    assert (report.shortest, report.median, report.longest) == (2, 3.5, 5)
    assert report.failures_by_reason == {"unreadable": 1}
    assert report.provenance.encoder == PROVENANCE.encoder
    assert report.problems is None


def test_an_undamaged_store_has_no_problems(tmp_path: Path) -> None:
    assert inspect_embeddings(write_store(tmp_path / "s.h5", ["a", "b"]), is_verifying=True).problems == ()


def test_an_empty_store_can_be_described(tmp_path: Path) -> None:
    report = inspect_embeddings(write_store(tmp_path / "s.h5", []), is_verifying=True)
    assert (report.videos, report.longest, report.shortest, report.problems) == (0, 0, 0, ())


def test_verifying_names_the_video_whose_bytes_have_changed(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b", "c"])
    with h5py.File(path, "a") as file:
        file["embeddings"][1, 3] += np.float16(0.25)
    assert inspect_embeddings(path, is_verifying=True).problems == (
        "b: its rows are not the ones that were written (checksum)",
    )


def test_verifying_finds_values_that_are_not_finite(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a"])
    with h5py.File(path, "a") as file:
        file["embeddings"][0, 0] = np.nan
    assert inspect_embeddings(path, is_verifying=True).problems == ("a: a value is not finite",)


def test_parts_that_are_not_merged_yet_extend_the_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_LEAST_S", 0.0)
    monkeypatch.setattr(isolation, "_SLOWEST_BYTES_S", 500.0)
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        append(writer, "a", 1, count=1000)
        writer.commit()
        assert not (tmp_path / "s.h5").exists()
        assert inspect_embeddings(tmp_path / "s.h5", is_verifying=True).problems == ()


def test_a_moved_store_is_the_same_store(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a"])
    shutil.move(path, tmp_path / "t.h5")
    assert inspect_embeddings(tmp_path / "t.h5", is_verifying=True).problems == ()


def test_values_that_are_no_numbers_are_null_in_json(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        vectors = np.zeros((1, PROVENANCE.encoder.dimension))
        writer.append(VideoRecord("a", duration_s=float("nan"), start_s=float("-inf")), vectors, np.zeros(1))
    described = inspect_embeddings(tmp_path / "s.h5").to_json()
    assert (described["duration_s"], described["starts_s"]) == (None, {"a": None})

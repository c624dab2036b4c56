"""The map, the card, similar videos, and a collection that changes while it is served."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classify.refresh import HeadVersions
from classify.web import ServeConfig
from classify.web.collection.map import on_plane
from embed import EmbeddingStore, StoreWriter, VideoRecord
from tests.classify.web.serving import Served, served
from tests.classify.web.test_tagging import wait_until


def unpacked(found: dict[str, Any], name: str, kind: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(found[name]), kind)


def test_the_map_has_every_moment_with_its_video_and_label(server: Served, collection: Path) -> None:
    found = server.get("/api/map").json()
    xy = unpacked(found, "xy", "<f4").reshape(-1, 2)
    assert found["count"] == found["total"] == len(xy) == 32
    ids = [found["ids"][place] for place in unpacked(found, "video", "<u4")]
    labels = [found["labels"][place] for place in unpacked(found, "label", "<i2")]
    assert labels == [video_id.split("/")[0] for video_id in ids]
    with EmbeddingStore(collection / "embeddings.h5") as store:
        assert ids == [video_id for video_id in store.ids for _ in range(4)]
        assert unpacked(found, "at_s", "<f4") == pytest.approx(store.read_timestamps(store.ids))


def test_a_plane_keeps_the_two_largest_spreads() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 6)) * [9, 0.1, 5, 0.1, 0.1, 0.1]
    flat = on_plane(rows)
    assert abs(np.corrcoef(flat[:, 0], rows[:, 0])[0, 1]) > 0.999
    assert abs(np.corrcoef(flat[:, 1], rows[:, 2])[0, 1]) > 0.999


def test_the_card_has_what_training_wrote(collection: Path, tmp_path: Path) -> None:
    shutil.copytree(collection / "head", tmp_path / "head")
    shutil.copy(collection / "embeddings.h5", tmp_path)
    (tmp_path / "head" / "report.json").write_text(json.dumps({"loss": float("nan"), "parts": {}}))
    (tmp_path / "head" / "history.csv").write_text("epoch,train_f1,note\n1,0.5,\n")
    (tmp_path / "head" / "suspects.csv").write_text(
        "id,path,label,suggestion\nmoving/1.mp4,/x,moving,numbered\nmoving/2.mp4,/x,moving,\ngone.mp4,/x,moving,x\n"
    )
    with served(
        ServeConfig(tmp_path / "head", tmp_path / "embeddings.h5", port=0, device="cpu"), waits=False
    ) as server:
        server.wait_ready()
        card = server.get("/api/card").json()
    assert card["report"] == {"loss": None, "parts": {}}
    assert card["history"] == [{"epoch": 1.0, "train_f1": 0.5, "note": None}]
    assert card["suspects"] == [{"id": "moving/1.mp4", "labels": ["moving"], "suggestion": ["numbered"]}]
    assert card["head"]["labels"] == ["moving", "numbered"]


def test_a_head_without_a_report_has_a_card(server: Served) -> None:
    card = server.get("/api/card").json()
    assert (card["report"], card["history"], card["suspects"]) == (None, [], [])


def test_a_store_that_grows_is_shown_without_a_restart(collection: Path, tmp_path: Path) -> None:
    shutil.copy(collection / "embeddings.h5", tmp_path)
    config = ServeConfig(collection / "head", tmp_path / "embeddings.h5", port=0, device="cpu", watch_s=0.05)
    with served(config, waits=False) as server:
        server.wait_ready()
        with EmbeddingStore(config.store) as store:
            made_by, vectors = store.provenance, store.read("moving/0.mp4")
        with StoreWriter(config.store, made_by) as writer:
            writer.append(VideoRecord("new.mp4"), vectors.vectors, vectors.timestamps_s)
        wait_until(lambda: server.get("/api/videos").json()["total"] == 9)
        assert server.get("/api/video", params={"id": "new.mp4"}).json()["predicted"][0]["label"] == "moving"


def add_version(versions: HeadVersions, head: Path) -> None:
    with versions.lock():
        shutil.copytree(head, versions.making())
        versions.promote(versions.add({}))


def test_a_promoted_head_and_a_rollback_are_taken_without_a_restart(collection: Path, tmp_path: Path) -> None:
    shutil.copy(collection / "embeddings.h5", tmp_path)
    versions = HeadVersions(tmp_path / "heads")
    add_version(versions, collection / "head")
    config = ServeConfig(versions.folder, tmp_path / "embeddings.h5", port=0, device="cpu", watch_s=0.05)
    with served(config, waits=False) as server:
        server.wait_ready()
        assert server.get("/api/status").json()["head"]["name"] == "v0001"
        add_version(versions, collection / "head")
        wait_until(lambda: server.get("/api/status").json()["head"]["name"] == "v0002")
        with versions.lock():
            versions.roll_back()
        wait_until(lambda: server.get("/api/status").json()["head"]["name"] == "v0001")


def test_a_head_that_cannot_be_read_is_told_and_the_page_is_there(collection: Path, tmp_path: Path) -> None:
    shutil.copy(collection / "embeddings.h5", tmp_path)
    with served(ServeConfig(tmp_path / "none", tmp_path / "embeddings.h5", port=0, device="cpu")) as server:
        status = server.get("/api/status").json()
        assert status["state"] == "failed"
        assert "Make one with train-head" in status["message"]
        assert server.get("/api/videos").status_code == 503
        assert server.get("/").status_code == 200

"""What people say of videos: stored, shown beside what the head says, taken back, exported, and used for the order."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from classify.web import ServeConfig
from tests.classify.web.serving import Served, served

FIRST, SECOND = "moving/0.mp4", "numbered/1.mp4"


@pytest.fixture(scope="module")
def unlabelled(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose label file knows one video only."""
    from classify.data import LabelConfig

    folder = tmp_path_factory.mktemp("corrected")
    (folder / "embeddings.h5").write_bytes((collection / "embeddings.h5").read_bytes())
    (folder / "labels.csv").write_text("id,labels\nmoving/3.mp4,moving\n")
    labels = LabelConfig(folder / "labels.csv")
    with served(
        ServeConfig(collection / "head", folder / "embeddings.h5", port=0, device="cpu", labels=labels)
    ) as found:
        yield found


@pytest.fixture
def corrected(unlabelled: Served) -> Iterator[int]:
    """The batch of a correction of two videos, which is taken back after the test."""
    changes = [{"id": FIRST, "labels": ["numbered", "new, with a comma"]}, {"id": SECOND, "labels": []}]
    answer = unlabelled.post("/api/corrections", json={"changes": changes, "who": "Ada"})
    assert answer.status_code == 200
    yield answer.json()["batch"]
    unlabelled.post("/api/corrections/undo", json={"batch": answer.json()["batch"]})


def human(server: Served, video_id: str) -> object:
    return server.get("/api/video", params={"id": video_id}).json()["human"]


def test_a_correction_stands_beside_the_prediction(unlabelled: Served, corrected: int) -> None:
    assert corrected
    found = unlabelled.get("/api/video", params={"id": FIRST}).json()
    assert found["human"]["labels"] == ["numbered", "new, with a comma"]
    assert found["human"]["who"] == "Ada"
    assert found["human"]["made_at"].startswith("20")
    assert found["predicted"][0]["label"] == "moving"
    assert human(unlabelled, SECOND)["labels"] == []  # type: ignore[index]


def test_undo_takes_back_what_was_said_together_and_can_itself_be_undone(unlabelled: Served, corrected: int) -> None:
    answer = unlabelled.post("/api/corrections/undo", json={"batch": corrected}).json()
    assert answer["corrected"] == [{"id": FIRST, "human": None}, {"id": SECOND, "human": None}]
    assert human(unlabelled, FIRST) is None
    unlabelled.post("/api/corrections/undo", json={"batch": answer["batch"]})
    assert human(unlabelled, FIRST) is not None


def test_corrections_outlive_the_server_and_are_exported_as_a_label_file(unlabelled: Served, corrected: int) -> None:
    assert corrected
    with served(unlabelled.config) as again:
        assert human(again, FIRST) is not None
        text = again.get("/api/corrections.csv")
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert text.headers["content-type"].startswith("text/csv")
    assert [(row["id"], row["labels"], row["who"]) for row in rows] == [
        (FIRST, "numbered|new, with a comma", "Ada"),
        (SECOND, "", "Ada"),
    ]


def test_filters_count_what_people_say(unlabelled: Served, corrected: int) -> None:
    assert corrected

    def ids(**params: str) -> list[str]:
        return [one["id"] for one in unlabelled.get("/api/videos", params=params).json()["videos"]]

    assert ids(labels="numbered", by="human") == [FIRST]
    assert ids(labels="new, with a comma") == [FIRST]
    assert set(ids(unlabelled="true")).isdisjoint({FIRST, SECOND, "moving/3.mp4"})
    assert len(ids(unlabelled="true")) == 5


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param([{"id": "none.mp4", "labels": []}], 404, id="unknown video"),
        pytest.param([{"id": FIRST, "labels": ["a|b"]}], 422, id="a label with a bar"),
        pytest.param([{"id": FIRST, "labels": [""]}], 422, id="an empty label"),
        pytest.param([{"id": FIRST}], 422, id="no labels"),
        pytest.param([], 422, id="nothing"),
        pytest.param([{"id": FIRST, "labels": [], "x": 1}, {"id": "none", "labels": []}], 404, id="one unknown of two"),
    ],
)
def test_what_cannot_be_said_changes_nothing(unlabelled: Served, changes: list[object], status: int) -> None:
    before = unlabelled.get("/api/corrections").json()
    answer = unlabelled.post("/api/corrections", json={"changes": changes})
    assert answer.status_code == status
    assert answer.json()["error"]["message"].endswith(".")
    assert unlabelled.get("/api/corrections").json() == before


def test_an_unknown_batch_cannot_be_undone(unlabelled: Served) -> None:
    answer = unlabelled.post("/api/corrections/undo", json={"batch": 999})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_stored")

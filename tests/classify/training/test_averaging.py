import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from classify import HeadError, LabelledSet, TrainConfig, TrainError, VideoClassifier, export_head
from classify.training.averaging import AVERAGE, Member, fit_average
from classify.training.logits import predict_probabilities
from classify.training.training import TrainingRun, fit_head
from embed import Provenance

NOBODY = np.array([], dtype=np.int64)
TRAIN = np.arange(48)
LINEAR = TrainConfig(arch="linear", epochs=2, project=8, device="cpu")
MEMBERS = (
    Member(LINEAR, 0.5),
    Member(replace(LINEAR, arch="motion", max_frames=3, project=None), 0.25),
    Member(replace(LINEAR, arch="transformer", positions="timestamps"), 0.125),
    Member(replace(LINEAR, arch="dbof", max_frames=2), 0.125),
)

pytestmark = pytest.mark.usefixtures("small_heads")


def saved(run: TrainingRun, dataset: LabelledSet, provenance: Provenance, folder: Path) -> VideoClassifier:
    thresholds = None if run.thresholds is None else (0.4, 0.5, 0.6)
    classifier = VideoClassifier(
        run.head, dataset.names, thresholds, provenance, run.config, temperature=1.5, members=MEMBERS
    )
    classifier.save(folder)
    return classifier


@pytest.mark.parametrize("kind", ["separable", "several_labels"])
def test_the_probabilities_are_the_weighted_mean_of_the_members(kind: str, request: pytest.FixtureRequest) -> None:
    dataset = request.getfixturevalue(kind)
    members = [member for member in MEMBERS if kind == "separable" or member.config.positions is None]
    members = [replace(member, weight=member.weight / sum(one.weight for one in members)) for member in members]

    run = fit_average(dataset, TRAIN, NOBODY, members)

    alone = [fit_head(dataset, TRAIN, NOBODY, member.config) for member in members]
    expected = sum(
        member.weight * predict_probabilities(own.head, dataset.videos, own.thresholds)
        for own, member in zip(alone, members, strict=True)
    )
    np.testing.assert_allclose(predict_probabilities(run.head, dataset.videos, run.thresholds), expected, atol=1e-5)
    assert run.config == replace(alone[0].config, arch=AVERAGE)
    assert run.history == alone[0].history


def test_an_average_of_one_is_that_head(separable: LabelledSet) -> None:
    run = fit_average(separable, TRAIN, NOBODY, [Member(LINEAR, 1.0)])

    assert run.config.arch == "linear"
    assert run.head.pools


@pytest.mark.parametrize("kind", ["separable", "several_labels"])
def test_an_average_is_one_folder_and_one_onnx_file(
    kind: str, request: pytest.FixtureRequest, provenance: Provenance, tmp_path: Path
) -> None:
    dataset = request.getfixturevalue(kind)
    members = MEMBERS if kind == "separable" else MEMBERS[:2]
    members = tuple(replace(one, weight=one.weight / sum(other.weight for other in members)) for one in members)
    run = fit_average(dataset, TRAIN, NOBODY, members)
    thresholds = None if kind == "separable" else (0.4, 0.5, 0.6)
    before = VideoClassifier(run.head, dataset.names, thresholds, provenance, run.config, {}, 1.5, members)
    before.save(tmp_path / "head")

    loaded = VideoClassifier.load(tmp_path / "head")
    summary = export_head(tmp_path / "head", tmp_path / "head.onnx")

    assert replace(loaded, head=before.head) == before
    probabilities = loaded.predict_probabilities(dataset.videos)
    np.testing.assert_array_equal(probabilities, before.predict_probabilities(dataset.videos))
    assert summary.inputs == (("vectors", "mask", "timestamps_s") if kind == "separable" else ("vectors", "mask"))
    session = onnxruntime.InferenceSession(tmp_path / "head.onnx", providers=["CPUExecutionProvider"])
    inputs = {
        "vectors": dataset.videos.rows_of(np.array([7]))[None],
        "mask": np.ones((1, dataset.videos.row_counts[7]), dtype=bool),
    }
    if kind == "separable":
        inputs["timestamps_s"] = dataset.videos.timestamps_of(np.array([7]))[None]
    _, found = session.run(None, inputs)
    np.testing.assert_allclose(found[0], probabilities[7], atol=1e-4)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda found: found.update(members=None), "does not describe a head"),
        (lambda found: found.update(members="x" * 10), "does not describe a head"),
        (lambda found: found.update(members=found["members"] * 9), "36 heads cannot be averaged. Use at most 16"),
        (lambda found: found["members"].pop(), "are not shares of 3 heads"),
        (lambda found: found["members"][0].update(weight=float("nan")), "The weight of a head is nan"),
        (lambda found: found["members"][0].update(weight=-1), "The weight of a head is -1"),
        (lambda found: found["members"][0]["config"].update(arch="average"), "An average of averages"),
        (lambda found: found["members"][0]["config"].update(arch="random-frame"), "cannot be averaged"),
        (lambda found: found["members"][0]["config"].update(arch="mlp"), "are not those of an average head"),
        (lambda found: found["members"][0]["config"].update(project=10**9), "do not have 1000000000 components"),
        (lambda found: found["members"].reverse(), "are not those of an average head"),
        (lambda found: found.update(members=[]), "no head called 'average'"),
    ],
    ids=["none", "text", "many", "fewer", "nan", "negative", "nested", "by id", "other", "huge", "order", "empty"],
)
def test_a_damaged_average_is_refused(
    separable: LabelledSet,
    provenance: Provenance,
    tmp_path: Path,
    edit: Callable[[dict[str, Any]], object],
    message: str,
) -> None:
    run = fit_average(separable, TRAIN, NOBODY, [replace(one, config=replace(one.config, epochs=1)) for one in MEMBERS])
    saved(run, separable, provenance, tmp_path / "head")
    path = tmp_path / "head" / "head.json"
    description = json.loads(path.read_text())
    edit(description)
    path.write_text(json.dumps(description))

    with pytest.raises(HeadError, match=message):
        VideoClassifier.load(tmp_path / "head")


def test_a_weight_of_nothing_is_refused() -> None:
    with pytest.raises(TrainError, match=r"The weight of a head is 0\. Use a share above 0 and up to 1\."):
        Member(LINEAR, 0)

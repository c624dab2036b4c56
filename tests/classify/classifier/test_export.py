import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from classify import (
    ClassifyError,
    HeadError,
    LabelledSet,
    TrainConfig,
    VideoClassifier,
    VideoSet,
    export_head,
    list_heads,
)
from classify.classifier.export import ExportSummary
from classify.heads.blocks.pooling import pool_mean
from classify.heads.registry import HEADS
from classify.report.texts import export_text
from classify.training.training import fit_head
from embed import Provenance
from tests.classify.conftest import logits_of

D, NAMES = 16, ("hug", "kick", "wave")
LENGTHS = np.array([40, 1, 7, 33])

pytestmark = pytest.mark.usefixtures("small_heads")

Export = Callable[..., onnxruntime.InferenceSession]


@pytest.fixture
def make_head(tmp_path: Path, provenance: Provenance, separable: LabelledSet) -> Callable[..., VideoClassifier]:
    """Train a head for an epoch, on vectors far from mean 0 and deviation 1, and write it: its folder is `head`."""
    far = replace(separable, videos=replace(separable.videos, vectors=5 + 3 * separable.videos.vectors))

    def make(
        config: TrainConfig,
        *,
        thresholds: tuple[float, ...] | None = None,
        temperature: float = 1.0,
        views: tuple[str, ...] = ("centre",),
    ) -> VideoClassifier:
        head = fit_head(far, np.arange(48), np.array([], dtype=np.int64), replace(config, epochs=1)).head
        made_by = replace(provenance, views=views)
        classifier = VideoClassifier(head, NAMES, thresholds, made_by, config, temperature=temperature)
        classifier.save(tmp_path / "head")
        return classifier

    return make


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Export the head in `head`, and open its model."""

    def call() -> onnxruntime.InferenceSession:
        export_head(tmp_path / "head", tmp_path / "head.onnx")
        return onnxruntime.InferenceSession(tmp_path / "head.onnx")

    return call


@pytest.fixture
def videos() -> VideoSet:
    """Videos of 40, 1, 7 and 33 vectors, on one clock."""
    vectors = 5 + 3 * np.random.default_rng(1).standard_normal((LENGTHS.sum(), D), dtype=np.float32)
    timestamps_s = np.arange(LENGTHS.sum(), dtype=np.float32) ** 1.2
    ids = tuple(f"{number}.mp4" for number in range(len(LENGTHS)))
    return VideoSet(ids, vectors, LENGTHS, read_timestamps=lambda: timestamps_s)


def pad(videos: VideoSet, choose: Callable[..., NDArray[np.floating]] | None = None) -> dict[str, NDArray[np.generic]]:
    """Return a batch of videos, 1e30 in the padding: a model's inputs."""
    rows = np.split(videos.vectors, videos.row_counts.cumsum()[:-1])
    if choose is not None:
        rows = [choose(own, video_id) for own, video_id in zip(rows, videos.ids, strict=True)]
    lengths = np.array([len(own) for own in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    vectors = np.full((*mask.shape, D), 1e30, dtype=np.float32)
    vectors[mask] = np.concatenate(rows)
    return {"vectors": vectors, "mask": mask}


def pad_moments(videos: VideoSet) -> NDArray[np.float32]:
    """Return a batch's moments, 1e30 in the padding."""
    mask = np.arange(LENGTHS.max()) < LENGTHS[:, None]
    moments = np.full(mask.shape, 1e30, dtype=np.float32)
    moments[mask] = videos.timestamps_of(np.arange(len(videos)))
    return moments


@pytest.mark.parametrize("arch", list_heads())
def test_a_head_of_every_architecture_gives_in_onnx_what_it_gives_in_torch(
    arch: str, make_head: Callable[..., VideoClassifier], export: Export, videos: VideoSet
) -> None:
    classifier = make_head(TrainConfig(arch=arch))

    inputs = pad(videos, classifier.head.choose if arch == "random-frame" else None)
    logits, probabilities = export().run(None, inputs)

    np.testing.assert_allclose(logits, logits_of(classifier.head, videos), atol=1e-4)
    np.testing.assert_allclose(probabilities, classifier.predict_probabilities(videos), atol=1e-4)


def test_positions_that_are_not_the_heads_own_are_in_the_model(
    make_head: Callable[..., VideoClassifier], export: Export, videos: VideoSet
) -> None:
    classifier = make_head(TrainConfig(arch="transformer", positions="learned"))

    _, probabilities = export().run(None, pad(videos))

    np.testing.assert_allclose(probabilities, classifier.predict_probabilities(videos), atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [TrainConfig(arch="transformer", max_frames=5), TrainConfig(arch="clip4clip")],
    ids=["transformer-thinned", "clip4clip"],
)
def test_the_model_of_a_timed_head_takes_the_moments_of_a_store(
    config: TrainConfig, make_head: Callable[..., VideoClassifier], export: Export, videos: VideoSet
) -> None:
    classifier = make_head(replace(config, positions="timestamps"))

    model = export()
    _, probabilities = model.run(None, {**pad(videos), "timestamps_s": pad_moments(videos)})

    assert [given.name for given in model.get_inputs()] == ["vectors", "mask", "timestamps_s"]

    np.testing.assert_allclose(probabilities, classifier.predict_probabilities(videos), atol=1e-4)


@pytest.mark.parametrize(
    ("positions", "thresholds"),
    [
        pytest.param("sinusoidal", None, id="one label"),
        pytest.param("timestamps", (0.5, 0.4, 0.3), id="several labels in their time"),
    ],
)
def test_the_model_of_a_head_with_several_views_averages_them(
    positions: str,
    thresholds: tuple[float, ...] | None,
    make_head: Callable[..., VideoClassifier],
    export: Export,
    videos: VideoSet,
) -> None:
    config = TrainConfig(arch="transformer", max_frames=9, positions=positions)
    classifier = make_head(config, thresholds=thresholds, temperature=0.5, views=("centre", "left"))
    vectors = np.concatenate([videos.vectors, 1 - videos.vectors])
    moments = np.arange(len(vectors), dtype=np.float32)
    twofold = VideoSet(videos.ids, vectors, 2 * LENGTHS, 2, read_timestamps=lambda: moments)

    inputs = pad(twofold)
    if positions == "timestamps":
        inputs["timestamps_s"] = np.zeros(inputs["mask"].shape, dtype=np.float32)
        inputs["timestamps_s"][inputs["mask"]] = moments
    _, probabilities = export().run(None, inputs)

    np.testing.assert_allclose(probabilities, classifier.predict_probabilities(twofold), atol=1e-4)


def test_thinning_projection_temperature_and_several_labels_are_in_the_model(
    make_head: Callable[..., VideoClassifier], export: Export, videos: VideoSet
) -> None:
    config = TrainConfig(arch="rnn", max_frames=5, project=8)
    classifier = make_head(config, thresholds=(0.5, 0.4, 0.3), temperature=0.3)

    logits, probabilities = export().run(None, pad(videos))

    np.testing.assert_allclose(probabilities, classifier.predict_probabilities(videos), atol=1e-4)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_the_model_says_what_it_takes_and_gives(make_head: Callable[..., VideoClassifier], export: Export) -> None:
    classifier = make_head(TrainConfig(arch="linear"), thresholds=(0.5, 0.4, 0.3), temperature=0.5)

    model = export()

    said = model.get_modelmeta().custom_metadata_map
    assert json.loads(said["labels"]) == list(NAMES)
    assert json.loads(said["thresholds"]) == [0.5, 0.4, 0.3]
    assert json.loads(said["temperature"]) == 0.5
    assert Provenance.from_json(json.loads(said["provenance"])) == classifier.provenance
    assert said["vectors"] == "all"
    assert [(given.name, given.shape[2:]) for given in model.get_inputs()] == [("vectors", [D]), ("mask", [])]


def test_the_text_names_every_input() -> None:
    summary = ExportSummary("head.onnx", NAMES, D, ("vectors", "mask", "timestamps_s"), "all", 8, 1e-6)

    assert export_text(summary).startswith("vectors (B, T, 16), mask (B, T) and timestamps_s (B, T) -> logits and")


def test_a_head_that_chooses_by_the_videos_id_takes_what_was_chosen(
    make_head: Callable[..., VideoClassifier], export: Export
) -> None:
    make_head(TrainConfig(arch="random-frame"))

    assert export().get_modelmeta().custom_metadata_map["vectors"] == "selected"


class FirstInTorchHead(nn.Module):
    """Takes the last vector of a video, and in a batch, wrongly, the first."""

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:  # noqa: ARG002
        return vectors[-1:]

    def select_batch(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return vectors[:, :1], mask[:, :1]

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.linear(pool_mean(vectors, mask))
        return logits


class BothWaysHead(nn.Module):
    """Recurs in a way that torch exports for one length alone."""

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(dimension, 4, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(8, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.linear(pool_mean(self.rnn(vectors)[0], mask))
        return logits


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(
            FirstInTorchHead,
            r"exported foreign head differ from torch's by .*, more",
            id="wrong outputs",
        ),
        pytest.param(BothWaysHead, r"foreign head cannot be written as ONNX for videos of any length", id="one length"),
    ],
)
def test_a_model_that_is_not_its_head_is_refused_and_nothing_is_written(
    build: Callable[..., nn.Module],
    message: str,
    make_head: Callable[..., VideoClassifier],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(HEADS, "foreign", build)
    make_head(replace(TrainConfig(), arch="foreign"))

    with pytest.raises(HeadError, match=rf"{message}.*predict-videos"):
        export_head(tmp_path / "head", tmp_path / "head.onnx")

    assert [path.name for path in tmp_path.iterdir()] == ["head"]


@pytest.mark.parametrize("absent", ["onnxruntime", "onnxscript", "torch.onnx.ops"])
def test_without_what_exporting_needs_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)

    with pytest.raises(ClassifyError, match=r"and torch 2\.8 or newer\. Install them: pip install '\.\[onnx\]'"):
        export_head(tmp_path / "head", tmp_path / "head.onnx")


def test_a_folder_without_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadError, match=r"holds no head\.json"):
        export_head(tmp_path, tmp_path / "head.onnx")

"""Evidence: bounded, calibrated and right about where a label was planted, for every head and kind of store."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logit

from classify import ClassifyError, LabelledSet, TrainConfig, VideoClassifier, VideoSet
from classify.heads import StandardisedHead, build_head, list_heads, list_options
from classify.heads.blocks.positions import POSITIONS
from classify.moments import Evidence, find_evidence, read_evidence
from classify.training import Member, fit_average, fit_head
from embed import EmbeddingStore, Provenance, StoreWriter, VideoRecord
from tests.classify.conftest import CLASSES, DIMENSION

T = 24
EVERY_S = np.arange(T, dtype=np.float32) / 2
NOBODY = np.array([], dtype=np.int64)
SEVERAL = (0.5, 0.25, 0.5)
BY_MEANS = {"linear", "random-frame"}

every_kind = pytest.mark.parametrize("thresholds", [None, SEVERAL], ids=["single-label", "multi-label"])


@dataclass(frozen=True)
class Trained:
    """A head as evidence needs it."""

    head: StandardisedHead
    thresholds: tuple[float, ...] | None = None
    temperature: float = 1.0
    names: tuple[str, ...] = CLASSES


def planted(label: int, first: int, end: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return vectors (T, D) of noise, where the label's vectors lie from `first` to `end`."""
    vectors = np.random.default_rng(seed).normal(scale=0.3, size=(T, DIMENSION))
    vectors[first:end, label] += 3
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def videos() -> LabelledSet:
    """120 videos of noise, in which a label is seen for a quarter to a half of the time, anywhere."""
    rng, classes = np.random.default_rng(0), np.arange(120) % 3
    lengths = rng.integers(T // 4, T // 2, size=120)
    firsts = rng.integers(0, T - lengths)
    rows = [
        planted(int(label), int(first), int(first + length), seed=number + 1)
        for number, (label, first, length) in enumerate(zip(classes, firsts, lengths, strict=True))
    ]
    ids = tuple(f"{number}.mp4" for number in range(120))
    found = VideoSet(ids, np.concatenate(rows), np.full(120, T), read_timestamps=lambda: np.tile(EVERY_S, 120))
    return LabelledSet(found, CLASSES, classes[:, None] == np.arange(3))


def train(videos: LabelledSet, arch: str, thresholds: tuple[float, ...] | None = None, **options: object) -> Trained:
    config = TrainConfig(arch=arch, epochs=40, device="cpu", **options)  # type: ignore[arg-type]
    dataset = replace(videos, allows_several=thresholds is not None)
    return Trained(fit_head(dataset, np.arange(120), NOBODY, config).head, thresholds)


def mean_logits(scores: NDArray[np.floating], thresholds: tuple[float, ...] | None) -> NDArray[np.float64]:
    """Return the mean over time of the logits (T, C), up to a number that is the same for all labels of a softmax."""
    wide = np.asarray(scores, dtype=np.float64)
    logits = logit(wide) if thresholds is not None else np.log(wide) - np.log(wide[:, :1])
    return np.asarray(logits.mean(axis=0))


@pytest.mark.usefixtures("small_heads")
@every_kind
@pytest.mark.parametrize(
    ("arch", "options"),
    [
        *(pytest.param(arch, {}, id=arch) for arch in list_heads()),
        *(
            pytest.param(arch, {"positions": kind}, id=f"{arch}-{kind}")
            for arch in list_heads()
            for kind in POSITIONS
            if "positions" in list_options(arch)
        ),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 50])
def test_every_head_has_a_probability_of_each_label_at_each_moment(
    arch: str, options: dict[str, str], thresholds: tuple[float, ...] | None, count: int
) -> None:
    torch.manual_seed(0)
    head = build_head(arch, DIMENSION, 3, max_frames=40, options=options)
    vectors = np.random.default_rng(0).normal(scale=9, size=(count, DIMENSION)).astype(np.float16)

    found = find_evidence(Trained(head, thresholds, 0.7), vectors, np.arange(count) + 5.0, video_id="a.mp4")

    assert found.scores.shape == (count, 3)
    assert found.scores.dtype == np.float32
    assert found.scores.min() >= 0
    assert found.scores.max() <= 1
    assert found.how == ("attention" if arch == "attention" else "exact" if arch in BY_MEANS else "occlusion")
    if thresholds is None and found.how != "attention":
        np.testing.assert_allclose(found.scores.sum(axis=1), 1, atol=1e-5)


@every_kind
@pytest.mark.parametrize("options", [{}, {"project": 8}], ids=["whole", "projected"])
def test_the_mean_of_exact_logits_is_the_logit_of_the_video(
    videos: LabelledSet, thresholds: tuple[float, ...] | None, options: dict[str, int], provenance: Provenance
) -> None:
    trained = replace(train(videos, "linear", thresholds, **options), temperature=1.5)
    classifier = VideoClassifier(trained.head, CLASSES, thresholds, provenance, TrainConfig(), temperature=1.5)
    vectors = planted(1, 8, 16)

    found = find_evidence(classifier, vectors, EVERY_S)

    whole = classifier.predict_probabilities(VideoSet(("a",), vectors, np.array([T])), device="cpu")
    assert found.how == "exact"
    np.testing.assert_allclose(mean_logits(found.scores, thresholds), mean_logits(whole, thresholds), atol=2e-3)


@every_kind
@pytest.mark.parametrize("arch", ["linear", "attention", "mlp", "dbof", "clip4clip-lstm"])
@pytest.mark.usefixtures("small_heads")
def test_a_planted_moment_is_found(videos: LabelledSet, arch: str, thresholds: tuple[float, ...] | None) -> None:
    found = find_evidence(train(videos, arch, thresholds), planted(1, 8, 16), EVERY_S)

    of_label = found.scores[:, 1]
    assert 8 <= of_label.argmax() < 16
    assert of_label[8:16].mean() > np.delete(of_label, np.s_[8:16]).mean() + 0.03
    others = [find_evidence(train(videos, "linear"), planted(label, 8, 16), EVERY_S).scores for label in (0, 2)]
    assert max(scores[8:16, 1].mean() for scores in others) < 0.1


def test_occlusion_of_a_mean_tells_what_is_exact(videos: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = train(videos, "linear", SEVERAL)
    exact = find_evidence(trained, planted(1, 8, 16), EVERY_S)
    abilities = replace(trained.head.abilities, is_framewise=False)
    monkeypatch.setattr(trained.head, "abilities", abilities)
    monkeypatch.setattr("classify.moments.occlusion._WINDOWS", T)  # windows of one vector

    occluded = find_evidence(trained, planted(1, 8, 16), EVERY_S)

    assert occluded.how == "occlusion"
    np.testing.assert_allclose(occluded.scores, exact.scores, atol=1e-3)


def test_attention_multiplies_what_is_said_of_a_vector_by_its_share_of_the_largest_weight(videos: LabelledSet) -> None:
    trained, vectors = train(videos, "attention", SEVERAL), planted(1, 8, 16)

    found = find_evidence(trained, vectors, EVERY_S)

    scaled = torch.from_numpy(trained.head.scale(vectors))
    with torch.inference_mode():
        alone = trained.head(scaled[:, None], torch.ones(T, 1, dtype=torch.bool)).sigmoid()
        weights = trained.head.head.weigh(scaled[None], torch.ones(1, T, dtype=torch.bool))[0]
    np.testing.assert_allclose(found.scores, alone * (weights / weights.max())[:, None], atol=1e-6)


@every_kind
@pytest.mark.parametrize(
    ("archs", "how"),
    [(("linear", "mlp"), "occlusion"), (("linear", "linear"), "exact"), (("linear", "attention"), "attention")],
)
def test_an_average_has_the_mean_of_the_evidence_of_its_members(
    videos: LabelledSet, archs: tuple[str, str], how: str, thresholds: tuple[float, ...] | None
) -> None:
    members = [
        Member(TrainConfig(arch=arch, epochs=2, seed=seed, device="cpu"), (0.75, 0.25)[seed])
        for seed, arch in enumerate(archs)
    ]
    dataset, vectors = replace(videos, allows_several=thresholds is not None), planted(1, 8, 16)
    averaged = fit_average(dataset, np.arange(60), NOBODY, members).head
    alone = [fit_head(dataset, np.arange(60), NOBODY, member.config).head for member in members]

    found = find_evidence(Trained(averaged, thresholds), vectors, EVERY_S)

    first, second = (find_evidence(Trained(head, thresholds), vectors, EVERY_S).scores for head in alone)
    assert found.how == how
    np.testing.assert_allclose(found.scores, 0.75 * first + 0.25 * second, atol=1e-5)


def test_vectors_that_a_head_leaves_out_have_the_evidence_of_the_nearest(videos: LabelledSet) -> None:
    few = train(videos, "mlp", SEVERAL, max_frames=4)
    found = find_evidence(few, planted(1, 8, 16), EVERY_S)
    assert len(np.unique(found.scores[:, 1])) == 4
    np.testing.assert_array_equal(found.scores[0], found.scores[5])  # 3, 9, 15 and 21 are seen
    assert (found.scores[6] != found.scores[5]).any()


def test_long_videos_have_evidence_within_bounded_work(videos: LabelledSet) -> None:
    mlp = train(videos, "mlp", SEVERAL)
    vectors = np.concatenate([np.random.default_rng(0).normal(scale=0.3, size=(2000, DIMENSION)) for _ in range(3)])
    vectors[2000:4000, 1] += 3
    found = find_evidence(mlp, vectors.astype(np.float32), np.arange(6000.0))
    assert 2000 <= found.scores[:, 1].argmax() < 4000
    assert len(np.unique(found.scores[:, 1])) <= 64


def test_a_vector_speaks_until_half_way_to_its_neighbours(videos: LabelledSet) -> None:
    moments = np.array([1.0, 2.0, 4.0])
    found = find_evidence(train(videos, "linear"), planted(1, 8, 16)[:3], moments)
    np.testing.assert_allclose(found.spans_s, [[0.5, 1.5], [1.5, 3], [3, 5]])
    (alone,) = find_evidence(train(videos, "linear"), planted(1, 8, 16)[:1], moments[:1]).spans_s
    assert alone.tolist() == [1, 1]


def write(
    path: Path, provenance: Provenance, vectors: NDArray[np.float32], record: VideoRecord, **spans: object
) -> Path:
    with StoreWriter(path, provenance) as writer:
        writer.append(record, vectors, np.tile(EVERY_S, len(provenance.views)), **spans)  # type: ignore[arg-type]
    return path


def evidence_in(path: Path, trained: Trained) -> Evidence:
    with EmbeddingStore(path) as store:
        return read_evidence(trained, store, "a.mp4")


def test_evidence_of_a_stored_video_stays_within_its_beginning_and_end(
    videos: LabelledSet, provenance: Provenance, tmp_path: Path
) -> None:
    record = VideoRecord("a.mp4", duration_s=11.6)
    found = evidence_in(write(tmp_path / "a.h5", provenance, planted(1, 8, 16), record), train(videos, "linear"))
    assert found.spans_s[0].tolist() == pytest.approx([0, 0.25])
    assert found.spans_s[-1].tolist() == pytest.approx([11.25, 11.6])


def test_evidence_of_clips_has_the_spans_of_the_clips(
    videos: LabelledSet, provenance: Provenance, tmp_path: Path
) -> None:
    clips = replace(provenance, encoder=replace(provenance.encoder, window=16))
    spans_s = np.column_stack([EVERY_S - 0.1, EVERY_S + 0.2])
    path = write(tmp_path / "a.h5", clips, planted(1, 8, 16), VideoRecord("a.mp4"), spans_s=spans_s)
    np.testing.assert_allclose(evidence_in(path, train(videos, "linear")).spans_s, spans_s, atol=1e-6)


def test_evidence_of_several_views_is_their_mean(videos: LabelledSet, provenance: Provenance, tmp_path: Path) -> None:
    trained, both = train(videos, "linear"), [planted(1, 8, 16), planted(2, 8, 16)]
    twice = replace(provenance, views=("centre", "centre-mirrored"))
    found = evidence_in(write(tmp_path / "a.h5", twice, np.concatenate(both), VideoRecord("a.mp4")), trained)
    alone = [find_evidence(trained, own.astype(np.float16), EVERY_S).scores for own in both]
    np.testing.assert_allclose(found.scores, np.mean(alone, axis=0), atol=1e-6)
    assert len(found.timestamps_s) == T


def test_a_store_of_one_byte_a_coefficient_has_nearly_the_same_evidence(
    videos: LabelledSet, provenance: Provenance, tmp_path: Path
) -> None:
    trained, vectors = train(videos, "mlp"), planted(1, 8, 16).clip(-2, 2)
    small = replace(provenance, storage="uint8")
    whole = evidence_in(write(tmp_path / "a.h5", provenance, vectors, VideoRecord("a.mp4")), trained)
    found = evidence_in(write(tmp_path / "b.h5", small, vectors, VideoRecord("a.mp4")), trained)
    assert np.abs(found.scores - whole.scores).max() < 0.1
    assert (found.scores != whole.scores).any()


@pytest.mark.parametrize("count", [0, T - 1])
def test_other_numbers_of_moments_than_of_vectors_are_refused(count: int) -> None:
    vectors = planted(1, 8, 16)[: 0 if count == 0 else T]
    with pytest.raises(ClassifyError, match=rf"{len(vectors)} vectors and {count} moments. Pass one moment for each"):
        find_evidence(Trained(build_head("linear", DIMENSION, 3)), vectors, EVERY_S[:count])


@every_kind
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused(value: float, thresholds: tuple[float, ...] | None) -> None:
    vectors = planted(1, 8, 16)
    vectors[3, 3] = value
    with pytest.raises(ClassifyError, match=r"no finite logits for the video 'a.mp4'.*Embed the video again"):
        find_evidence(Trained(build_head("linear", DIMENSION, 3), thresholds), vectors, EVERY_S, video_id="a.mp4")

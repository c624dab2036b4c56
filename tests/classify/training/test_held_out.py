"""What heads give training videos that they did not train on: by whole groups, and never a test video."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify import LabelConfig, TrainingReport, VideoClassifier, train_head
from classify.data import Split
from classify.errors import TrainError
from classify.measures.calibration import calibrate, calibration_error, choose_temperature, fit_temperature
from classify.report.texts import report_text
from classify.training import LabelledSet, TrainConfig, VideoSet, fit_head
from classify.training.held_out import predict_held_out
from classify.training.logits import predict_probabilities


def parts_of(dataset: LabelledSet, train: int, validation: int = 0, groups: tuple[str, ...] | None = None) -> Split:
    rest = len(dataset.videos) - train - validation
    return Split(dataset.videos.ids, ("train",) * train + ("validation",) * validation + ("test",) * rest, groups)


def overlapping(count: int) -> LabelledSet:
    """Return videos of two classes whose posterior is known: with a point of a class, log odds are x1."""
    rng, classes = np.random.default_rng(0), np.arange(count) % 2
    rows = rng.standard_normal((count, 48))
    rows[:, 0] += classes - 0.5
    videos = VideoSet(tuple(map(str, range(count))), rows.astype(np.float32), np.ones(count, dtype=np.int64))
    return LabelledSet(videos, ("a", "b"), classes[:, None] == np.arange(2))


def test_heads_that_pool_predict_every_training_video_and_no_other(separable: LabelledSet) -> None:
    split = parts_of(separable, 80, 20)
    run = fit_head(separable, np.arange(80), np.arange(80, 100), TrainConfig(epochs=2))

    found = predict_held_out(separable, split, run)

    assert found is not None
    assert sorted(found.videos) == list(range(80))


def test_heads_that_read_every_vector_predict_a_third(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(90), np.arange(0), TrainConfig(arch="rnn", epochs=1))

    found = predict_held_out(separable, parts_of(separable, 90), run)

    assert found is not None
    assert len(found.videos) == 30


def test_a_long_training_holds_out_one_fold_only(separable: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fit_head(separable, np.arange(80), np.arange(0), TrainConfig(epochs=2))
    monkeypatch.setattr("classify.training.held_out._LONG", 80 * 2 * (16 * 3 + 3) - 1)

    found = predict_held_out(separable, parts_of(separable, 80), run)

    assert found is not None
    assert len(found.videos) == 16


def test_what_a_video_is_given_does_not_depend_on_its_own_group(separable: LabelledSet) -> None:
    groups = tuple(str(place // 12) for place in range(120))
    split = parts_of(separable, 96, groups=groups)
    run = fit_head(separable, np.arange(96), np.arange(0), TrainConfig(epochs=2))
    vectors = separable.videos.vectors.copy()
    vectors[: separable.videos.row_counts[:6].sum()] += 5  # half of the first group
    changed = replace(separable, videos=replace(separable.videos, vectors=vectors))

    ours, theirs = (predict_held_out(dataset, split, run) for dataset in (separable, changed))

    assert ours is not None
    assert theirs is not None
    other_half = np.isin(ours.videos, np.arange(6, 12))
    np.testing.assert_array_equal(ours.probabilities[other_half], theirs.probabilities[other_half])


def test_many_validation_videos_need_no_folds() -> None:
    dataset = overlapping(700)
    run = fit_head(dataset, np.arange(100), np.arange(0), TrainConfig(epochs=1))

    assert predict_held_out(dataset, parts_of(dataset, 100, 500), run) is None


def test_one_group_cannot_be_held_out(separable: LabelledSet) -> None:
    run = fit_head(separable, np.arange(90), np.arange(0), TrainConfig(epochs=1))

    assert predict_held_out(separable, parts_of(separable, 90, groups=("one",) * 90 + ("other",) * 30), run) is None


@pytest.mark.parametrize(("video_count", "most"), [(60, 0.18), (200, 0.04), (600, 0.03)])
def test_the_probabilities_of_a_made_set_come_near_their_truth(video_count: int, most: float) -> None:
    dataset = overlapping(video_count + 2000)
    run = fit_head(dataset, np.arange(video_count), np.arange(0), TrainConfig())
    unseen = predict_held_out(dataset, parts_of(dataset, video_count), run)
    assert unseen is not None
    temperature = choose_temperature(dataset.targets[unseen.videos], unseen.probabilities, is_single_label=True)
    targets, plain = dataset.targets[video_count:], predict_probabilities(run.head, dataset.videos, None)[video_count:]

    before = calibration_error(targets, plain, is_single_label=True)
    after = calibration_error(targets, calibrate(plain, temperature, is_single_label=True), is_single_label=True)

    assert after < most
    assert after < before * 0.6


def test_four_videos_move_the_temperature_little() -> None:
    wrong = np.array([[0.999, 0.001]] * 4)
    targets = np.eye(2, dtype=np.bool_)[[1, 1, 0, 0]]

    assert 0.4 < fit_temperature(targets, wrong[:, ::-1], is_single_label=True) < 8


TrainRare = Callable[..., TrainingReport]


@pytest.fixture
def train_rare(make_store: Callable[..., Path], tmp_path: Path) -> TrainRare:
    """Train on 120 videos that all are "any"; few of those near "x" and "y" have these, so thresholds matter.

    The last 40 videos test, and some before them may validate.
    """
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((120, 1, 16))
    has = rng.random((120, 2)) < 0.6 / (1 + np.exp(-3 * rows[:, 0, :2]))
    ids = [f"{place:03d}.mp4" for place in range(120)]
    store = make_store(dict(zip(ids, rows.astype(np.float32), strict=True)))
    names = ["|".join(["any", *(name for name, own in zip("xy", row, strict=True) if own)]) for row in has]
    (tmp_path / "labels.csv").write_text("id,labels\n" + "".join(map("{},{}\n".format, ids, names)))
    labels = LabelConfig(str(tmp_path / "labels.csv"), multi_label=True)

    def train(
        validation: int = 0, *, groups: int = 120, budget_s: float | None = None, **recipe: object
    ) -> TrainingReport:
        parts = ["train"] * (80 - validation) + ["validation"] * validation + ["test"] * 40
        own = [f"{part}{place % groups}" for place, part in enumerate(parts)]
        lines = map("{},{},{}\n".format, ids, parts, own)
        (tmp_path / "split.csv").write_text("id,part,group\n" + "".join(lines))
        config = TrainConfig(**recipe)  # type: ignore[arg-type]
        return train_head(
            store, tmp_path / "split.csv", tmp_path / "head", labels=labels, config=config, budget_s=budget_s
        )

    return train


@pytest.mark.parametrize(
    ("validation", "on"), [(0, ["held-out folds"]), (20, ["validation", "held-out folds"])], ids=["none", "few"]
)
@pytest.mark.parametrize(("arch", "budget_s"), [("linear", None), ("attention", None), ("auto", 1.0)])
def test_thresholds_are_chosen_on_videos_that_trained_nothing_and_the_report_names_them(
    train_rare: TrainRare, validation: int, on: list[str], arch: str, budget_s: float | None
) -> None:
    report = train_rare(validation, arch=arch, budget_s=budget_s, thresholds="micro-f1")

    saved = VideoClassifier.load(report.folder)
    assert saved.config.thresholds == "micro-f1"
    assert saved.thresholds is not None
    assert 0.5 not in saved.thresholds[1:]  # of x and y
    assert (report.to_json()["thresholds_on"], report.to_json()["calibrated_on"]) == (tuple(on), tuple(on))
    assert f"Thresholds were chosen for the best micro-f1 on {' and '.join(on)}." in " ".join(
        report_text(report).split()
    )


def test_a_baseline_chooses_thresholds_too_so_that_it_is_judged_alike(train_rare: TrainRare) -> None:
    half, tuned = (
        train_rare(thresholds=goal).baselines["test"]["logistic-regression"] for goal in ("half", "label-f1")
    )

    assert tuned.metrics != half.metrics
    assert tuned.ranking == half.ranking


def test_thresholds_of_a_half_were_chosen_on_nothing(train_rare: TrainRare) -> None:
    report = train_rare()

    assert report.to_json()["thresholds_on"] == ()
    assert "Thresholds were" not in report_text(report)


@pytest.mark.parametrize("arch", ["linear", "transformer"])
def test_thresholds_without_a_video_to_choose_them_on_are_refused_before_training(
    train_rare: TrainRare, tmp_path: Path, arch: str
) -> None:
    with pytest.raises(TrainError, match=r"no training videos can be held out: they are 1 group, .*--thresholds"):
        train_rare(groups=1, thresholds="label-f1", arch=arch)

    assert not (tmp_path / "head").exists()


def test_an_epoch_to_choose_without_validation_videos_is_refused_before_heads_are_tried(train_rare: TrainRare) -> None:
    with pytest.raises(TrainError, match="no validation videos for --patience to choose by"):
        train_rare(patience=3, arch="auto", budget_s=1e-9)


def test_without_any_video_to_fit_it_on_the_report_says_so(train_rare: TrainRare) -> None:
    report = train_rare(groups=1)

    assert report.to_json()["calibrated_on"] == ()
    assert "no temperature was fitted, since no video was left to fit it on" in " ".join(report_text(report).split())

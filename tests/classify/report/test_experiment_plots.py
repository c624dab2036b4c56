from dataclasses import replace

import numpy as np
import pytest

from classify import ClassifyError, LabelledSet, TrainConfig, TrainingRun, TrainJob, fit_heads
from classify.report import plot_confidence, plot_curves, plot_mixup, plot_videos

TRAIN, HELD_OUT = np.arange(90), np.arange(90, 120)


@pytest.fixture
def runs(separable: LabelledSet) -> list[TrainingRun]:
    """Two seeds of two heads, with and without mixup, two epochs each."""
    recipes = [
        TrainConfig(arch=arch, mixup=mixup, seed=seed, epochs=2, learning_rate=0.05, device="cpu")
        for arch in ("linear", "random-frame")
        for mixup in (0.0, 0.4)
        for seed in range(2)
    ]
    return fit_heads(separable, [TrainJob(TRAIN, HELD_OUT, recipe) for recipe in recipes])


def test_curves_have_a_column_per_architecture_and_a_line_per_seed_and_mean(runs: list[TrainingRun]) -> None:
    figure = plot_curves(runs, guess=1 / 3)

    losses, _, scores, _ = figure.axes
    assert [axes.get_title() for axes in figure.axes[:2]] == ["linear", "random-frame"]
    assert len(losses.lines) == 2 * (2 + 1)
    mean = scores.lines[2]
    seeds = [[record.validation_f1 for record in run.history] for run in runs[:2]]
    assert np.asarray(mean.get_ydata()).tolist() == np.mean(np.array(seeds, dtype=float), axis=0).tolist()
    assert [line.get_label() for line in losses.lines if not str(line.get_label()).startswith("_")] == [
        "no mixup",
        "mixup 0.4",
    ]


def test_confidence_has_a_mark_per_seed_where_the_head_is_right(
    runs: list[TrainingRun], separable: LabelledSet
) -> None:
    figure = plot_confidence(runs, separable, HELD_OUT)

    linear = figure.axes[0]
    _, _, right, *_ = linear.collections  # the band, how sure, how often right
    heights = np.asarray(right.get_offsets())[:, 1]
    assert heights.tolist() == [run.history[-1].validation_f1 for run in runs[:2]]  # with one label, accuracy
    assert any("sure" in text.get_text() for text in linear.texts)


def test_confidence_is_refused_where_videos_have_several_labels(
    runs: list[TrainingRun], several_labels: LabelledSet
) -> None:
    with pytest.raises(ClassifyError, match="one label each; some of these have several or none"):
        plot_confidence(runs, several_labels, HELD_OUT)


def test_videos_are_points_beside_the_frames_of_one_video_per_label(separable: LabelledSet) -> None:
    figure = plot_videos(separable)

    points, *frames = figure.axes
    assert [collection.get_label() for collection in points.collections] == list(separable.names)
    assert sum(len(np.asarray(found.get_offsets())) for found in points.collections) == 120
    shown = [axes for axes in frames if axes.images]
    assert [axes.get_title() for axes in shown] == list(separable.names)
    counts = [int(separable.videos.row_counts[number]) for number in range(3)]  # the first video of each class
    assert [np.asarray(axes.images[0].get_array()).shape for axes in shown] == [(count, count) for count in counts]


def test_mixup_is_said_in_words() -> None:
    texts = [text.get_text() for text in plot_mixup(0.5).axes[0].texts]

    # Beta(0.5, 0.5) is the arcsine distribution, of which 2/3 - 1/3 lies between 0.25 and 0.75.
    assert texts == ["with \N{GREEK SMALL LETTER ALPHA} = 0.5, 33% of the blends\nhave both videos at 25% or more"]


def test_runs_without_validation_cannot_be_plotted(runs: list[TrainingRun]) -> None:
    history = tuple(replace(record, validation_f1=None) for record in runs[0].history)

    with pytest.raises(ClassifyError, match="Train with validation videos"):
        plot_curves([replace(runs[0], history=history)])


def test_no_runs_are_no_plot() -> None:
    with pytest.raises(ClassifyError, match="no training runs to plot"):
        plot_curves([])

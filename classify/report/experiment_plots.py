"""Plots of an experiment, for notebooks: videos by their vectors, mixup, learning curves, confidence.

Each function returns a matplotlib Figure, which a notebook shows after `%matplotlib inline`. matplotlib loads when they
are drawn. Colours as in `classify.report.plots`; grey stands for what is only there for comparison.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.errors import ClassifyError
from classify.picture_style import picture_style
from classify.training import LabelledSet, TrainingRun, predict_probabilities
from embed.machine import shown as as_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WITHOUT, _WITH = "#0072B2", "#D55E00"  # mixup
_ALPHA = "\N{GREEK SMALL LETTER ALPHA}"
_DPI = 72
_SHOWN_CLASSES = 6  # of which one video's frames are shown
_COLOURS = 10  # of tab10; more classes repeat them

_Groups = dict[tuple[str, float], list[TrainingRun]]


@contextmanager
def _style() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError as error:
        raise ClassifyError(
            "Plots need matplotlib. Install it: pip install '.[plots]' in framehead's folder"
        ) from error
    with picture_style(), matplotlib.rc_context():
        matplotlib.rc("axes", grid=True, titlesize=11, titleweight="bold")
        matplotlib.rc("grid", alpha=0.25)
        matplotlib.rc("legend", frameon=False)
        yield


@_style()
def plot_videos(dataset: LabelledSet) -> "Figure":
    """Plot videos as points by their mean vectors, and frames of one video per label against each other.

    Left: the first two principal components of the mean vectors, coloured by label. Right: cosine similarity of the
    frames of the first video of each label (up to six labels), dark where frames are alike.

    Args:
        dataset: N videos; a video with several labels has the colour of the first.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), dpi=_DPI, layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.15, 1])[0]
    vectors = [dataset.videos.rows_of(np.array([index])).astype(np.float64) for index in range(len(dataset.videos))]
    _draw_means(left.subplots(), dataset, np.stack([own.mean(axis=0) for own in vectors]))
    shown = min(_SHOWN_CLASSES, len(dataset.names))
    right.suptitle("Frames of one video against each other", fontsize=11, fontweight="bold")
    grid = right.subplots(2, (shown + 1) // 2, squeeze=False).ravel()
    for axes in grid[shown:]:
        axes.set_axis_off()
    for number, axes in enumerate(grid[:shown]):
        videos = np.flatnonzero(dataset.targets[:, number])
        _draw_similarity(axes, vectors[videos[0]] if len(videos) else np.ones((1, 1)), as_text(dataset.names[number]))
    return figure


def _draw_means(axes: "Axes", dataset: LabelledSet, means: NDArray[np.float64]) -> None:
    import matplotlib
    from sklearn.decomposition import PCA

    places = PCA(2, random_state=0).fit_transform(means)
    colours, classes = matplotlib.colormaps["tab10"], dataset.targets.argmax(axis=1)
    for number, name in enumerate(dataset.names):
        own = places[classes == number]
        colour = colours(number % _COLOURS)
        axes.scatter(own[:, 0], own[:, 1], s=42, color=colour, edgecolor="white", linewidth=0.7, label=as_text(name))
    axes.set(title="Videos: the mean of their vectors", xlabel="first principal component", ylabel="second")
    axes.set(xticks=[], yticks=[])
    columns = min(6, len(dataset.names))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=columns, columnspacing=1, handletextpad=0.1)


def _draw_similarity(axes: "Axes", vectors: NDArray[np.float64], name: str) -> None:
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    axes.imshow(directions @ directions.T, cmap="magma_r", vmin=0.5, vmax=1)
    axes.set_title(name, fontweight="normal", fontsize=10)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.set_xlabel("time →", fontsize=8)


@_style()
def plot_mixup(alpha: float = 0.4) -> "Figure":
    """Plot how strongly mixup blends two videos: the density of the first one's share, Beta(alpha, alpha).

    Args:
        alpha: drawn in colour, beside 0.1 and 1 in grey.

    Source: Zhang et al. 2018, mixup, https://arxiv.org/abs/1710.09412.
    """
    from matplotlib.figure import Figure
    from scipy.stats import beta

    figure = Figure(figsize=(6.5, 2.6), dpi=_DPI, layout="constrained")
    axes, shares = figure.add_subplot(), np.linspace(0.005, 0.995, 400)
    axes.fill_between(shares, beta.pdf(shares, alpha, alpha), color=_WITH, alpha=0.15)
    for drawn, line in ((0.1, ":"), (alpha, "-"), (1.0, "--")):
        colour = _WITH if drawn == alpha else "grey"
        axes.plot(shares, beta.pdf(shares, drawn, drawn), line, color=colour, label=f"{_ALPHA} = {drawn:g}")
    strong = beta.cdf(0.75, alpha, alpha) - beta.cdf(0.25, alpha, alpha)
    text = f"with {_ALPHA} = {alpha:g}, {strong:.0%} of the blends\nhave both videos at 25% or more"
    axes.annotate(text, (0.5, 1.35), ha="center")
    axes.set(xlim=(0, 1), ylim=(0, 3), title="How strongly videos mix")
    axes.set(xlabel="λ, the share of the first video", ylabel="density")
    axes.legend(loc="upper center", bbox_to_anchor=(1.12, 0.9))
    return figure


@_style()
def plot_curves(runs: Iterable[TrainingRun], *, guess: float | None = None) -> "Figure":
    """Plot training loss and validation micro-F1 by epoch: a column per architecture, a colour per mixup.

    Seeds are thin lines, and their mean is a thick one.

    Args:
        runs: trained with validation videos.
        guess: micro-F1 of guessing, drawn as a line.

    Raises:
        ClassifyError: a run has no validation figures, or there are no runs.
    """
    from matplotlib.figure import Figure

    groups, archs = _group(runs)
    figure = Figure(figsize=(0.2 + 3.6 * len(archs), 5.4), dpi=_DPI, layout="constrained")
    grid = figure.subplots(2, len(archs), sharex=True, sharey="row", squeeze=False)
    for (arch, mixup), own in groups.items():
        for axes, name in zip(grid[:, archs.index(arch)], ("train_loss", "validation_f1"), strict=True):
            _draw_seeds(axes, [[getattr(record, name) for record in run.history] for run in own], mixup)
    for column, arch in enumerate(archs):
        grid[0, column].set_title(arch)
        grid[1, column].set(xlabel="epoch", ylim=(0, 1))
        if guess is not None:
            grid[1, column].axhline(guess, color="grey", linestyle=":", linewidth=1)
    if guess is not None:
        grid[1, -1].text(1, guess + 0.02, "guessing ", transform=grid[1, -1].get_yaxis_transform(), ha="right")
    grid[0, 0].set_ylabel("training loss")
    grid[1, 0].set_ylabel("micro-F1, validation")
    grid[0, -1].legend(loc="upper right")
    return figure


def _draw_seeds(axes: "Axes", curves: Sequence[Sequence[float]], mixup: float) -> None:
    values = np.array(curves, dtype=np.float64)
    epochs, colour = np.arange(1, values.shape[1] + 1), _WITH if mixup else _WITHOUT
    axes.plot(epochs, values.T, color=colour, alpha=0.3, linewidth=0.8)
    axes.plot(epochs, values.mean(axis=0), color=colour, linewidth=2.2, label=_named(mixup))


@_style()
def plot_confidence(runs: Iterable[TrainingRun], dataset: LabelledSet, rows: NDArray[np.int64]) -> "Figure":
    """Plot how sure heads are of their answers beside how often these are right: a column per architecture.

    Sure: the mean probability of the most likely label. Each seed is a mark; the text is the difference of the means.

    Args:
        runs: trained on videos with one label each.
        dataset: the videos.
        rows: those to predict on; none of them may have trained the heads.

    Raises:
        ClassifyError: videos have several labels, or there are no runs.
    """
    from matplotlib.figure import Figure

    if dataset.is_multi_label:
        raise ClassifyError("Confidence is plotted for videos with one label each; some of these have several or none.")
    groups, archs = _group(runs)
    mixups = sorted({mixup for _, mixup in groups})
    figure = Figure(figsize=(0.2 + 3.6 * len(archs), 3.4), dpi=_DPI, layout="constrained")
    grid = figure.subplots(1, len(archs), sharey=True, squeeze=False)[0]
    for (arch, mixup), own in groups.items():
        found = [_confidence(run, dataset, rows) for run in own]
        _draw_confidence(grid[archs.index(arch)], mixups.index(mixup), np.array(found), _WITH if mixup else _WITHOUT)
    for axes, arch in zip(grid, archs, strict=True):
        axes.set_title(arch, pad=14)
        axes.set_xticks(range(len(mixups)), [_named(mixup) for mixup in mixups])
        axes.set(xlim=(-0.6, len(mixups) - 0.4), ylim=(0, 1.1))
    grid[0].set_ylabel("share of the videos")
    grid[0].scatter([], [], marker="o", color="grey", label="how sure")
    grid[0].scatter([], [], marker="D", facecolor="white", edgecolor="grey", label="how often right")
    grid[0].legend(loc="lower left")
    return figure


def _confidence(run: TrainingRun, dataset: LabelledSet, rows: NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean probability of the most likely label, and the share of videos that have it."""
    probabilities = predict_probabilities(run.head, dataset.videos, None)[rows]
    is_right = dataset.targets[rows, probabilities.argmax(axis=1)]
    return float(probabilities.max(axis=1).mean()), float(is_right.mean())


def _draw_confidence(axes: "Axes", place: int, found: NDArray[np.float64], colour: str) -> None:
    sure, right = found.mean(axis=0)
    axes.vlines(place, right, sure, color=colour, linewidth=8, alpha=0.15)
    for column, shift, marker, face in ((0, -0.1, "o", colour), (1, 0.1, "D", "white")):
        at = np.full(len(found), place + shift)
        axes.scatter(
            at, found[:, column], marker=marker, s=45, facecolor=face, edgecolor=colour, linewidth=1.4, zorder=3
        )
    gap = f"{abs(sure - right):.2f} {'too sure' if sure > right else 'too unsure'}"
    axes.text(place, 1.02, gap, ha="center", fontsize=9)


def _group(runs: Iterable[TrainingRun]) -> tuple[_Groups, list[str]]:
    """Return architecture and mixup -> the runs of all seeds, and the architectures in their order."""
    groups: _Groups = {}
    for run in runs:
        groups.setdefault((run.config.arch, run.config.mixup), []).append(run)
    if not groups:
        raise ClassifyError("There are no training runs to plot. Give one or more.")
    if any(run.history[0].validation_f1 is None for own in groups.values() for run in own):
        raise ClassifyError("A training run has no validation figures to plot. Train with validation videos.")
    return groups, [*dict.fromkeys(arch for arch, _ in groups)]


def _named(mixup: float) -> str:
    return f"mixup {mixup:g}" if mixup else "no mixup"

"""Pictures of a training, as SVG texts that stand inside a page; matplotlib loads when they are drawn.

Their colours are the page's own: `currentColor` for lines and letters, and var(--c0) to var(--c7) for what is told
apart, so that one drawing fits a light page and a dark one.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classify.picture_style import picture_style
from classify.training import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR_COUNT = 8

_INK = "#010203"  # what becomes currentColor
_COLOURS = [f"#0000a{number}" for number in range(COLOUR_COUNT)]  # what become var(--c0) to var(--c7)
_MARKERS = "os^"
_NAMED = COLOUR_COUNT * len(_MARKERS)  # labels of the map that have a mark of their own: more cannot be told apart
_CURVES = COLOUR_COUNT  # labels whose precision and recall are drawn
_BINS = 10


@picture_style()
def draw_curves(history: Sequence[EpochRecord], best_epoch: int) -> str:
    """Draw loss and micro-F1 by epoch, of training and of validation."""
    from matplotlib.ticker import MaxNLocator

    figure, (losses, scores) = _new_figure(2, height_inches=3)
    epochs = [record.epoch for record in history]
    marker = "o" if len(epochs) < 20 else None
    for axes, kind in ((losses, "loss"), (scores, "f1")):
        for number, part in enumerate(("train", "validation")):
            values = [getattr(record, f"{part}_{kind}") for record in history]
            if values[0] is not None:
                axes.plot(epochs, values, color=_COLOURS[number], marker=marker, markersize=4, label=part)
        axes.axvline(best_epoch, color=_INK, alpha=0.4, linestyle=":", label="the head's epoch")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    losses.set_ylabel("loss")
    scores.set(ylabel="micro-F1", ylim=(-0.03, 1.03))
    scores.legend(frameon=False, loc="best")
    return _svg(figure, "curves")


@picture_style()
def draw_precision_recall(targets: NDArray[np.bool_], probabilities: NDArray[np.floating], names: Sequence[str]) -> str:
    """Draw precision against recall: of all labels together, and of the most frequent ones.

    Args:
        targets: (N, C) bool.
        probabilities: (N, C).
        names: (C,) label names.
    """
    from sklearn.metrics import precision_recall_curve

    figure, (axes,) = _new_figure(1, height_inches=4.2)
    frequent = [index for index in np.argsort(-targets.sum(axis=0), kind="stable")[:_CURVES] if targets[:, index].any()]
    for number, index in enumerate(frequent):
        precision, recall, _ = precision_recall_curve(targets[:, index], probabilities[:, index])
        axes.step(recall, precision, where="post", color=_COLOURS[number], alpha=0.85, label=_short(names[index]))
    precision, recall, _ = precision_recall_curve(targets.ravel(), probabilities.ravel())
    axes.step(recall, precision, where="post", color=_INK, linewidth=2.5, label="all labels together")
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, "precision-recall")


@picture_style()
def draw_calibration(confidences: NDArray[np.floating], is_right: NDArray[np.bool_]) -> str:
    """Draw how often labels given with a probability are right, and how many were given with it.

    Args:
        confidences: (n,) probabilities.
        is_right: (n,) bool.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (rates, counts) = _new_figure(2, height_inches=3.4)
    bin_of = np.minimum((confidences * _BINS).astype(np.int64), _BINS - 1)
    size = np.bincount(bin_of, minlength=_BINS)
    filled = np.flatnonzero(size)
    middles, width = (np.arange(_BINS) + 0.5) / _BINS, 0.9 / _BINS
    right = np.bincount(bin_of, weights=is_right, minlength=_BINS)[filled] / size[filled]
    rates.bar(middles[filled], right, width=width, color=_COLOURS[0])
    rates.plot([0, 1], [0, 1], color=_INK, linestyle="--", alpha=0.6, label="as they should be")
    rates.set(xlabel="probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    rates.legend(frameon=False, loc="upper left")
    counts.bar(middles, size, width=width, color=_COLOURS[5])
    counts.set(xlabel="probability", ylabel="how many", xlim=(0, 1))
    counts.yaxis.set_major_locator(MaxNLocator(integer=True))
    return _svg(figure, "calibration")


@picture_style()
def draw_map(places: NDArray[np.floating], labels: Sequence[str | None], is_test: NDArray[np.bool_]) -> str:
    """Draw videos as points, coloured by label; test videos have a rim.

    Args:
        places: (N, 2) of each video.
        labels: (N,) its label; None for a video with several.
        is_test: (N,) bool.
    """
    figure, (axes,) = _new_figure(1, height_inches=5.4)
    found, counts = np.unique([label for label in labels if label is not None], return_counts=True)
    named = found[np.argsort(-counts, kind="stable")][:_NAMED].tolist()
    own = np.array([named.index(label) if label in named else -1 for label in labels], dtype=np.int64)
    for number in range(-1, len(named)):
        rows = own == number
        if not rows.any():
            continue
        style: dict[str, Any] = {"color": _INK, "alpha": 0.3, "marker": "."}
        if number >= 0:
            style = {"color": _COLOURS[number % COLOUR_COUNT], "marker": _MARKERS[number // COLOUR_COUNT]}
        rims = [_INK if tested else "none" for tested in is_test[rows]]
        axes.scatter(places[rows, 0], places[rows, 1], s=34, edgecolors=rims, linewidths=1.2, **style)
        label = _short(named[number]) if number >= 0 else "several labels, or a rarer one"
        axes.scatter([], [], s=34, label=label, **style)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, "map")


def _new_figure(columns: int, *, height_inches: float) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, height_inches), layout="constrained")
    figure.patch.set_visible(False)
    all_axes = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for axes in all_axes:
        axes.patch.set_visible(False)
        axes.spines[:].set_color(_INK)
        axes.tick_params(colors=_INK)
        axes.grid(alpha=0.15, color=_INK)
        axes.set_axisbelow(True)
    return figure, all_axes


def _svg(figure: "Figure", name: str) -> str:
    """Return the picture as an SVG element that takes its colours from the page."""
    import matplotlib

    content = io.StringIO()
    for axes in figure.axes:
        legend = axes.get_legend()
        for text in (axes.xaxis.label, axes.yaxis.label, *(legend.get_texts() if legend else ())):
            text.set_color(_INK)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _adopt_colours(content.getvalue())


def _adopt_colours(text: str) -> str:
    """Take from an SVG file its one element, without a size, and put the page's colours into it."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for size in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {size}="[^"]*"', r"\1", text, count=1)
    return re.sub(r"#0000a([0-7])\b", r"var(--c\1)", text.replace(_INK, "currentColor"))


def _short(name: str) -> str:
    """Cut a label's name where it would push the picture away; one that begins with _ is left out of legends."""
    cut = name if len(name) <= 28 else f"{name[:27]}…"
    return cut.lstrip("_") or "_"

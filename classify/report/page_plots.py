"""Pictures of a training run, as SVG texts inside a page; matplotlib loads when they are drawn.

Their colours are the page's own: `currentColor` for lines and letters, and var(--c0) to var(--c7) for data, so that one
drawing fits a light page and a dark one. Each plot is an SVG of its own, so that a narrow page stacks them.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.picture_style import picture_style
from classify.report.page_tables import escaped
from classify.training import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR_COUNT = 8
CURVES = 12  # labels whose precision and recall are drawn

_INK = "#010203"  # what becomes currentColor
_COLOURS = [f"#0000a{number}" for number in range(COLOUR_COUNT)]  # what become var(--c0) to var(--c7)
_BINS = 10
_WIDE, _SMALL = (4.3, 2.9), (2.5, 2.3)  # inches


@picture_style()
def draw_curves(history: Sequence[EpochRecord], best_epoch: int) -> str:
    """Draw loss and micro-F1 by epoch, of training and of validation."""
    losses, scores = _new_axes(_WIDE), _new_axes(_WIDE)
    _draw_epochs(losses, history, "loss", best_epoch)
    _draw_epochs(scores, history, "f1", best_epoch)
    losses.set_ylabel("loss")
    scores.set(ylabel="micro-F1", ylim=(-0.03, 1.03))
    return f'<div class="plots">{_svg(losses, "Loss by epoch")}{_svg(scores, "Micro-F1 by epoch")}</div>'


def _draw_epochs(axes: "Axes", history: Sequence[EpochRecord], kind: str, best_epoch: int) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [record.epoch for record in history]
    marker = "o" if len(epochs) < 20 else None
    for number, (part, line) in enumerate((("train", "-"), ("validation", "--"))):
        values = [getattr(record, f"{part}_{kind}") for record in history]
        if values[0] is not None:
            axes.plot(epochs, values, line, color=_COLOURS[number], marker=marker, markersize=4, label=part)
    axes.axvline(best_epoch, color=_INK, alpha=0.5, linestyle=":", label="the head's epoch")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="best")


@picture_style()
def draw_precision_recall(targets: NDArray[np.bool_], probabilities: NDArray[np.floating], names: Sequence[str]) -> str:
    """Draw precision against recall: a plot for each of the most frequent labels, all labels together in each.

    Args:
        targets: (N, C) bool.
        probabilities: (N, C).
        names: (C,) label names.
    """
    from sklearn.metrics import precision_recall_curve

    supports = targets.sum(axis=0)
    frequent = [index for index in np.argsort(-supports, kind="stable")[:CURVES] if supports[index]]
    together = precision_recall_curve(targets.ravel(), probabilities.ravel())
    drawn = []
    for index in frequent:
        axes = _new_axes(_SMALL)
        own = precision_recall_curve(targets[:, index], probabilities[:, index])
        axes.step(together[1], together[0], where="post", color=_INK, alpha=0.8, linestyle="--", linewidth=1.2)
        axes.step(own[1], own[0], where="post", color=_COLOURS[0], linewidth=2.2)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.03, 1.03), ylim=(-0.03, 1.05))
        axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        number = f"{supports[index]:,} test video{'' if supports[index] == 1 else 's'}"
        caption = f"<b>{escaped(names[index])}</b> <small>{number}</small>"
        picture = _svg(axes, f"Precision against recall of {names[index]}")
        drawn.append(f'<figure class="plot"><figcaption>{caption}</figcaption>{picture}</figure>')
    return f'<div class="small plots">{"".join(drawn)}</div>'


@picture_style()
def draw_calibration(confidences: NDArray[np.floating], is_right: NDArray[np.bool_]) -> str:
    """Draw how often labels given with a probability are right, and how many were given with it.

    Args:
        confidences: (n,) probabilities.
        is_right: (n,) bool.
    """
    from matplotlib.ticker import MaxNLocator

    rates, counts = _new_axes(_WIDE), _new_axes(_WIDE)
    bin_of = np.minimum((confidences * _BINS).astype(np.int64), _BINS - 1)
    size = np.bincount(bin_of, minlength=_BINS)
    filled = np.flatnonzero(size)
    middles, width = (np.arange(_BINS) + 0.5) / _BINS, 0.9 / _BINS
    right = np.bincount(bin_of, weights=is_right, minlength=_BINS)[filled] / size[filled]
    rates.bar(middles[filled], right, width=width, color=_COLOURS[0])
    rates.plot([0, 1], [0, 1], color=_INK, linestyle="--", alpha=0.6, label="perfectly calibrated")
    rates.set(xlabel="probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    rates.legend(frameon=False, loc="upper left")
    counts.bar(middles, size, width=width, color=_COLOURS[5])
    counts.set(xlabel="probability", ylabel="number of labels", xlim=(0, 1))
    counts.yaxis.set_major_locator(MaxNLocator(integer=True))
    pictures = _svg(rates, "Share of right labels by probability"), _svg(counts, "Number of labels by probability")
    return f'<div class="plots">{"".join(pictures)}</div>'


def _new_axes(size_inches: tuple[float, float]) -> "Axes":
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_inches, layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.spines[:].set_color(_INK)
    axes.tick_params(colors=_INK)
    axes.grid(alpha=0.15, color=_INK)
    axes.set_axisbelow(True)
    return axes


def _svg(axes: "Axes", name: str) -> str:
    """Return the picture as an SVG element that takes its colours from the page, with a name for screen readers."""
    import matplotlib
    from matplotlib.figure import Figure

    content, figure, legend = io.StringIO(), axes.figure, axes.get_legend()
    assert isinstance(figure, Figure)
    for text in (axes.xaxis.label, axes.yaxis.label, *(legend.get_texts() if legend else ())):
        text.set_color(_INK)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": escaped(name)}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    element = _adopt_colours(content.getvalue())
    return element.replace("<svg ", f'<svg role="img" aria-label="{escaped(name)}" ', 1)


def _adopt_colours(text: str) -> str:
    """Take from an SVG file its one element, without a size, and put the page's colours into it."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for size in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {size}="[^"]*"', r"\1", text, count=1)
    return re.sub(r"#0000a([0-7])\b", r"var(--c\1)", text.replace(_INK, "currentColor"))

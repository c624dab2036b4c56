"""The table of a comparison as a picture (PNG): one row per contender, the best on top.

Left: micro-F1 with its interval; small dots are seeds. Right: the paired differences from the best baseline, and from
the same head without mixup, with their intervals; they are grey where the interval contains 0. The colours are those of
`classify.report.plots`. It needs matplotlib.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from classify.comparison.contenders import BEST, NO_DIFFERENCE, Comparison, Contender, verdict
from classify.measures import Interval
from classify.picture_style import PNG_METADATA, picture_style
from embed.machine import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEAD, _BASELINE = "#0072B2", "#E69F00"
_COLOUR_OF = {"better": "#009E73", "worse": "#D55E00"}
_UNCLEAR = "#999999"
_DPI = 150


def draw_comparison(comparison: Comparison) -> bytes | None:
    """Return a comparison as a PNG picture; None if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return None
    with picture_style():
        content = io.BytesIO()
        figure = _draw(comparison)
        figure.savefig(content, format="png", dpi=_DPI, metadata=PNG_METADATA)
        return content.getvalue()


def _draw(comparison: Comparison) -> "Figure":
    from matplotlib.figure import Figure

    rows, baseline = comparison.contenders, comparison.best_baseline
    shown = {name: column for name, column in comparison.differences.items() if name != BEST}
    figure = Figure(figsize=(7 + 2.5 * len(shown), 2.0 + 0.36 * len(rows)), layout="constrained")
    scores, *others = figure.subplots(
        1, 1 + len(shown), sharey=True, width_ratios=[3, *[2] * len(shown)], squeeze=False
    )[0]
    _draw_scores(scores, rows)
    if baseline is not None:
        scores.axvline(baseline.micro_f1.value, color=_BASELINE, linestyle="--", linewidth=1)
    for axes, (name, column) in zip(others, shown.items(), strict=True):
        _draw_differences(axes, column, name)
    way = f"{counted(comparison.folds, 'fold')} x {counted(comparison.seeds, 'seed')}"
    units = counted(comparison.unit_count, comparison.unit.removesuffix("s"))
    figure.suptitle(f"{way}; 95% intervals over {units}", fontsize=10)
    return figure


def _draw_scores(axes: "Axes", rows: tuple[Contender, ...]) -> None:
    for row, found in enumerate(rows):
        colour = _BASELINE if found.mixup is None else _HEAD
        interval = found.micro_f1
        axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=2, solid_capstyle="round")
        axes.scatter(found.seed_scores, [row] * len(found.seed_scores), s=9, color="black", alpha=0.4, zorder=3)
        axes.scatter([interval.value], [row], s=45, color=colour, edgecolors="white", zorder=4)
        axes.annotate(
            f"{interval.value:.3f}", (interval.value, row), (0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_yticks(range(len(rows)), [found.title for found in rows])
    axes.set_ylim(len(rows) - 0.5, -0.7)
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlabel="micro-F1 (small dots: seeds)")
    _add_legend(axes, rows)


def _draw_differences(axes: "Axes", differences: Sequence[Interval | None], subtracted: str) -> None:
    axes.axvline(0, color="black", linestyle="--", linewidth=1)
    for row, difference in enumerate(differences):
        if difference is None:
            continue
        colour = _COLOUR_OF.get(verdict(difference), _UNCLEAR)
        axes.plot([difference.low, difference.high], [row, row], color=colour, linewidth=2, solid_capstyle="round")
        axes.scatter([difference.value], [row], s=45, color=colour, edgecolors="white", zorder=4)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlabel=f"micro-F1 over {subtracted}\n(grey: {NO_DIFFERENCE})")


def _add_legend(axes: "Axes", rows: tuple[Contender, ...]) -> None:
    from matplotlib.lines import Line2D

    kinds = {"head": _HEAD, "baseline": _BASELINE}
    shown = {"baseline" if found.mixup is None else "head" for found in rows}
    handles = [
        Line2D([], [], color=kinds[kind], marker="o", linewidth=2, label=kind) for kind in kinds if kind in shown
    ]
    axes.figure.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)

"""Pictures of a labelled set, as PNG files in memory; matplotlib loads when they are drawn.

Colours are those of Okabe & Ito, which people with any kind of colour vision can tell apart. Quantities are in cividis,
which is made for the same purpose.

Source: Okabe & Ito 2008, Color Universal Design; Nunez, Anderton & Renslow 2018, Optimizing colormaps with
consideration for color vision deficiency.
"""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classify.data import WHOLE, DatasetDescription
from classify.errors import ClassifyError
from classify.picture_style import PNG_METADATA, picture_style
from embed.machine import shown as as_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PART_COLOURS = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73", WHOLE: "#0072B2"}

_SHOWN_CLASSES = 40  # rows that can still be read on one page
_COUNTED_CELLS = 16  # classes up to which a cell has room for its number
_LONG_SPAN = 30  # longest over shortest duration above which the axis is logarithmic
_DPI = 150


def picture_files() -> tuple[str, ...]:
    """Return the names of the pictures of a set."""
    return tuple(_PICTURES)


def draw_description(description: DatasetDescription) -> dict[str, bytes]:
    """Draw a set; return file name -> PNG.

    Raises:
        ClassifyError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ClassifyError(
            "Pictures need matplotlib. Install it: pip install '.[plots]' in framehead's folder"
        ) from error
    with picture_style():
        # If no video has two labels, no two labels are together.
        drawn = {name: draw for name, draw in _PICTURES.items() if draw is not _draw_pairs or description.pairs}
        return {name: _png(draw(description)) for name, draw in drawn.items()}


def _draw_classes(description: DatasetDescription) -> "Figure":
    counts = description.class_counts
    shown = _most_frequent(counts[WHOLE])
    figure, axes = _new_figure(len(shown))
    left = np.zeros(len(shown))
    for part in _parts_of(description):
        axes.barh(range(len(shown)), counts[part][shown], left=left, color=PART_COLOURS[part], label=part)
        left += counts[part][shown]
    for row, total in enumerate(counts[WHOLE][shown].tolist()):
        axes.text(total, row, f" {total:,}", va="center")
    _name_rows(axes, description, shown)
    axes.set(xlabel="videos", title=f"Videos per class{_cut(description, shown)}")
    axes.margins(x=0.08)
    _count_in_wholes(axes.xaxis)
    _add_legend(figure, axes)
    return figure


def _draw_labels_per_video(description: DatasetDescription) -> "Figure":
    figure, axes = _new_figure(6)
    parts = _parts_of(description)
    numbers = sorted(description.label_counts[WHOLE])
    bottom = np.zeros(len(numbers))
    for part in parts:
        heights = np.array([description.label_counts[part].get(number, 0) for number in numbers])
        axes.bar(range(len(numbers)), heights, bottom=bottom, width=0.6, color=PART_COLOURS[part], label=part)
        bottom += heights
    for place, total in enumerate(bottom.astype(int).tolist()):
        axes.text(place, total, f"{total:,}", ha="center", va="bottom")
    axes.set_xticks(range(len(numbers)), [str(number) for number in numbers])
    axes.set(xlabel="labels of a video", ylabel="videos", title="Labels per video", xlim=(-1, len(numbers)))
    axes.margins(y=0.1)
    _count_in_wholes(axes.yaxis)
    _add_legend(figure, axes)
    return figure


def _draw_pairs(description: DatasetDescription) -> "Figure":
    shown = _most_frequent(description.class_counts[WHOLE])
    shared = description.shared_counts[np.ix_(shown, shown)].astype(np.float64)
    alone = np.diag(shared).copy()
    np.fill_diagonal(shared, np.nan)  # its counts are so large that all others would look alike
    figure, axes = _new_figure(max(10, len(shown)), width_inches=3.5 + 0.42 * max(8, len(shown)))
    image = axes.imshow(np.ma.masked_invalid(shared), cmap="cividis", vmin=0, vmax=max(1.0, np.nanmax(shared)))
    if len(shown) <= _COUNTED_CELLS:
        _write_cells(axes, shared, alone)
    names = [as_text(description.table.names[index]) for index in shown]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_title(f"Videos that have both labels{_cut(description, shown)}\n(diagonal: videos that have the label)")
    figure.colorbar(image, ax=axes, label="videos", shrink=0.8)
    return figure


def _draw_durations(description: DatasetDescription) -> "Figure":
    figure, axes = _new_figure(8)
    durations = description.durations_s
    parts = _parts_of(description)
    is_long = _is_long(durations)
    ends = max(float(durations.min()), 0.1), max(float(durations.max()), 0.2)
    bins = np.geomspace(*ends, 31) if is_long else np.linspace(min(ends[0], durations.min()), ends[1], 31)
    axes.hist(
        [durations[description.rows[part]] for part in parts],
        bins=bins.tolist(),
        stacked=True,
        color=[PART_COLOURS[part] for part in parts],
        label=list(parts),
    )
    median = float(np.median(durations))
    axes.axvline(median, color="black", linestyle="--", label=f"median, {median:.1f} s")
    if is_long:
        _use_logarithm(axes)
    axes.set(xlabel="duration (seconds)", ylabel="videos", title="Durations")
    _count_in_wholes(axes.yaxis)
    _add_legend(figure, axes)
    return figure


def _draw_class_durations(description: DatasetDescription) -> "Figure":
    shown = _most_frequent(description.class_counts[WHOLE])
    sets = [description.durations_s[description.table.targets[:, index]] for index in shown]
    order = sorted((row for row in range(len(sets)) if len(sets[row])), key=lambda row: float(np.median(sets[row])))
    figure, axes = _new_figure(len(order))
    axes.boxplot(
        [sets[row] for row in order],
        orientation="horizontal",
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#56B4E9"},
        medianprops={"color": "black", "linewidth": 2},
        flierprops={"marker": ".", "markersize": 4},
    )
    axes.set_yticks(range(1, len(order) + 1), [_row_name(description, int(shown[row])) for row in order])
    if _is_long(description.durations_s):
        _use_logarithm(axes)
    legend = "box: middle half; line: median; whiskers: up to 1.5 box lengths"
    axes.set(xlabel=f"duration (seconds)\n{legend}", title=f"Durations by class{_cut(description, shown)}")
    return figure


def _draw_resolutions(description: DatasetDescription) -> "Figure":
    found = description.resolutions
    known = sum(found.values())
    title = f"Resolutions: {len(found)} among {known:,} videos"
    if len(found) <= _COUNTED_CELLS:
        return _draw_few_resolutions(found, title)
    figure, axes = _new_figure(10)
    sizes, counts = np.array([*found]), np.array([*found.values()])
    areas = 30 + 600 * counts / known
    axes.scatter(sizes[:, 0], sizes[:, 1], s=areas, color="#0072B2", alpha=0.5, edgecolors="black", linewidths=0.5)
    axes.set(xlabel="width (pixels)", ylabel="height (pixels)", title=f"{title} (larger dots: more videos)")
    axes.set(xlim=(0, 1.1 * sizes[:, 0].max()), ylim=(0, 1.1 * sizes[:, 1].max()))
    axes.grid(alpha=0.3)
    return figure


def _draw_few_resolutions(found: Mapping[tuple[int, int], int], title: str) -> "Figure":
    figure, axes = _new_figure(len(found))
    counts = [*found.values()]
    axes.barh(range(len(counts)), counts, color=PART_COLOURS[WHOLE])
    for row, count in enumerate(counts):
        axes.text(count, row, f" {count:,}", va="center")
    axes.set_yticks(range(len(counts)), [f"{width} x {height}" for width, height in found])
    axes.invert_yaxis()
    axes.margins(x=0.08)
    _count_in_wholes(axes.xaxis)
    axes.set(xlabel="videos", ylabel="width x height (pixels)", title=title)
    return figure


_PICTURES: dict[str, Callable[[DatasetDescription], "Figure"]] = {
    "videos_per_class.png": _draw_classes,
    "labels_per_video.png": _draw_labels_per_video,
    "labels_together.png": _draw_pairs,
    "durations.png": _draw_durations,
    "durations_by_class.png": _draw_class_durations,
    "resolutions.png": _draw_resolutions,
}


def _new_figure(rows: int, width_inches: float = 8) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, 1.6 + 0.32 * max(rows, 4)), layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: "Figure") -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI, metadata=PNG_METADATA)
    return content.getvalue()


def _parts_of(description: DatasetDescription) -> list[str]:
    """Return the parts that make up the whole, or the whole if there is no split."""
    return [part for part in description.rows if part != WHOLE] or [WHOLE]


def _most_frequent(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the classes to show, the one with the most videos first."""
    return np.argsort(-counts, kind="stable")[:_SHOWN_CLASSES]


def _cut(description: DatasetDescription, shown: NDArray[np.int64]) -> str:
    count = len(description.table.names)
    return "" if len(shown) == count else f", the {len(shown)} most frequent of {count:,}"


def _row_name(description: DatasetDescription, index: int) -> str:
    return f"{as_text(description.table.names[index])} ({description.class_counts[WHOLE][index]:,})"


def _name_rows(axes: "Axes", description: DatasetDescription, shown: NDArray[np.int64]) -> None:
    axes.set_yticks(range(len(shown)), [as_text(description.table.names[index]) for index in shown])
    axes.invert_yaxis()


def _write_cells(axes: "Axes", shared: NDArray[np.float64], alone: NDArray[np.float64]) -> None:
    middle = np.nanmax(shared) / 2
    for row, column in np.ndindex(shared.shape):
        is_own = row == column
        count = alone[row] if is_own else shared[row, column]
        colour = "black" if is_own or count > middle else "white"
        axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, fontsize=8)


def _add_legend(figure: "Figure", axes: "Axes") -> None:
    """Write the legend below the picture, where it covers nothing."""
    handles, names = axes.get_legend_handles_labels()
    if names != [WHOLE]:
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)


def _count_in_wholes(axis: "Axis") -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def _use_logarithm(axes: "Axes") -> None:
    """Make the horizontal axis logarithmic, with plain numbers as its labels."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


def _is_long(durations_s: NDArray[np.float64]) -> bool:
    shortest = float(durations_s.min())
    return shortest > 0 and float(durations_s.max()) > _LONG_SPAN * shortest

"""The map of the page: each video a point that says its name on hover, on a tap and by keyboard, without a script.

Each point is a radio button of one group, so that Tab reaches the map once and the arrow keys go from point to point.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from classify.report.findings import Findings
from classify.report.page_figures import Section
from classify.report.page_plots import COLOUR_COUNT
from classify.report.page_tables import escaped
from embed.machine import counted

_MAPPED_VIDEOS = 3_000  # t-SNE of more takes minutes
_SHAPES = 3  # round, square, diamond: page.css
_NAMED = COLOUR_COUNT * _SHAPES  # labels with a mark of their own; 8 and 3 share no factor, so no two are the same
_DENSE = 500  # points from which they are drawn smaller
_EDGE = 0.03  # of the map, which stays free of points


def map_section(found: Findings) -> Section:
    """Return the videos as points of their mean vectors."""
    total = len(found.table.ids)
    rows = np.sort(np.random.default_rng(0).permutation(total)[:_MAPPED_VIDEOS])
    shown = "" if len(rows) == total else f" It shows {len(rows):,} of {counted(total, 'video')}, drawn at random."
    words = (
        f"Each point is a video; close points have similar mean vectors (t-SNE: large distances mean nothing).{shown} "
        "Labels that form clusters are easy to tell apart. Labels that overlap may still differ in what happens when. "
        "Point at a video to see its name, or press Tab and then the arrow keys."
    )
    return Section("Map of the videos", words, draw_map(found, rows, _place_on_map(found.means[rows])))


def draw_map(found: Findings, rows: NDArray[np.int64], places: NDArray[np.floating]) -> str:
    """Return the points and what their marks mean.

    Args:
        found: the videos.
        rows: (M,) which of them are on the map.
        places: (M, 2) of each.
    """
    labels = [found.table.labels_of(row) for row in rows]  # those of a video are one mark, hug|kick, however many
    mark_of = {label: number for number, (label, _) in enumerate(Counter(labels).most_common(_NAMED))}
    marks = np.array([mark_of.get(label, -1) for label in labels])
    shares = _shares(places)
    order = np.lexsort((shares[:, 0], marks))  # the arrow keys go through a label from left to right
    points = "".join(_point(found, int(rows[place]), int(marks[place]), shares[place]) for place in order)
    names = [(number, escaped(label)) for label, number in mark_of.items()]
    if (marks < 0).any():
        names.append((-1, "<i>rarer labels</i>"))
    legend = "".join(f'<li><span class="mark {_look(number)}"></span>{name}</li>' for number, name in names)
    dense = " dense" if len(rows) > _DENSE else ""
    return (
        f'<div class="map{dense}" role="radiogroup" aria-label="Videos">{points}</div>\n'
        f'<ul class="legend">{legend}<li><span class="mark test"></span><i>with a rim: test video</i></li></ul>'
    )


def _point(found: Findings, video: int, mark: int, share: NDArray[np.floating]) -> str:
    part = found.split.parts[video]
    wrong = ", wrong" if found.is_wrong[video] else ""
    name = (
        f"<b>{escaped(found.table.ids[video])}</b> {part}<br>label: {escaped(found.table.labels_of(video))}<br>"
        f"head: {escaped(found.said(video))}{wrong}"
    )
    look = f"mark {_look(mark)}{' test' if part == 'test' else ''}"
    return (
        f'<label style="--x:{share[0]:.1%};--y:{share[1]:.1%}"><input type="radio" name="map" class="{look}">'
        f"<span>{name}</span></label>\n"
    )


def _look(mark: int) -> str:
    """Return the classes of a label's mark: its colour and its shape."""
    return "other" if mark < 0 else f"k{mark % COLOUR_COUNT} s{mark % _SHAPES}"


def _shares(places: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return places (M, 2) as shares of the map's width, and of its height from the top."""
    low, high = places.min(axis=0), places.max(axis=0)
    shares = _EDGE + (1 - 2 * _EDGE) * (places - low) / np.where(high > low, high - low, 1)
    return np.asarray(np.stack([shares[:, 0], 1 - shares[:, 1]], axis=1))


def _place_on_map(means: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return places (N, 2) of mean vectors (N, D)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    components = min(50, len(means), means.shape[1])
    reduced = PCA(components, random_state=0).fit_transform(means)
    if len(means) < 10:
        return np.pad(reduced, ((0, 0), (0, 2)))[:, :2]
    places: NDArray[np.floating] = TSNE(perplexity=min(30, (len(means) - 1) / 3), random_state=0).fit_transform(reduced)
    return places

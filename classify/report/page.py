"""A training as one HTML page that needs no network: its pictures, frames and colours are all inside.

    head/report.html    written by `write_page` beside report.json

It runs no script, and tells the browser to load nothing.
"""

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.comparison import mean_vectors
from classify.data import (
    FOLDS,
    MOST_LABELS,
    MOST_VIDEOS,
    LabelDoubt,
    Labels,
    LabelTable,
    Split,
    can_judge,
    find_label_errors,
    read_labels,
    read_split,
)
from classify.errors import ClassifyError
from classify.experiment import TrainingReport
from classify.files import write_whole
from classify.report.page_plots import draw_calibration, draw_curves, draw_map, draw_precision_recall
from classify.report.page_tables import class_table, confusion_table
from classify.training import open_videos
from embed.store import EmbeddingStore

PAGE_FILE = "report.html"

GrabFrames = Callable[[str], Sequence[NDArray[np.uint8]]]
"""Takes a video's location and gives a few of its frames, (H, W_px, 3) RGB; none where it cannot be read any more."""

_SHOWN_VIDEOS = 12  # cards of mistakes, and of doubtful labels
_LARGEST_CONFUSION = 40  # classes whose table can still be read
_MAPPED_VIDEOS = 3_000  # t-SNE of more takes minutes
_FRAME_HEIGHT_PX = 120


@dataclass(frozen=True)
class _Found:
    """What the page shows.

    Args:
        report: of the training.
        table: labels of N videos.
        split: their parts.
        probabilities: (N, C).
        given: (N, C) bool, the labels that the head gives.
        means: (N, D) mean vectors.
        locations: (N,) where the videos were read from.
        grab_frames: reads frames of a location.
    """

    report: TrainingReport
    table: LabelTable
    split: Split
    probabilities: NDArray[np.floating]
    given: NDArray[np.bool_]
    means: NDArray[np.float32]
    locations: tuple[str, ...]
    grab_frames: GrabFrames

    @property
    def test(self) -> NDArray[np.int64]:
        """Where the test videos stand."""
        return self.split.indices("test")


def check_page_packages() -> None:
    """Say before a training that its page could not be written after it.

    Raises:
        ClassifyError: matplotlib or cleanlab is not installed.
    """
    if not all(map(find_spec, ("cleanlab", "matplotlib"))):
        raise ClassifyError("The page needs matplotlib and cleanlab. Install them: pip install 'framehead[report]'")


def write_page(
    report: TrainingReport,
    store: str | Path,
    split: str | Path,
    *,
    labels: Labels = None,
    grab_frames: GrabFrames = lambda _: (),
) -> Path:
    """Write a page about a head that was just trained, and return its path.

    Args:
        report: what `train_head` returned.
        store: the store's path, as `train_head` was given it.
        split: the split file, the same.
        labels: the same.
        grab_frames: reads a few frames of a video.

    Raises:
        ClassifyError: matplotlib or cleanlab is not installed, or labels and split do not fit the store.
        EmbedError: the store cannot be read.
    """
    check_page_packages()
    with EmbeddingStore(store) as opened:
        table = read_labels(opened, labels)
        device = report.classifier.config.device
        videos = open_videos(opened, table.ids, device=device)
        probabilities = report.classifier.predict_probabilities(videos, device=device)
        found = _Found(
            report=report,
            table=table,
            split=read_split(split, table),
            probabilities=probabilities,
            given=report.classifier.decide(probabilities),
            means=mean_vectors(videos).astype(np.float32),
            locations=tuple(opened.video(video_id).location for video_id in table.ids),
            grab_frames=grab_frames,
        )
    path = report.folder / PAGE_FILE
    write_whole(path, _page(found))
    return path


def _page(found: _Found) -> str:
    arch = found.report.classifier.config.arch
    sections = [
        _summary(found),
        _section(
            "Training",
            "Loss and micro-F1 after each epoch. Training figures are of batches as they were seen: mixed, with "
            "dropout. So they may lie below those of validation.",
            draw_curves(found.report.history, found.report.best_epoch),
        ),
        _section(
            "Each label",
            "Of the test videos. Precision: of the videos that were given the label, the share that has it. Recall: of "
            "those that have it, the share that was given it. AP: average precision, which no threshold decides.",
            class_table(found.report.evaluations["test"]),
        ),
        _confusion_section(found),
        _section(
            "Precision and recall",
            "What each threshold would give on the test videos; the upper right corner is best. Shown are the most "
            "frequent labels.",
            draw_precision_recall(found.table.targets[found.test], found.probabilities[found.test], found.table.names),
        ),
        _calibration_section(found),
        _mistakes_section(found),
        _label_errors_section(found),
        _map_section(found),
    ]
    body = "\n".join(sections)
    style = files("classify.report").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{html.escape(arch)} head: training report</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _section(title: str, words: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n<p>{words}</p>\n{content}\n</section>"


def _summary(found: _Found) -> str:
    report, test = found.report, found.report.evaluations["test"]
    provenance = report.classifier.provenance
    interval = test.intervals.get("micro_f1")
    drawn = f"{interval.low:.2f} to {interval.high:.2f}" if interval else ""
    tiles = (
        ("micro-F1", f"{test.metrics.micro_f1:.3f}", f"95%: {drawn}" if drawn else ""),
        ("macro-F1", f"{test.metrics.macro_f1:.3f}", "mean over labels"),
        ("mAP", f"{test.ranking.mean_average_precision:.3f}", "mean average precision"),
        ("calibration error", f"{test.calibration.error:.3f}", f"{test.calibration.error_before:.3f} uncalibrated"),
        ("test videos", f"{test.metrics.videos:,}", f"of {len(found.table.ids):,}"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd><small>{small}</small></div>" for name, value, small in tiles)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    return f"""<header>
<h1>{html.escape(report.classifier.config.arch)} head, {len(found.table.names)} labels</h1>
<p>Trained in {report.seconds:.1f} seconds on vectors of {html.escape(provenance.encoder.model)}; \
{html.escape(report.loss)}. All figures here are of the test videos; intervals come from a bootstrap over \
{test.unit_count} {test.unit}. {html.escape(report.test_use)}</p>
<dl class="tiles">{cells}</dl>
{f'<ul class="notes">{notes}</ul>' if notes else ""}
</header>"""


def _confusion_section(found: _Found) -> str:
    counts = found.report.evaluations["test"].confusion
    if counts is None:
        return _section("Confusion", "Videos have several labels, so none stands for another.", "")
    words = "Rows: what a test video is. Columns: what it was taken for. Right ones stand on the diagonal."
    if len(counts) > _LARGEST_CONFUSION:
        pairs = sorted(((count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j))[::-1]
        names = found.table.names
        items = "".join(
            f"<li>{html.escape(names[i])} taken for {html.escape(names[j])}: {count:,}</li>"
            for count, i, j in pairs[:_LARGEST_CONFUSION]
            if count
        )
        return _section("Confusion", "The most frequent mistakes among the test videos.", f"<ol>{items}</ol>")
    return _section("Confusion", words, confusion_table(counts, found.table.names))


def _calibration_section(found: _Found) -> str:
    targets, probabilities = found.table.targets[found.test], found.probabilities[found.test]
    kind = "Every test video and label"
    confidences, is_right = probabilities.ravel(), targets.ravel()
    if found.report.classifier.thresholds is None:
        likeliest = probabilities.argmax(axis=1)
        rows = np.arange(len(likeliest))
        kind, confidences, is_right = (
            "The likeliest label of every test video",
            probabilities.max(axis=1),
            targets[rows, likeliest],
        )
    words = f"{kind}: where bars reach the dashed line, probabilities mean what they say."
    return _section("Calibration", words, draw_calibration(confidences, is_right))


def _mistakes_section(found: _Found) -> str:
    given, targets = found.given[found.test], found.table.targets[found.test]
    probabilities = found.probabilities[found.test]
    is_wrong = given != targets
    # By the likeliest label too many; where none is, by how little the head saw of one that is absent.
    too_many = np.where(given & is_wrong, probabilities, 0).max(axis=1)
    absent = np.where(~given & is_wrong, 1 - probabilities, 0).max(axis=1)
    sureness = np.where(too_many > 0, too_many, absent)
    order = np.argsort(-sureness, kind="stable")
    shown = [int(row) for row in order if is_wrong[row].any()][:_SHOWN_VIDEOS]
    words = (
        f"{int(is_wrong.any(axis=1).sum()):,} of {len(given):,} test videos have a wrong label. These the head was "
        "surest of: look whether it, the video or its label is at fault."
    )
    cards = "".join(_card(found, int(found.test[row]), _said(found, int(found.test[row]))) for row in shown)
    return _section("Most confident mistakes", words, f'<div class="cards">{cards}</div>')


def _said(found: _Found, video: int) -> str:
    given = np.flatnonzero(found.given[video])
    said = ", ".join(f"{html.escape(found.table.names[c])} {found.probabilities[video, c]:.0%}" for c in given)
    return f"taken for <b>{said or 'nothing'}</b>"


def _label_errors_section(found: _Found) -> str:
    title = "Likely label errors"
    if len(found.table.ids) > MOST_VIDEOS or len(found.table.names) > MOST_LABELS:
        words = f"Not looked for: that is done for up to {MOST_VIDEOS:,} videos and {MOST_LABELS} labels."
        return _section(title, words, "")
    doubts = find_label_errors(found.means, found.table.targets, found.split.groups)
    is_judged = can_judge(found.table.targets, found.split.groups)
    unjudged = [html.escape(name) for name, judged in zip(found.table.names, is_judged, strict=True) if not judged]
    words = (
        f"{len(doubts):,} of all {len(found.table.ids):,} videos look unlike their label, by confident learning: a "
        "logistic regression on mean vectors, which had not seen the video, is surer of another one than is usual. "
        "Where it is a weak classifier, many of these labels are right."
    )
    if unjudged:
        words += (
            f" Labels of fewer than {FOLDS} videos, or of a single group, cannot be judged so, and were left out with "
            f"their videos: {', '.join(unjudged)}."
        )
    cards = "".join(_card(found, doubt.video, _doubted(found, doubt)) for doubt in doubts[:_SHOWN_VIDEOS])
    return _section(title, words, f'<div class="cards">{cards}</div>')


def _doubted(found: _Found, doubt: LabelDoubt) -> str:
    own = f"its own: {doubt.label_probability:.0%}"
    if doubt.suggested is None:
        return f"unlike its label ({own})"
    name = html.escape(found.table.names[doubt.suggested])
    return f"looks like <b>{name} {doubt.suggested_probability:.0%}</b> ({own})"


def _card(found: _Found, video: int, said: str) -> str:
    frames = "".join(_image(frame) for frame in found.grab_frames(found.locations[video]))
    part = found.split.parts[video]
    return (
        f'<figure><div class="frames">{frames or "<i>no frames at hand</i>"}</div><figcaption>'
        f"is <b>{html.escape(found.table.labels_of(video))}</b>, {said}"
        f"<small>{html.escape(found.table.ids[video])} · {part}</small></figcaption></figure>"
    )


def _image(frame: NDArray[np.uint8]) -> str:
    """Return a small JPEG inside an element."""
    from PIL import Image

    content = io.BytesIO()
    image = Image.fromarray(frame)
    image.thumbnail((2 * _FRAME_HEIGHT_PX, _FRAME_HEIGHT_PX))
    image.save(content, format="JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}">'


def _map_section(found: _Found) -> str:
    count = len(found.table.ids)
    rows = np.sort(np.random.default_rng(0).permutation(count)[:_MAPPED_VIDEOS])
    labels = [found.table.names[int(has.argmax())] if has.sum() == 1 else None for has in found.table.targets[rows]]
    is_test = np.isin(rows, found.test)
    drawn = draw_map(_place_on_map(found.means[rows]), labels, is_test)
    shown = "" if len(rows) == count else f" {len(rows):,} of {count:,} videos, drawn at random."
    words = (
        "Each point is a video; near ones have alike mean vectors (t-SNE: distances between far points mean nothing). "
        f"A rim marks test videos.{shown} What clusters by label here is easy; what does not may still be told apart "
        "by its order in time."
    )
    return _section("Map of the videos", words, drawn)


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

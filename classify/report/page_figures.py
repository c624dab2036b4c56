"""Sections of the page that show figures: of the test videos, of epochs, of each label, of probabilities."""

from dataclasses import dataclass

import numpy as np

from classify.report.findings import Findings
from classify.report.page_plots import CURVES, draw_calibration, draw_curves, draw_precision_recall
from classify.report.page_tables import class_table, confusion_table, escaped, judged_table
from classify.training_report import TrainingReport
from embed.machine import counted

_LARGEST_CONFUSION = 40  # classes whose table can still be read


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Args:
        title: plain text.
        words: HTML, what the content shows.
        content: HTML.
    """

    title: str
    words: str
    content: str

    @property
    def anchor(self) -> str:
        """What a link to the section names."""
        return self.title.lower().replace(" ", "-")


def test_section(found: Findings) -> Section:
    """Return how often the head was wrong, in words, and the figures of the test videos."""
    report, test = found.report, found.report.evaluations["test"]
    interval = test.intervals.get("micro_f1")
    drawn = f"95%: {interval.low:.2f} to {interval.high:.2f}" if interval else ""
    tiles = (
        ("micro-F1", f"{test.metrics.micro_f1:.3f}", drawn),
        ("macro-F1", f"{test.metrics.macro_f1:.3f}", "mean over the labels that occur"),
        ("mAP", f"{test.ranking.mean_average_precision:.3f}", "mean average precision"),
        ("calibration error", f"{test.calibration.error:.3f}", f"{test.calibration.error_before:.3f} uncalibrated"),
        ("test videos", f"{test.metrics.videos:,}", f"of {len(found.table.ids):,}"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd><small>{small}</small></div>" for name, value, small in tiles)
    units = counted(test.unit_count, test.unit.removesuffix("s"))
    words = (
        f"<strong>{_wrong_in_words(found)}</strong> {_wrong_ways(found)}The 95% interval of micro-F1 is computed over "
        f"{units}. {escaped(report.test_use)}"
    )
    if isinstance(report, TrainingReport):
        words += f" The head learned with {escaped(report.loss)}."
    return Section("Test videos", words, f'<dl class="tiles">{cells}</dl>{judged_table(report)}')


def _wrong_in_words(found: Findings) -> str:
    wrong, total = int(found.is_wrong[found.test].sum()), counted(len(found.test), "test video")
    if not wrong:
        return f"The head was right on {'the only test video' if len(found.test) == 1 else f'all {total}'}."
    return f"The head was wrong on {wrong:,} of {total}."


def _wrong_ways(found: Findings) -> str:
    """Return what wrong means where videos have several labels; nothing where they have one, or where none is wrong."""
    if found.report.classifier.thresholds is None or not found.is_wrong[found.test].any():
        return ""
    given, targets = found.given[found.test], found.table.targets[found.test]
    too_many, missed = (int(which.any(axis=1).sum()) for which in (given & ~targets, targets & ~given))
    return (
        "Wrong means that it did not give exactly the labels that the video has. It gave "
        f"{counted(too_many, 'video')} a label too many, and missed a label of {counted(missed, 'video')}. "
    )


def curves_section(found: Findings) -> Section | None:
    """Return the curves of the training run; None where it had no epochs."""
    if not isinstance(found.report, TrainingReport) or not found.report.history:
        return None
    words = (
        "Loss and micro-F1 after each epoch. Training figures are of batches as the head saw them, mixed and with "
        "dropout, so they may be below those of validation."
    )
    return Section("Training", words, draw_curves(found.report.history, found.report.best_epoch))


def classes_section(found: Findings) -> Section:
    """Return the figures of each label."""
    words = (
        "Test videos only. Precision: of the videos that were given the label, the share that has it. Recall: of the "
        "videos that have it, the share that was given it. AP: average precision, which depends on no threshold."
    )
    return Section("Each label", words, class_table(found.report.evaluations["test"]))


def confusion_section(found: Findings) -> Section | None:
    """Return which label was taken for which; None where videos have several, so that none stands for another."""
    counts, names = found.report.evaluations["test"].confusion, found.table.names
    if counts is None:
        return None
    if len(counts) <= _LARGEST_CONFUSION:
        words = "Rows: the label of a test video. Columns: the label that the head gave. The diagonal is right."
        return Section("Confusion", words, confusion_table(counts, names))
    pairs = sorted(((number, i, j) for i, row in enumerate(counts) for j, number in enumerate(row) if i != j))[::-1]
    items = "".join(
        f"<li>{escaped(names[i])} taken for {escaped(names[j])}: {number:,}</li>"
        for number, i, j in pairs[:_LARGEST_CONFUSION]
        if number
    )
    words = "The most frequent mistakes among the test videos."
    return Section("Confusion", words, f"<ol>{items}</ol>") if items else None


def precision_recall_section(found: Findings) -> Section:
    """Return the curves of the most frequent labels, a plot for each."""
    targets, probabilities = found.table.targets[found.test], found.probabilities[found.test]
    tested = int(targets.any(axis=0).sum())
    words = (
        "What each threshold would give on the test videos; the upper right corner is best. Solid: the label. Dashed, "
        "the same in each plot: all labels together."
    )
    if tested > CURVES:
        words += (
            f" The plots show the {CURVES} labels with the most test videos, of {tested:,}. The section Each label has "
            "the AP of all."
        )
    return Section("Precision and recall", words, draw_precision_recall(targets, probabilities, found.table.names))


def calibration_section(found: Findings) -> Section:
    """Return how often labels given with a probability are right."""
    targets, probabilities = found.table.targets[found.test], found.probabilities[found.test]
    kind, confidences, is_right = "each label of each test video", probabilities.ravel(), targets.ravel()
    if found.report.classifier.thresholds is None:
        rows, likeliest = np.arange(len(probabilities)), probabilities.argmax(axis=1)
        kind, confidences, is_right = (
            "the most likely label of each test video",
            probabilities.max(axis=1),
            targets[rows, likeliest],
        )
    words = f"For {kind}: where bars reach the dashed line, a probability is the share of labels that are right."
    return Section("Calibration", words, draw_calibration(confidences, is_right))

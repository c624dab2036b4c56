"""What the commands print for people: results as lines and tables of text."""

from collections.abc import Sequence

from classify.evaluation import Evaluation
from classify.experiment import TrainingReport
from classify.split_files import SplitSummary


def split_text(summary: SplitSummary) -> str:
    """Return the videos of each class and part."""
    parts = list(summary.video_counts)
    rows = [
        (name, *(str(summary.class_counts[part][index]) for part in parts)) for index, name in enumerate(summary.names)
    ]
    rows.append(("videos", *(str(summary.video_counts[part]) for part in parts)))
    if summary.group_counts is not None:
        rows.append(("groups", *(str(summary.group_counts[part]) for part in parts)))
    return f"{_table(('label', *parts), rows)}\n\n-> {summary.path}    Next: train-head"


def folds_text(summaries: Sequence[SplitSummary]) -> str:
    """Return the videos of each part in each fold, and its file."""
    rows = [(str(found.path), *map(str, found.video_counts.values())) for found in summaries]
    return f"{_table(('fold', *summaries[0].video_counts), rows)}\n\nNext: train-head with each of them"


def report_text(report: TrainingReport) -> str:
    """Return the figures of each part, and of each class in the test videos."""
    test = report.evaluations["test"]
    header = ("part", "micro-F1", "95% interval", "macro-F1", "exact match", "mAP", "Hit@1", "GAP@20", "videos")
    sections = [
        f"{report.classifier.config.arch} head, trained in {report.seconds:.1f} s; {report.loss}",
        _table(header, [_part_row(part, found) for part, found in report.evaluations.items()]),
        _class_table(test),
        "\n".join(_remarks(test)),
        f"-> {report.folder}    Next: predict-videos {report.folder} NEW_VIDEOS",
    ]
    return "\n\n".join(sections)


def _part_row(part: str, found: Evaluation) -> tuple[str, ...]:
    metrics, ranking, interval = found.metrics, found.ranking, found.intervals.get("micro_f1")
    figures = (metrics.macro_f1, metrics.accuracy, ranking.mean_average_precision, ranking.hit_at_1, ranking.gap_at_20)
    drawn = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "-"
    return (part, f"{metrics.micro_f1:.3f}", drawn, *(f"{figure:.3f}" for figure in figures), str(metrics.videos))


def _remarks(test: Evaluation) -> list[str]:
    found = test.calibration
    remarks = [
        f"Test videos were looked at once, after training. Interval: bootstrap over {test.units}.",
        f"Probabilities: calibration error {found.error:.3f} on test ({found.error_before:.3f} before temperature "
        f"{found.temperature:.2f}, fitted on validation; {found.bins} bins).",
    ]
    if test.metrics.is_single_label:
        remarks.append("With one label a video, micro-F1 is accuracy.")
    return remarks


def _class_table(test: Evaluation) -> str:
    rows = [
        (found.name, *map(_figure, (found.f1, found.precision, found.recall, average)), str(found.support))
        for found, average in zip(test.metrics.classes, test.ranking.average_precisions, strict=True)
    ]
    return _table(("test, by label", "F1", "precision", "recall", "AP", "videos"), rows)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        for cells in (header, *rows)
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)

"""What the commands print for people: results as lines and tables of text."""

from collections.abc import Sequence

from classify.experiment import TrainingReport
from classify.metrics import Metrics
from classify.splits import SplitSummary


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


def report_text(report: TrainingReport) -> str:
    """Return the figures of each part, and of each class in the test videos."""
    parts = [
        (part, f"{m.micro_f1:.3f}", f"{m.macro_f1:.3f}", f"{m.accuracy:.3f}", str(m.videos))
        for part, m in report.parts.items()
    ]
    sections = [
        f"{report.classifier.config.arch} head, trained in {report.seconds:.1f} s; {report.loss}",
        _table(("part", "micro-F1", "macro-F1", "accuracy", "videos"), parts),
        _class_table(report.parts["test"]),
    ]
    if report.classifier.thresholds is None:
        sections.append("With one label a video, micro-F1 is accuracy.")
    sections.append(f"-> {report.folder}    Next: predict-videos {report.folder} NEW_VIDEOS")
    return "\n\n".join(sections)


def _class_table(metrics: Metrics) -> str:
    rows = [
        (found.name, f"{found.f1:.3f}", f"{found.precision:.3f}", f"{found.recall:.3f}", str(found.support))
        for found in metrics.classes
    ]
    return _table(("test, by label", "F1", "precision", "recall", "videos"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        for cells in (header, *rows)
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)

"""What the commands print for people: results as lines and tables of text."""

import shlex
from collections.abc import Mapping, Sequence
from statistics import mean

from classify.classifier import ExportSummary
from classify.comparison import NO_DIFFERENCE, Comparison, Contender, Selection, verdict
from classify.data import WHOLE, DatasetDescription, SplitSummary, Spread
from classify.experiment import TrainingReport
from classify.measures import Evaluation, Interval


def split_text(summary: SplitSummary) -> str:
    """Return the videos of each class and part; of very many classes, the first."""
    parts = list(summary.video_counts)
    classes = [
        (name, *(str(summary.class_counts[part][index]) for part in parts)) for index, name in enumerate(summary.names)
    ]
    rows = [*_first(classes, _SHOWN)]
    rows.append(("videos", *(str(summary.video_counts[part]) for part in parts)))
    if summary.group_counts is not None:
        rows.append(("groups", *(str(summary.group_counts[part]) for part in parts)))
    return f"{_table(('label', *parts), rows)}\n\n-> {summary.path}    Next: train-head"


def folds_text(summaries: Sequence[SplitSummary]) -> str:
    """Return the videos of each part in each fold, and its file."""
    rows = [(str(found.path), *map(str, found.video_counts.values())) for found in summaries]
    return f"{_table(('fold', *summaries[0].video_counts), rows)}\n\nNext: train-head with each of them"


def description_text(found: DatasetDescription) -> str:
    """Return the tables of a labelled set; of very many classes or pairs, the most frequent."""
    whole = found.durations[WHOLE]
    videos = f"{whole.videos} videos, {len(found.table.names)} labels, {_duration(whole.sum_s)}"
    sections = [
        f"{found.store}: {videos}; {found.failure_count} videos failed",
        _class_counts_table(found),
        _label_counts_table(found),
        _table(("duration (s)", *_SPREAD), [_spread_row(name, row) for name, row in found.durations.items()]),
        _resolutions_table(found),
    ]
    if found.pairs:
        rows = [(f"{one} + {other}", str(count)) for one, other, count in found.pairs]
        sections.insert(3, _table(("labels together", "videos"), _first(rows, _SHOWN_FEW)))
    return "\n\n".join(sections)


_UNCLEAR = "unclear"  # three columns of NO_DIFFERENCE itself would be wider than a terminal
_FEW_UNITS = 10  # groups below which a bootstrap cannot show how they vary
_SHOWN, _SHOWN_TESTED, _SHOWN_FEW = 40, 20, 10  # rows of a table that people read; --json has them all
_SPREAD = ("shortest", "25%", "median", "75%", "longest")


def _class_counts_table(found: DatasetDescription) -> str:
    durations = [*found.class_durations.values()]
    order = sorted(range(len(durations)), key=lambda index: -durations[index].videos)
    rows = [
        (
            found.table.names[index],
            *(str(counts[index]) for counts in found.class_counts.values()),
            *_spread_row("", durations[index])[1:],
        )
        for index in order
    ]
    return _table(("label", *found.rows, *(f"{name} (s)" for name in _SPREAD)), _first(rows, _SHOWN))


def _label_counts_table(found: DatasetDescription) -> str:
    parts = found.label_counts
    rows = [(str(number), *(str(parts[part].get(number, 0)) for part in parts)) for number in parts[WHOLE]]
    return _table(("labels per video", *parts), rows)


def _resolutions_table(found: DatasetDescription) -> str:
    sizes = [(f"{width}x{height}", str(count)) for (width, height), count in found.resolutions.items()]
    return _table(("resolution (px)", "videos"), _first(sizes, _SHOWN_FEW))


def _spread_row(name: str, found: Spread) -> tuple[str, ...]:
    figures = (found.shortest_s, found.lower_quartile_s, found.median_s, found.upper_quartile_s, found.longest_s)
    return (name, *(f"{figure:.1f}" for figure in figures))


def _first(rows: Sequence[tuple[str, ...]], count: int, where: str = "") -> Sequence[tuple[str, ...]]:
    """Cut a table, and say how much was cut, and perhaps where it is."""
    if len(rows) <= count:
        return rows
    blank = ("",) * (len(rows[0]) - 1)
    return [*rows[:count], (f"... and {len(rows) - count:,} more{where}", *blank)]


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def report_text(report: TrainingReport) -> str:
    """Return the figures of each part, and of each class in the test videos."""
    test = report.evaluations["test"]
    header = ("part", "micro-F1", "95% interval", "macro-F1", "exact match", "mAP", "Hit@1", "GAP@20", "videos")
    sections = [
        f"{report.classifier.config.arch} head, trained in {report.seconds:.1f} s; {report.loss}",
        _table(header, [_part_row(part, found) for part, found in report.evaluations.items()]),
        _class_table(test),
        *([_selection_text(report, report.selection)] if report.selection else []),
        "\n".join(_remarks(report)),
        f"-> {report.folder}    Next: predict-videos {shlex.quote(str(report.folder))} NEW_VIDEOS",
    ]
    return "\n\n".join(sections)


def export_text(summary: ExportSummary) -> str:
    """Return what the model takes and gives, and how far it is from the head."""
    *first, last = [f"vectors (B, T, {summary.dimension})", *(f"{name} (B, T)" for name in summary.inputs[1:])]
    return (
        f"{', '.join(first)} and {last} -> logits and probabilities (B, {len(summary.names)}); "
        f"it takes {'all vectors' if summary.takes == 'all' else 'the vectors that the head selects'} of a video\n"
        f"{summary.checked_videos} random videos give what they give in torch, within {summary.largest_difference:.1g}"
        f"\n\n-> {summary.path}"
    )


def _part_row(part: str, found: Evaluation) -> tuple[str, ...]:
    metrics, ranking, interval = found.metrics, found.ranking, found.intervals.get("micro_f1")
    figures = (metrics.macro_f1, metrics.accuracy, ranking.mean_average_precision, ranking.hit_at_1, ranking.gap_at_20)
    drawn = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "-"
    return (part, f"{metrics.micro_f1:.3f}", drawn, *(f"{figure:.3f}" for figure in figures), str(metrics.videos))


def _selection_text(report: TrainingReport, found: Selection) -> str:
    """Return what was chosen, by how much, and all that was tried inside the training part, the best first."""
    chosen, gain = found.chosen, found.gain
    why = "there was no time to test anything" if gain is None else f"{gain:+.3f} micro-F1 over the linear head below"
    settings = ", ".join(f"{name} {value}" for name, value in _settings(chosen.settings))
    tried = sorted(found.tried, key=lambda one: (-len(one.scores), -mean(one.scores or (0.0,))))
    rows = [
        (
            *(value for _, value in _settings(one.settings)),
            f"{mean(one.scores):.3f}" if one.scores else "-",
            str(len(one.scores)),
            "-" if one.seconds is None else f"{one.seconds:.2f}",
            one.outcome,
        )
        for one in tried
    ]
    names = tuple(name for name, _ in _settings(chosen.settings))
    return "\n".join(
        (
            f"Chosen: {settings}; {why}.",
            f"{found.seconds:.1f} s of choosing and {report.seconds:.1f} s of training, of {found.budget_s:g} s. "
            f"Tried, by cross-validation inside the training part:",
            _table((*names, "micro-F1", "folds", "s a fold", "outcome"), rows),
        )
    )


def _settings(settings: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return settings that were chosen as people read them."""
    shown = {name.replace("_", " "): "-" if value is None else value for name, value in settings.items()}
    return [(name, f"{value:.3g}" if isinstance(value, float) else str(value)) for name, value in shown.items()]


def _remarks(report: TrainingReport) -> list[str]:
    test = report.evaluations["test"]
    found = test.calibration
    calibrated = "without validation videos, no temperature was fitted"
    if "validation" in report.evaluations:
        calibrated = f"{found.error_before:.3f} before temperature {found.temperature:.2f}, fitted on validation"
    drawn = f"bootstrap over {test.unit_count} {test.unit}."
    return [
        report.test_use,
        f"Interval: {drawn} So few say little." if test.unit_count < _FEW_UNITS else f"Interval: {drawn}",
        f"Calibration error on test ({found.bins} bins): {found.error:.3f}; {calibrated}.",
        *(["With one label a video, micro-F1 is accuracy."] if test.metrics.is_single_label else []),
    ]


def comparison_text(comparison: Comparison) -> str:
    """Return the tables of a comparison, the best first: what each reached, and the differences."""
    header = ("", "mixup", "micro-F1", "std", "95% interval", "macro-F1", "mAP", "seconds", "parameters")
    few = " So few say little." if comparison.unit_count < _FEW_UNITS else ""
    remarks = [
        f"{comparison.folds} folds x {comparison.seeds} seeds. micro-F1: of all tests together; std: over the seeds.",
        f"95% intervals: bootstrap over {comparison.unit_count} {comparison.unit}.{few}",
        "Differences are paired, in points (hundredths of micro-F1), and the intervals of a column hold together;",
        f"{_UNCLEAR}: {NO_DIFFERENCE}, since the interval holds 0.",
        "The best was chosen by these very tests, which flatters it a little: confirm it on videos of its own.",
    ]
    sections = [
        _table(header, [_contender_row(found) for found in comparison.contenders]),
        *_difference_tables(comparison),
        "\n".join(remarks),
        f"-> {comparison.folder}",
    ]
    return "\n\n".join(sections)


def _contender_row(found: Contender) -> tuple[str, ...]:
    interval = found.micro_f1
    return (
        found.name,
        "-" if found.mixup is None else f"{found.mixup:g}",
        f"{interval.value:.3f}",
        _figure(found.std),
        f"{interval.low:.3f} to {interval.high:.3f}",
        f"{found.macro_f1:.3f}",
        f"{found.mean_average_precision:.3f}",
        f"{found.seconds:.2f}",
        f"{found.parameters:,}",
    )


def _difference_tables(comparison: Comparison) -> list[str]:
    """Return the table of paired differences; none of one contender alone."""
    if not comparison.differences:
        return []
    header = ("difference in points", *(f"over {name}" for name in comparison.differences))
    columns = [map(_difference, column) for column in comparison.differences.values()]
    titles = [found.title for found in comparison.contenders]
    return [_table(header, [*zip(titles, *columns, strict=True)])]


def _difference(found: Interval | None) -> str:
    if found is None:
        return "-"
    value, low, high = (100 * figure for figure in (found.value, found.low, found.high))
    word = verdict(found).replace(NO_DIFFERENCE, _UNCLEAR)
    return f"{word}: {value:+.1f} ({low:+.1f}, {high:+.1f})"


def _class_table(test: Evaluation) -> str:
    classes = zip(test.metrics.classes, test.ranking.average_precisions, strict=True)
    rows = [
        (found.name, *map(_figure, (found.f1, found.precision, found.recall, average)), str(found.support))
        for found, average in sorted(classes, key=lambda pair: -pair[0].support)
    ]
    header = ("test, by label", "F1", "precision", "recall", "AP", "videos")
    return _table(header, _first(rows, _SHOWN_TESTED, ", in report.json"))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        for cells in (header, *rows)
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)

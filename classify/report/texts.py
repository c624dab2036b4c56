"""Text that the commands print for people: results as sentences and tables of at most 80 columns."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from classify.classifier import ExportSummary
from classify.comparison import LOGISTIC_REGRESSION, LOGISTIC_STATISTICS, Selection, Tried, verdict
from classify.data import SplitSummary
from classify.evaluation import HeadEvaluation
from classify.measures import Evaluation
from classify.training_report import TrainingReport
from embed.machine import columns_of, counted, cut_columns, fold, pad_left, pad_right, shown

_WIDTH = 80


def split_text(summary: SplitSummary) -> str:
    """Return the number of videos by label and part; of many labels, the first."""
    parts = list(summary.video_counts)
    classes = [
        (name, *(str(summary.class_counts[part][index]) for part in parts)) for index, name in enumerate(summary.names)
    ]
    rows = [*first_rows(classes, _SHOWN)]
    rows.append(("videos", *(str(summary.video_counts[part]) for part in parts)))
    if summary.group_counts is not None:
        rows.append(("groups", *(str(summary.group_counts[part]) for part in parts)))
    return f"{table(('label', *parts), rows)}\n\n-> {summary.path}"


def folds_text(summaries: Sequence[SplitSummary]) -> str:
    """Return the number of videos by fold and part, with each fold's file."""
    rows = [(str(found.path), *map(str, found.video_counts.values())) for found in summaries]
    return table(("fold", *summaries[0].video_counts), rows)


_FEW_UNITS = 10  # with fewer groups, a bootstrap cannot show how they vary
_SHOWN, _SHOWN_TESTED, _SHOWN_TRIED = 40, 20, 8  # rows of a table; --json has them all


def first_rows(rows: Sequence[tuple[str, ...]], count: int, where: str = "") -> Sequence[tuple[str, ...]]:
    """Return the first rows, and a row with the number of the others and perhaps where they are."""
    if len(rows) <= count:
        return rows
    blank = ("",) * (len(rows[0]) - 1)
    return [*rows[:count], (f"... and {len(rows) - count:,} more{where}", *blank)]


def report_text(report: TrainingReport) -> str:
    """Return the figures of a head beside those of baselines, of each part, and of each label in the test videos."""
    test = report.evaluations["test"]
    head = f"Trained the {report.classifier.config.arch} head in {report.seconds:.1f} s. Loss: {report.loss}."
    sections = [
        wrap(head),
        _judged_table(report),
        *map(wrap, _judged_in_words(report)),
        _parts_table(report),
        _class_table(test),
        *([_selection_text(report, report.selection)] if report.selection else []),
        "\n".join(map(wrap, _remarks(report))),
        f"-> {report.folder}",
    ]
    return "\n\n".join(sections)


def evaluation_text(found: HeadEvaluation) -> str:
    """Return the figures of a head on a labelled set, and those of each label."""
    own = found.evaluation.calibration
    calibrated = f"Calibration error ({own.bins} bins): {own.error:.3f}; {own.error_before:.3f} without the head's "
    calibrated += f"temperature {own.temperature:.2f}."
    remarks = _remarks_on(found.evaluation, [found.evaluation.metrics.micro_f1], calibrated)
    sections = [
        wrap(f"The {found.classifier.config.arch} head of {found.head} on videos that it has not learned from:"),
        _judged_table(found),
        _class_table(found.evaluation),
        "\n".join(map(wrap, remarks)),
        f"-> {found.folder}",
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


def _judged_table(report: TrainingReport | HeadEvaluation) -> str:
    """Return the figures of the test videos: those of baselines, and those of the head."""
    test = report.evaluations["test"]
    found = {name.replace("-", " "): own for name, own in report.baselines.get("test", {}).items()}
    rows = [(name, *_figures(own, test)) for name, own in {**found, "this head": test}.items()]
    return table((f"on {counted(test.metrics.videos, 'test video')}", *_figure_names(test)), rows)


def _parts_table(report: TrainingReport) -> str:
    """Return the figures of the head on the parts that are not the test."""
    test = report.evaluations["test"]
    parts = {part: found for part, found in report.evaluations.items() if part != "test"}
    rows = [(part, *_figures(found, test), f"{found.metrics.videos:,}") for part, found in parts.items()]
    return table(("this head on", *_figure_names(test), "videos"), rows)


def _figure_names(test: Evaluation) -> tuple[str, ...]:
    exact = () if test.metrics.is_single_label else ("exact",)  # which is micro-F1 where videos have one label
    return ("micro-F1", "95% interval", "macro-F1", *exact, "mAP", "GAP@20")


def _figures(found: Evaluation, test: Evaluation) -> tuple[str, ...]:
    metrics, ranking, interval = found.metrics, found.ranking, found.intervals.get("micro_f1")
    drawn = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "-"
    exact = () if test.metrics.is_single_label else (metrics.accuracy,)
    figures = (metrics.macro_f1, *exact, ranking.mean_average_precision, ranking.gap_at_20)
    return (f"{metrics.micro_f1:.3f}", drawn, *(f"{figure:.3f}" for figure in figures))


_REGRESSIONS = {
    LOGISTIC_REGRESSION: "logistic regression",
    LOGISTIC_STATISTICS: "logistic regression on mean, deviation and change",
}


def _judged_in_words(report: TrainingReport) -> list[str]:
    """Return whether a head is better than the better logistic regression, in words; nothing where there is none."""
    found = {name: of for name, of in report.over_baselines.items() if name in _REGRESSIONS}
    if not found:
        return []
    name = min(found, key=lambda name: found[name].value)  # of equals, the first
    value, low, high = map(points, (found[name].value, found[name].low, found[name].high))
    figures = f"{value} points of micro-F1 (95% interval {low} to {high}, paired on the test videos)"
    if report.unlearned_videos:
        videos = counted(report.evaluations["test"].metrics.videos, "test video")
        return [
            f"Whether this head is better than {_REGRESSIONS[name]} cannot be told: of {videos}, "
            f"{report.unlearned_videos:,} have a label that no training video has, which no classifier can give. Split "
            f"again, so that each label trains. On these test videos: {figures}."
        ]
    claim = {"better": "better than", "worse": "worse than"}.get(verdict(found[name]), "not better beyond noise than")
    return [f"This head is {claim} {_REGRESSIONS[name]}: {figures}."]


def _selection_text(report: TrainingReport, found: Selection) -> str:
    """Return what was chosen, its gain, and the best of those that were tried."""
    gain = "there was no time to test a candidate"
    if found.gain is not None:
        gain = f"micro-F1 {found.gain:+.3f} against the first candidate, `linear` by default, on the same folds"
    if found.average_gain is not None:
        gain += f". Selected without the videos it is tested on, an average has {found.average_gain:+.3f} over one head"
    shown = _shown_candidates(found)
    rest = [one for one in found.tried if one not in shown]
    others = f"{counted(len(rest), 'more candidate')}, {sum(bool(one.scores) for one in rest) or 'none'} of them tested"
    header = ("tried", "mixup", "epochs", "rate", "decay", "micro-F1", "folds", "gain", "outcome")
    common = min((len(one.scores) for one in shown if one.scores), default=0)
    return "\n".join(
        (
            wrap(f"Chosen: {_chosen(found)}; {gain}."),
            wrap(
                f"Choosing took {found.seconds:.1f} s and training {report.seconds:.1f} s, of {found.budget_s:g} s. "
                "Candidates were compared by cross-validation inside the training part. micro-F1: on the first "
                f"{counted(common, 'fold')}, which all of these have. gain: over the first candidate, on all folds:"
            ),
            "",
            table(header, [_tried_row(found, one, common) for one in shown]),
            *([f"{others}; report.json lists all."] if rest else []),
        )
    )


def _chosen(found: Selection) -> str:
    """Return the recipe that was chosen, or the heads of the average with their weights."""
    if len(found.members) > 1:
        members = sorted(found.members, key=lambda member: -member.weight)
        return "an average of " + ", ".join(
            f"{one.config.arch}, mixup {one.config.mixup:g} ({one.weight:.2f})" for one in members
        )
    return ", ".join(f"{name} {value}" for name, value in _settings(found.chosen.settings))


def _shown_candidates(found: Selection) -> list[Tried]:
    """Return the best of the candidates that were tested, the first candidate and the chosen one; the best first."""
    ranked = sorted(found.tried, key=lambda one: (-len(one.scores), -mean(one.scores or (0.0,))))
    always = (found.tried[0], found.chosen, *(one for one in found.tried if one.weight))
    return [one for place, one in enumerate(ranked) if (one.scores and place < _SHOWN_TRIED) or one in always]


def _tried_row(found: Selection, one: Tried, common: int) -> tuple[str, ...]:
    of = dict(_settings(one.settings))
    names = ("arch", "mixup", "epochs", "learning rate", "weight decay")
    score = f"{mean(one.scores[:common]):.3f}" if one.scores else "-"
    gain = found.gain_of(one)
    shown = "-" if gain is None or one is found.tried[0] else points(gain)
    return (*(of[name] for name in names), score, str(len(one.scores)), shown, one.outcome)


def _settings(settings: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the names and values of chosen settings, for people."""
    shown = {name.replace("_", " "): "-" if value is None else value for name, value in settings.items()}
    return [(name, f"{value:.3g}" if isinstance(value, float) else str(value)) for name, value in shown.items()]


def _remarks(report: TrainingReport) -> list[str]:
    test, found = report.evaluations["test"], report.evaluations["test"].calibration
    calibrated = f"Calibration error on test ({found.bins} bins): {found.error:.3f}; {_temperature_of(report)}."
    return [
        report.test_use,
        "majority knows only how frequent each label is; logistic regression sees each video's mean vector, and "
        "logistic statistics also its deviation and change.",
        *_remarks_on(test, _tested_values(report), calibrated),
        *_threshold_remarks(report),
    ]


def _temperature_of(report: TrainingReport) -> str:
    """Return what the temperature is and how it was fitted, in words."""
    found, fitted = report.evaluations["test"].calibration, " and ".join(report.outputs.calibrated_on)
    if not fitted:
        return "no temperature was fitted, since no video was left to fit it on"
    if found.temperature == 1:
        return f"the temperature is 1: on {fitted}, none was better beyond noise"
    return f"{found.error_before:.3f} before temperature {found.temperature:.2f}, fitted on {fitted}"


def _threshold_remarks(report: TrainingReport) -> list[str]:
    """Return on what thresholds were chosen, as a sentence; nothing if nobody asked for it."""
    goal, chosen = report.classifier.config.thresholds, " and ".join(report.outputs.thresholds_on)
    if goal == "half" or report.classifier.thresholds is None:
        return []
    if not chosen:
        return ["Every threshold is 0.5, since no video was left to choose it on."]
    return [f"Thresholds were chosen for the best {goal} on {chosen}."]


def _remarks_on(found: Evaluation, values: Iterable[float], calibrated: str) -> list[str]:
    """Return how the intervals of figures were made, and what is said of calibration and of one label a video."""
    return [
        interval_remark(found.unit_count, found.unit, values),
        calibrated,
        *(["Every video has one label, so micro-F1 is accuracy."] if found.metrics.is_single_label else []),
    ]


def _tested_values(report: TrainingReport) -> list[float]:
    """Return the figures that have an interval in the tables."""
    shown = (*report.baselines.get("test", {}).values(), *report.evaluations.values())
    return [found.metrics.micro_f1 for found in shown if found.intervals]


def interval_remark(unit_count: int, unit: str, values: Iterable[float]) -> str:
    """Return how the intervals of some figures were made, as a sentence."""
    few = " So few make intervals unreliable." if unit_count < _FEW_UNITS else ""
    wilson = ", Wilson's where all are right or all are wrong" if any(value in (0, 1) for value in values) else ""
    return f"95% intervals: bootstrap over {counted(unit_count, unit.removesuffix('s'))}{wilson}.{few}"


def points(figure: float) -> str:
    """Return a difference of micro-F1 in hundredths, in at most five characters.

    >>> points(0.1234), points(-1.0)
    ('+12.3', '-100')
    """
    return f"{100 * figure:+.1f}" if abs(figure) < 0.9995 else f"{100 * figure:+.0f}"


def _class_table(test: Evaluation) -> str:
    classes = zip(test.metrics.classes, test.ranking.average_precisions, strict=True)
    rows = [
        (
            cut(found.name, _LONGEST_TESTED),
            *map(_figure, (found.f1, found.precision, found.recall, average) if found.support else (None,) * 4),
            f"{found.support:,}",
        )
        for found, average in sorted(classes, key=lambda pair: -pair[0].support)
    ]
    header = ("test, by label", "F1", "precision", "recall", "AP", "videos")
    return table(header, first_rows(rows, _SHOWN_TESTED, ", in report.json"))


_LONGEST_TESTED = 38


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as lines: the first column is aligned to the left, the others to the right."""
    safe = [tuple(map(shown, cells)) for cells in (header, *rows)]
    widths = [max(map(columns_of, column)) for column in zip(*safe, strict=True)]
    lines = [[pad_right(cells[0], widths[0]), *map(pad_left, cells[1:], widths[1:])] for cells in safe]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def cut(name: str, width: int) -> str:
    """Return a name that takes at most `width` columns of a terminal.

    >>> cut("logistic-regression", 19), cut("making a cup of tea", 12)
    ('logistic-regression', 'making a ...')
    """
    return cut_columns(shown(name), width, "...")


def wrap(sentence: str) -> str:
    """Return a sentence as lines of at most 80 columns, longer words aside; control characters are written out."""
    return fold(shown(sentence), _WIDTH)

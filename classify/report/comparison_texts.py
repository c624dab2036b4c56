"""Text of a comparison for people: one table of at most 80 columns, and what it shows."""

from collections.abc import Sequence

from classify.comparison import NO_DIFFERENCE, Comparison, Contender, verdict
from classify.measures import Interval
from classify.report.texts import cut, interval_remark, points, table, wrap
from embed.machine import counted

_UNCLEAR = "unclear"  # NO_DIFFERENCE itself would make the table too wide
_LONGEST_NAME = 19  # logistic-regression; heads of other packages may have longer names


def comparison_text(comparison: Comparison) -> str:
    """Return the table of a comparison, the best first, and what it shows."""
    differences = comparison.differences
    subtracted = next(iter(differences), None)  # the best baseline, or without baselines the best
    header: tuple[str, ...] = ("", "mixup", "micro-F1", "interval")
    rows: list[tuple[str, ...]] = [_contender_row(found) for found in comparison.contenders]
    if subtracted is not None:
        header = (*header, "over the baseline" if comparison.best_baseline else f"over {subtracted}", "")
        column = differences[subtracted]
        rows = [(*row, *_difference(found)) for row, found in zip(rows, column, strict=True)]
    sections = [
        table(header, rows),
        "\n".join(map(wrap, (*_findings(comparison), *_remarks(comparison)))),
        f"-> {comparison.folder}",
    ]
    return "\n\n".join(sections)


def _contender_row(found: Contender) -> tuple[str, ...]:
    interval = found.micro_f1
    return (
        cut(found.name, _LONGEST_NAME),
        "-" if found.mixup is None else f"{found.mixup:g}",
        f"{interval.value:.3f}",
        f"{interval.low:.3f}-{interval.high:.3f}",
    )


def _findings(comparison: Comparison) -> list[str]:
    """Return what the differences from the best, and those of mixup, show."""
    contenders = comparison.contenders
    best = next((found for found in contenders if found.over_best is None), contenders[0])
    alike = [found for found in contenders if verdict(found.over_best) == NO_DIFFERENCE]
    sentences = []
    if len(contenders) > 1:
        others = "any other" if len(alike) == len(contenders) - 1 else _titles(alike)
        shown = f"no clear difference from {others}" if alike else "better than all others"
        sentences.append(f"The best is {_titles([best])}: {shown}.")
    return sentences + _mixup_findings([found for found in contenders if found.over_no_mixup])


def _mixup_findings(mixed: Sequence[Contender]) -> list[str]:
    """Return for which heads mixup makes a difference."""
    if not mixed:
        return []
    of = {word: [found for found in mixed if verdict(found.over_no_mixup) == word] for word in ("better", "worse")}
    said = "; ".join(f"{word} with it: {_titles(found)}" for word, found in of.items() if found)
    return [f"Against the same head without mixup, {said}." if said else "Mixup makes no clear difference."]


def _titles(contenders: Sequence[Contender]) -> str:
    return ", ".join(found.title.replace(", mixup", " with mixup") for found in contenders)


def _remarks(comparison: Comparison) -> list[str]:
    baseline = comparison.best_baseline
    over = "" if baseline is None else f"over the baseline: over {baseline.name}, the best baseline. "
    differences = (
        f"{over}Differences are paired, in points (hundredths of micro-F1), and the intervals of a column hold "
        f"together. {_UNCLEAR}: {NO_DIFFERENCE}, since the interval contains 0."
    )
    return [
        f"{counted(comparison.folds, 'fold')} x {counted(comparison.seeds, 'seed')}. micro-F1: of all tests together.",
        interval_remark(
            comparison.unit_count, comparison.unit, [found.micro_f1.value for found in comparison.contenders]
        ),
        *([differences] if comparison.differences else []),
        "The best was chosen by these same tests, so its figure is a little too high: confirm it on other videos.",
        "comparison.json has the deviation over the seeds, macro-F1, mAP, seconds, parameters and all differences.",
    ]


def _difference(found: Interval | None) -> tuple[str, str]:
    """Return a difference in points with its interval, and what it means."""
    if found is None:
        return "-", ""
    value, low, high = map(points, (found.value, found.low, found.high))
    return f"{value} ({low}, {high})", verdict(found).replace(NO_DIFFERENCE, _UNCLEAR)

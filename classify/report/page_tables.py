"""Texts and tables of a training run as HTML; `page.css` styles them."""

import html
from collections.abc import Sequence

from classify.evaluation import HeadEvaluation
from classify.measures import Evaluation
from classify.training_report import TrainingReport
from embed.machine import shown


def escaped(text: str) -> str:
    r"""Return a text for HTML. Marks that turn the text after them around, and other unseen ones, are written out.

    >>> escaped("<hug> \u202egpj.exe")
    '&lt;hug&gt; \\u202egpj.exe'
    """
    return html.escape(shown(text))


def judged_table(report: TrainingReport | HeadEvaluation) -> str:
    """Return the figures of the test videos: those of the baselines, and below them those of the head."""
    found = {**report.baselines.get("test", {}), "this head": report.evaluations["test"]}
    rows = []
    for name, own in found.items():
        interval = own.intervals.get("micro_f1")
        drawn = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "-"
        figures = (own.metrics.macro_f1, own.metrics.accuracy, own.ranking.mean_average_precision)
        cells = (f"{own.metrics.micro_f1:.3f}", drawn, *(f"{figure:.3f}" for figure in figures))
        title = escaped(name.replace("-", " "))
        rows.append(f"<tr><th scope=row>{title}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return _table(("test videos", "micro-F1", "95% interval", "macro-F1", "exact match", "mAP"), rows)


def class_table(test: Evaluation) -> str:
    """Return the figures of each label, with a bar for F1; a dash for a label that no test video has."""
    rows = []
    for entry, average in zip(test.metrics.classes, test.ranking.average_precisions, strict=True):
        figures = (entry.precision, entry.recall, average) if entry.support else (None, None, None)
        cells = "".join(f"<td>{'-' if figure is None else f'{figure:.2f}'}</td>" for figure in figures)
        bar = f'<span class="bar" style="--share: {entry.f1:.3f}">{entry.f1:.2f}</span>' if entry.support else "-"
        rows.append(f"<tr><th scope=row>{escaped(entry.name)}</th><td>{bar}</td>{cells}<td>{entry.support:,}</td></tr>")
    names = ("label", "F1", "precision", "recall", "AP", "videos")
    return _table(names, rows)


def confusion_table(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Return (C, C) counts as a table; the larger a cell's share of its row, the darker the cell."""
    header = "".join(f"<th scope=col><span>{escaped(name)}</span></th>" for name in names)
    rows = []
    for index, row in enumerate(counts):
        total = max(1, sum(row))
        cells = "".join(
            f'<td class="{"right" if column == index else "wrong"}" style="--share: {count / total:.3f}">'
            f"{count or '·'}</td>"
            for column, count in enumerate(row)
        )
        rows.append(f"<tr><th scope=row>{escaped(names[index])}</th>{cells}</tr>")
    return (
        f'<div class="wide"><table class="confusion"><thead><tr><td></td>{header}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _table(names: Sequence[str], rows: Sequence[str]) -> str:
    header = "".join(f"<th scope=col>{name}</th>" for name in names)
    return f'<div class="wide"><table><thead><tr>{header}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'

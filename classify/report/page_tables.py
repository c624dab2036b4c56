"""Tables of a training as HTML, which `page.css` gives their looks."""

import html
from collections.abc import Sequence

from classify.measures import Evaluation


def class_table(test: Evaluation) -> str:
    """Return the figures of each label, with a bar for F1."""
    rows = []
    for entry, average in zip(test.metrics.classes, test.ranking.average_precisions, strict=True):
        figures = (entry.precision, entry.recall, average)
        cells = "".join(f"<td>{'-' if figure is None else f'{figure:.2f}'}</td>" for figure in figures)
        bar = f'<span class="bar" style="--share: {entry.f1:.3f}">{entry.f1:.2f}</span>'
        rows.append(
            f"<tr><th scope=row>{html.escape(entry.name)}</th><td>{bar}</td>{cells}<td>{entry.support:,}</td></tr>"
        )
    names = ("label", "F1", "precision", "recall", "AP", "videos")
    header = "".join(f"<th scope=col>{name}</th>" for name in names)
    return f'<div class="wide"><table><thead><tr>{header}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def confusion_table(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Return (C, C) counts as a table whose cells are the darker, the larger a share of their row they are."""
    header = "".join(f"<th scope=col><span>{html.escape(name)}</span></th>" for name in names)
    rows = []
    for index, row in enumerate(counts):
        total = max(1, sum(row))
        cells = "".join(
            f'<td class="{"right" if column == index else "wrong"}" style="--share: {count / total:.3f}">'
            f"{count or '·'}</td>"
            for column, count in enumerate(row)
        )
        rows.append(f"<tr><th scope=row>{html.escape(names[index])}</th>{cells}</tr>")
    return (
        f'<div class="wide"><table class="confusion"><thead><tr><td></td>{header}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )

"""The top of the page: which head this is, and what it was trained from."""

import html
from datetime import datetime

from classify.data import MOST_LABELS, MOST_VIDEOS
from classify.report.findings import Findings, count

_REPORT_FILE = "report.json"


def head_of_page(found: Findings) -> str:
    """Return title, origin and notes."""
    report = found.report
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _origin(found).items())
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*report.notes, *_absences(found)))
    return f"""<header>
<h1>{html.escape(report.classifier.config.arch)} head, {count(len(found.table.names), "label")}</h1>
<dl class="origin">{rows}</dl>
{f'<ul class="notes">{notes}</ul>' if notes else ""}
</header>"""


def show_command(command: str) -> str:
    """Return a command whose lines break between words only."""
    words = " ".join(f"<span>{html.escape(word)}</span>" for word in command.split(" "))
    return f'<code class="command">{words}</code>'


def _origin(found: Findings) -> dict[str, str]:
    """Return name -> value, as HTML; what is not known is left out."""
    report, sources = found.report, found.sources
    encoder, config = report.classifier.provenance.encoder, report.classifier.config
    length = f"{count(report.history[-1].epoch, 'epoch')}, " if report.history else ""
    values = {
        "Head": f"{config.arch}, trained in {length}{report.seconds:.1f} seconds",
        "Trained": _moment(found),
        "Encoder": encoder.model,
        "Store": str(sources.store),
        "Split file": str(sources.split),
        "Label file": "none: each folder's name is a label" if sources.labels is None else str(sources.labels),
    }
    shown = {name: html.escape(value) for name, value in values.items() if value is not None}
    if sources.command is None:
        return shown
    return {**shown, "Command": show_command(sources.command)}


def _moment(found: Findings) -> str | None:
    """Return when the training run ended; None where its report.json is gone."""
    path = found.report.folder / _REPORT_FILE
    if not path.exists():
        return None
    return f"{datetime.fromtimestamp(path.stat().st_mtime).astimezone():%Y-%m-%d %H:%M (UTC%z)}"


def _absences(found: Findings) -> list[str]:
    """Say why the page has no section on label errors, where it has none."""
    if found.doubts is None:
        return [f"Label errors are looked for in up to {MOST_VIDEOS:,} videos and {MOST_LABELS} labels; not here."]
    return [] if found.doubts else ["No label was found that is probably wrong."]

"""A training run as one HTML page that needs no network: its pictures, frames and colours are all inside.

    head/report.html     written by `write_page` beside report.json
    head/suspects.csv    labels to correct (`classify.report.suspects`), where some are doubtful

The page runs no script, and tells the browser to load nothing.
"""

from datetime import datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from classify.classifier import refuse_edited_labels
from classify.data import FOLDS, MOST_LABELS, MOST_VIDEOS, Labels, can_judge
from classify.errors import ClassifyError
from classify.evaluation import EVALUATION_FILE, HeadEvaluation
from classify.files import hash_text, write_whole
from classify.report.findings import Findings, GrabFrames
from classify.report.page_figures import (
    Section,
    calibration_section,
    classes_section,
    confusion_section,
    curves_section,
    precision_recall_section,
    test_section,
)
from classify.report.page_map import map_section
from classify.report.page_tables import escaped
from classify.report.page_videos import label_errors_section, mistakes_section, show_command
from classify.report.suspects import SUSPECTS_FILE, suspects_text
from classify.training_report import TrainingReport
from embed.machine import counted

PAGE_FILE = "report.html"
_REPORT_FILE = "report.json"

_SECTIONS = (
    test_section,
    curves_section,
    classes_section,
    confusion_section,
    precision_recall_section,
    calibration_section,
    mistakes_section,
    label_errors_section,
    map_section,
)


def check_page_packages() -> None:
    """Check before a training run that its page can be written after it.

    Raises:
        ClassifyError: matplotlib or cleanlab is not installed.
    """
    if not all(map(find_spec, ("cleanlab", "matplotlib"))):
        raise ClassifyError(
            "The page needs matplotlib and cleanlab. Install them: pip install '.[report]' in framehead's folder"
        )


def write_page(
    report: TrainingReport,
    store: str | Path,
    split: str | Path,
    *,
    labels: Labels = None,
    grab_frames: GrabFrames = lambda _: (),
    command: str | None = None,
) -> Path:
    """Write a page about a head that was just trained, and return its path.

    Where labels are doubtful, suspects.csv is written beside it.

    Args:
        report: what `train_head` returned.
        store: the store's path, as given to `train_head`.
        split: the split file, the same.
        labels: the same.
        grab_frames: reads a few frames of a video.
        command: the command that trained the head, as typed; the page shows it.

    Raises:
        ClassifyError: matplotlib or cleanlab is not installed, labels and split do not fit the store, or suspects.csv
            was edited since it was written.
        EmbedError: the store cannot be read.
    """
    check_page_packages()
    refuse_edited_labels(report.folder)
    found = Findings.gather(report, store, split, labels, grab_frames, command)
    suspects, words = report.folder / SUSPECTS_FILE, suspects_text(found) if found.doubts else ""
    text = _page(found, hash_text(words))
    path = report.folder / PAGE_FILE
    # The page has the hash of suspects.csv, so that an edited one is known. In this order, a run that is killed leaves
    # none whose hash the page lacks.
    suspects.unlink(missing_ok=True)
    write_whole(path, text)
    if words:
        write_whole(suspects, words)
    return path


def write_evaluation_page(
    evaluation: HeadEvaluation,
    store: str | Path,
    *,
    grab_frames: GrabFrames = lambda _: (),
    command: str | None = None,
) -> Path:
    """Write a page about a head on a labelled set, and return its path: the page of `write_page`, without training.

    Args:
        evaluation: what `evaluate_head` returned.
        store: the store's path, as given to `evaluate_head`.
        grab_frames: reads a few frames of a video.
        command: the command that measured the head, as typed; the page shows it.

    Raises:
        ClassifyError: matplotlib or cleanlab is not installed.
        EmbedError: the store cannot be read.
    """
    check_page_packages()
    found = Findings.gather_evaluation(evaluation, store, grab_frames, command)
    path = evaluation.folder / PAGE_FILE
    write_whole(path, _page(found, hash_text("")))
    return path


def _page(found: Findings, suspects_sha256: str) -> str:
    is_training, head = isinstance(found.report, TrainingReport), found.report.classifier.config.arch
    title = f"{escaped(head)} head: {'training' if is_training else 'evaluation'} report"
    makers = _SECTIONS if is_training else [make for make in _SECTIONS if make is not label_errors_section]
    sections = [section for make in makers if (section := make(found)) is not None]
    links = "".join(f'<a href="#{section.anchor}">{section.title}</a>' for section in sections)
    style = files("classify.report").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="suspects-sha256" content="{suspects_sha256}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{_head_of_page(found)}
<nav aria-label="Sections">{links}</nav>
{"".join(map(_write, sections))}</main>
</body>
</html>
"""


def _head_of_page(found: Findings) -> str:
    """Return the title, what the head was trained from, and notes."""
    report = found.report
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _origin(found).items())
    notes = "".join(f"<li>{escaped(note)}</li>" for note in (*report.notes, *_absences(found)))
    return f"""<header>
<h1>{escaped(report.classifier.config.arch)} head, {counted(len(found.table.names), "label")}</h1>
<dl class="origin">{rows}</dl>
{f'<ul class="notes">{notes}</ul>' if notes else ""}
</header>"""


def _origin(found: Findings) -> dict[str, str]:
    """Return name -> value, as HTML; what is not known is left out."""
    report, sources = found.report, found.sources
    values = {
        **(_training(report) if isinstance(report, TrainingReport) else _measuring(report)),
        "Encoder": report.classifier.provenance.encoder.model,
        "Store": str(sources.store),
        "Split file": None if sources.split is None else str(sources.split),
        "Label file": "none: each folder's name is a label" if sources.labels is None else str(sources.labels),
    }
    shown = {name: escaped(value) for name, value in values.items() if value is not None}
    if sources.command is None:
        return shown
    return {**shown, "Command": show_command(sources.command)}


def _training(report: TrainingReport) -> dict[str, str | None]:
    length = f"{counted(report.history[-1].epoch, 'epoch')}, " if report.history else ""
    return {
        "Head": f"{report.classifier.config.arch}, trained in {length}{report.seconds:.1f} seconds",
        "Trained": _moment(report.folder / _REPORT_FILE),
    }


def _measuring(found: HeadEvaluation) -> dict[str, str | None]:
    return {
        "Head": f"{found.classifier.config.arch}, from {found.head}",
        "Measured": _moment(found.folder / EVALUATION_FILE),
    }


def _moment(path: Path) -> str | None:
    """Return when a file was written; None where it is gone."""
    if not path.exists():
        return None
    return f"{datetime.fromtimestamp(path.stat().st_mtime).astimezone():%Y-%m-%d %H:%M (UTC%z)}"


def _absences(found: Findings) -> list[str]:
    """Return why the page has no section on label errors, if it should have one."""
    if not isinstance(found.report, TrainingReport):
        return []
    if found.label_check is None:
        return [f"Label errors are looked for in up to {MOST_VIDEOS:,} videos and {MOST_LABELS} labels; not here."]
    if found.doubts:
        return []
    judged = int(can_judge(found.table.targets, found.split.groups).sum())
    if judged < 2:
        return [f"Label errors cannot be found here: no two labels have {FOLDS} videos or more, in several groups."]
    check = found.label_check
    if check.is_weak:
        return [
            f"Label errors are not shown: the logistic regression that looks for them gives {check.right:.0%} of the "
            f"labels right, no more than the most frequent label alone ({check.guessed:.0%})."
        ]
    left = "" if judged == len(found.table.names) else f" {judged} of {len(found.table.names)} labels could be judged."
    return [f"No label was found that is probably wrong.{left}"]


def _write(section: Section) -> str:
    return (
        f'<section id="{section.anchor}">\n<h2>{section.title}</h2>\n<p>{section.words}</p>\n{section.content}\n'
        "</section>\n"
    )

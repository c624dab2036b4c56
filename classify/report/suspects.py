"""Label file for correcting labels: all videos of a training run, those with a doubtful label first.

    head/suspects.csv    id, path, label, suggestion; group where the split has groups

`label` is what the video has now, `suggestion` what it looks like, blank for videos whose label is not doubted. Several
labels are joined as in any label file. The file names every video, so it is a whole label file: after editing `label`,
hand it to split-videos and train-head as --labels.
"""

import re
from collections.abc import Sequence

import numpy as np

from classify.data import SEPARATOR, LabelDoubt
from classify.files import csv_text
from classify.report.findings import Findings
from embed.machine import operand, shell_word

SUSPECTS_FILE = "suspects.csv"

_LABELS = ("--labels", "--path-column", "--label-column", "--label-folder")
# A word of a shell as it is quoted: 'a b', "a b", a\ b, $'a\n'.
_WORDS = re.compile(r"""(?:\$'(?:[^'\\]|\\.)*'|'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+""", re.DOTALL)
_LIKELY = 0.5  # where videos have several labels, each has a regression of its own


def suspects_text(found: Findings) -> str:
    """Return the file's text."""
    doubts = {doubt.video: doubt for doubt in found.doubts}
    others = [video for video in range(len(found.table.ids)) if video not in doubts]
    groups = found.split.groups
    rows = [["id", "path", "label", "suggestion", *(["group"] if groups else [])]]
    for video in (*doubts, *others):
        suggestion = suggest_labels(found, doubts[video]) if video in doubts else ""
        row = [found.table.ids[video], found.locations[video], found.table.labels_of(video), suggestion]
        rows.append([*row, *([groups[video]] if groups else [])])
    return csv_text(rows)


def suggest_labels(found: Findings, doubt: LabelDoubt) -> str:
    """Return the labels that a doubtful video looks like, joined; blank where it looks like no other.

    Of several labels, an unlikely one goes and a likely one comes; the others stay.
    """
    has = found.table.targets[doubt.video].copy()
    is_several = found.report.classifier.thresholds is not None
    if not is_several and doubt.suggested is None:
        return ""
    has[doubt.doubted] &= is_several and doubt.label_probability >= _LIKELY
    if doubt.suggested is not None:
        has[doubt.suggested] = True
    return SEPARATOR.join(found.table.names[place] for place in np.flatnonzero(has))


def correction_commands(found: Findings) -> tuple[str, str]:
    """Return the two commands that hand the edited file back: split again, train again, into new places."""
    folder, split = found.report.folder, found.sources.split
    assert split is not None, "only a training run has labels to correct"
    labels = ["--labels", str(folder / SUSPECTS_FILE)]
    new_split = str(split.with_stem(f"{split.stem}-corrected"))
    kept = ["--keep", str(split)]  # the corrected head is tested on the same videos
    grouping = ["--group-by", "group"] if found.split.groups else []
    store, new_head = operand(str(found.sources.store)), str(folder.with_name(f"{folder.name}-corrected"))
    training = _without(_WORDS.findall(found.sources.command or f"train-head {_line([store])} --html"))
    options = training.index("--") if "--" in training else len(training)
    training.insert(options, _line([*labels, "--split", new_split, "-o", new_head]))
    return (
        _line(["split-videos", store, *labels, *grouping, *kept, "-o", new_split]),
        " ".join(training),
    )


def _line(words: Sequence[str]) -> str:
    return " ".join(map(shell_word, words))


def _without(words: list[str]) -> list[str]:
    """Return a command without where its labels are from, split file and output folder; its other options stay.

    Args:
        words: as they are quoted in the command.
    """
    replaced, kept, following = (*_LABELS, "--split", "--output", "-o"), [], iter(words)
    for word in following:
        if word in replaced:
            next(following, None)
        elif word == "--multi-label":  # the file has one row for each video
            continue
        elif not word.lstrip("$'\"").startswith(tuple(f"{name}=" for name in replaced)):
            kept.append(word)
    return kept

"""Sections of the page that show single videos with their frames: the head's mistakes, and doubtful labels."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

from classify.data import FOLDS, LabelDoubt, can_judge
from classify.report.findings import Findings
from classify.report.page_figures import Section
from classify.report.page_tables import escaped
from classify.report.suspects import SUSPECTS_FILE, correction_commands
from embed.machine import counted

_SHOWN_VIDEOS = 12  # cards of mistakes, and of doubtful labels
_FRAME_HEIGHT_PX = 120


def mistakes_section(found: Findings) -> Section | None:
    """Return the mistakes that the head was surest of; None where it made none."""
    given, targets = found.given[found.test], found.table.targets[found.test]
    probabilities = found.probabilities[found.test]
    is_wrong = given != targets
    # By the likeliest label too many; where none is, by how little the head saw of one that is absent.
    too_many = np.where(given & is_wrong, probabilities, 0).max(axis=1)
    absent = np.where(~given & is_wrong, 1 - probabilities, 0).max(axis=1)
    sureness = np.where(too_many > 0, too_many, absent)
    order = np.argsort(-sureness, kind="stable")
    shown = [int(found.test[row]) for row in order if is_wrong[row].any()][:_SHOWN_VIDEOS]
    if not shown:
        return None
    wrong = counted(int(is_wrong.any(axis=1).sum()), "test video")
    words = (
        f"The head was wrong on {wrong}. It was surest of {'this' if len(shown) == 1 else f'these {len(shown)}'}: is "
        "the head at fault, the video or its label?"
    )
    cards = "".join(_card(found, row, f"taken for <b>{escaped(found.said(row))}</b>") for row in shown)
    return Section("Most confident mistakes", words, f'<div class="cards">{cards}</div>')


def label_errors_section(found: Findings) -> Section | None:
    """Return labels that are probably wrong and how to correct them; None where there are none."""
    doubts, check = found.doubts, found.label_check
    if not doubts or check is None:
        return None
    words = (
        f"The labels of {len(doubts):,} of all {len(found.table.ids):,} videos are doubtful. A logistic regression on "
        "mean vectors that has not seen the video is surer of another label than is usual (confident learning). It "
        f"gives {check.right:.0%} of the labels right, the most frequent label alone {check.guessed:.0%}: the nearer "
        f"these are, the more of the doubtful labels are right.{_unjudged(found)}"
    )
    cards = "".join(_card(found, doubt.video, _doubted(found, doubt)) for doubt in doubts[:_SHOWN_VIDEOS])
    return Section("Likely label errors", words, f'<div class="cards">{cards}</div>\n{_correction(found)}')


def show_command(command: str) -> str:
    """Return a command whose lines break between words only."""
    words = " ".join(f"<span>{escaped(word)}</span>" for word in command.split(" "))
    return f'<code class="command">{words}</code>'


def _unjudged(found: Findings) -> str:
    is_judged = can_judge(found.table.targets, found.split.groups)
    names = [escaped(name) for name, judged in zip(found.table.names, is_judged, strict=True) if not judged]
    if not names:
        return ""
    return (
        f" Labels of fewer than {FOLDS} videos, or of a single group, cannot be judged, and are left out with their "
        f"videos: {', '.join(names)}."
    )


def _correction(found: Findings) -> str:
    """Return how to hand corrected labels back."""
    path = escaped(str(found.report.folder / SUSPECTS_FILE))
    commands = "".join(f"<pre>{show_command(line)}</pre>" for line in correction_commands(found))
    return (
        '<div class="steps"><h3>Correct labels</h3>'
        f"<p><code>{path}</code> lists every video with its label. "
        f"{_first_rows(len(found.doubts))} Look at the videos, edit the column <code>label</code>, and train "
        "again with the edited file:</p>"
        f"{commands}<p>Videos keep their parts. The "
        "old split file holds the old labels, so train-head refuses it with the new ones.</p></div>"
    )


def _first_rows(number: int) -> str:
    if number == 1:
        return "The doubtful one is in its first row, with a suggestion."
    return f"The doubtful ones are in its first {number:,} rows, with suggestions."


def _doubted(found: Findings, doubt: LabelDoubt) -> str:
    doubted = f"{escaped(found.table.names[doubt.doubted])} {doubt.label_probability:.0%}"
    if doubt.suggested is None:
        return f"looks unlike it: <b>{doubted}</b>"
    name = escaped(found.table.names[doubt.suggested])
    return f"looks like <b>{name} {doubt.suggested_probability:.0%}</b> ({doubted})"


def _card(found: Findings, video: int, said: str) -> str:
    frames = "".join(_image(frame) for frame in found.grab_frames(found.locations[video]))
    return (
        f'<figure><div class="frames">{frames or "<i>no frames: the video cannot be read</i>"}</div><figcaption>'
        f"is <b>{escaped(found.table.labels_of(video))}</b>, {said}"
        f"<small>{escaped(found.table.ids[video])} · {found.split.parts[video]}</small></figcaption></figure>"
    )


def _image(frame: NDArray[np.uint8]) -> str:
    """Return a small JPEG inside an element."""
    from PIL import Image

    content = io.BytesIO()
    image = Image.fromarray(frame)
    image.thumbnail((2 * _FRAME_HEIGHT_PX, _FRAME_HEIGHT_PX))
    image.save(content, format="JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}">'

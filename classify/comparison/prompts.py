"""Prompts: labels in words, for encoders that also encode text.

A prompts file is a CSV with the columns label and prompt, in which a label may have several rows, or a JSON object of
label -> prompt or list of prompts. Without a file, a label's own name goes into `TEMPLATES`.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

from classify.data import compose
from classify.errors import LabelError
from embed.machine import counted, read_regular

Prompts = dict[str, tuple[str, ...]]
"""Label -> one prompt or more."""

TEMPLATES = ("a photo of {}.", "a video of {}.", "an example of {}.", "a demonstration of {}.")
"""Source: CLIP's templates for Kinetics-700 that mention no person ("a example" corrected),
https://github.com/openai/CLIP/blob/main/data/prompts.md; several are averaged, Radford et al. 2021,
https://arxiv.org/abs/2103.00020, section 3.1.4."""

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+")


def words_of(label: str) -> str:
    """Return a label as one would say it.

    >>> words_of("art_music"), words_of("playingGuitar"), words_of("#TVShow")
    ('art music', 'playing Guitar', 'TV Show')
    """
    return " ".join(_WORD_ENDS.sub(" ", label.removeprefix("#")).split())


def make_prompts(names: Sequence[str], path: str | Path | None = None) -> Prompts:
    """Return the prompts of each label.

    Args:
        names: labels.
        path: a prompts file, which may have other labels as well; None fills the templates.

    Raises:
        LabelError: the file cannot be read, or has no prompt for a label.

    >>> make_prompts(["art_music"])["art_music"][0]
    'a photo of art music.'
    """
    if path is None:
        return {name: tuple(template.format(words_of(name)) for template in TEMPLATES) for name in names}
    found = _read(Path(path))
    missing = [name for name in names if not found.get(compose(name))]
    if missing:
        raise LabelError(
            f"{path} has no prompt for {len(missing)} of {counted(len(names), 'label')}, e.g. {missing[0]!r}. Give "
            "each label at least one."
        )
    return {name: found[compose(name)] for name in names}


def _read(path: Path) -> Prompts:
    try:
        text = read_regular(path).decode("utf-8-sig").replace("\r\n", "\n")
        return _read_json(text) if text.lstrip().startswith("{") else _read_csv(text)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise LabelError(
            f"{path} cannot be read as prompts: {type(error).__name__}: {error}. Write a CSV with the columns label "
            "and prompt, or a JSON object of label -> list of prompts."
        ) from error


def _read_json(text: str) -> Prompts:
    said = {label: [prompts] if isinstance(prompts, str) else prompts for label, prompts in json.loads(text).items()}
    return {compose(label): tuple(map(str, prompts)) for label, prompts in said.items()}


def _read_csv(text: str) -> Prompts:
    found: Prompts = {}
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    for row in reader:
        if None in row:  # DictReader's key for the cells after the header's last column
            raise ValueError(f"line {reader.line_num} has too many cells; quote prompts that contain a comma")
        label, prompt = (compose(row[name] or "").strip() for name in ("label", "prompt"))
        found[label] = (*found.get(label, ()), *([prompt] if prompt else ()))
    return found

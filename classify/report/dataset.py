"""Description of the labelled set of a store, from the store's tables alone: no vector is read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from classify.data import (
    WHOLE,
    DatasetDescription,
    Labels,
    LabelTable,
    Split,
    Spread,
    describe_gaps,
    label_inputs,
    read_labelled_split,
    read_labels,
)
from classify.errors import ClassifyError
from classify.files import is_unfinished, refuse_other_folder, refuse_output_file, write_whole
from classify.picture_style import describe_picture_file
from classify.report.plots import draw_description, picture_files
from classify.report.texts import cut, first_rows, table, wrap
from embed.machine import counted
from embed.store import EmbeddingStore

_FIGURES_FILE = "dataset.json"
_SHOWN, _SHOWN_FEW = 40, 10  # rows of a table; --json has them all
_SPREAD = ("shortest", "25%", "median", "75%", "longest")
_LONGEST_LABEL = 24  # characters of a label in a table of many columns
_KEYS = {"store", "videos", "failed_videos", "classes", "labels_per_video", "pairs", "durations_s", "resolutions"}


def describe_dataset(
    store: str | Path,
    output: str | Path | None = None,
    *,
    labels: Labels = None,
    split: str | Path | None = None,
    overwrite: bool = False,
) -> DatasetDescription:
    """Return a description of the labelled videos of a store, and write it with pictures.

    Args:
        store: the store's path.
        output: folder for dataset.json and the pictures (PNG), which need matplotlib; None writes nothing.
        labels: as for `split_videos`; None takes those that the split was made with.
        split: the split file, checked against the store; None describes only the whole set.
        overwrite: replace also other files of these names, except inputs.

    Raises:
        ClassifyError: a file to write is an input, holds something else, or cannot be written.
        ClassifyError: labels or split do not fit the store, or matplotlib is not installed.
        EmbedError: the store cannot be read.
    """
    inputs = [store, *label_inputs(labels), *([] if split is None else [split])]
    replaced = None if output is None else _refuse_output(output, inputs, overwrite)
    with EmbeddingStore(store) as opened:
        if split is None:
            description = _describe(opened, read_labels(opened, labels), None)
        else:
            description = _describe(opened, *read_labelled_split(opened, split, labels))
    if output is not None:
        pictures = draw_description(description)  # first: without matplotlib, nothing is written
        for name, picture in pictures.items():
            write_whole(Path(output) / name, picture)
        write_whole(Path(output) / _FIGURES_FILE, json.dumps(description.to_json(), indent=2) + "\n")
    return replace(description, replaced=replaced)


def _refuse_output(output: str | Path, inputs: Sequence[str | Path], overwrite: bool) -> str | None:
    """Raise ClassifyError unless the description may be written to a folder; return what it replaces."""
    if not str(output):
        raise ClassifyError("The folder for the description is ''. Name a folder.")
    own = (*picture_files(), _FIGURES_FILE)
    refuse_other_folder(
        Path(output),
        what="a description",
        is_own=lambda path: path.name in own or is_unfinished(path.name),
        inputs=inputs,
    )
    for name in picture_files():
        refuse_output_file(
            Path(output, name),
            kind="a picture of describe-dataset",
            recognise=describe_picture_file,
            inputs=inputs,
            overwrite=overwrite,
        )
    return refuse_output_file(
        Path(output, _FIGURES_FILE),
        kind="a description of describe-dataset",
        recognise=_describe_figures_file,
        inputs=inputs,
        overwrite=overwrite,
    )


def _describe_figures_file(path: Path) -> str | None:
    """Return what a description is of, in words; None if `describe_dataset` did not write the file."""
    found = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    if not isinstance(found, dict) or not found.keys() >= _KEYS or not isinstance(found["videos"], dict):
        return None
    return f"the description of {counted(int(found['videos'].get(WHOLE, 0)), 'video')}"


def _describe(store: EmbeddingStore, table: LabelTable, split: Split | None) -> DatasetDescription:
    known = {video_id: index for index, video_id in enumerate(store.ids)}
    rows = np.array([known[video_id] for video_id in table.ids])
    gaps = () if split is None else describe_gaps(split, table)
    return DatasetDescription(
        store=str(store.path),
        table=table,
        part_of=None if split is None else split.parts,
        durations_s=store.durations_s[rows],
        sizes_px=np.stack([store.column(name)[rows] for name in ("width_px", "height_px")], axis=1),
        failure_count=len(store.failures),
        notes=(*table.notes, *gaps),
    )


def description_text(found: DatasetDescription) -> str:
    """Return the tables of a labelled set; of many labels or pairs, the most frequent."""
    whole = found.durations[WHOLE]
    counts = f"{counted(whole.videos, 'video')}, {counted(len(found.table.names), 'label')}"
    sections = [
        wrap(f"{found.store}: {counts}, {_duration(whole.sum_s)}; {counted(found.failure_count, 'video')} failed"),
        _class_counts_table(found),
        _label_counts_table(found),
        table(("duration (s)", *_SPREAD), [_spread_row(name, row) for name, row in found.durations.items()]),
        _resolutions_table(found),
    ]
    if found.pairs:
        rows = [(f"{one} + {other}", str(count)) for one, other, count in found.pairs]
        sections.insert(3, table(("labels together", "videos"), first_rows(rows, _SHOWN_FEW)))
    return "\n\n".join(sections)


def _class_counts_table(found: DatasetDescription) -> str:
    durations = [*found.class_durations.values()]
    order = sorted(range(len(durations)), key=lambda index: -durations[index].videos)
    rows = []
    for index in order:
        own = durations[index]
        counts = (str(counts[index]) for counts in found.class_counts.values())
        lengths = (f"{figure:.1f}" for figure in (own.shortest_s, own.median_s, own.longest_s))
        rows.append((cut(found.table.names[index], _LONGEST_LABEL), *counts, *lengths))
    return table(("label", *found.rows, "min (s)", "median", "max"), first_rows(rows, _SHOWN))


def _label_counts_table(found: DatasetDescription) -> str:
    parts = found.label_counts
    rows = [(str(number), *(str(parts[part].get(number, 0)) for part in parts)) for number in parts[WHOLE]]
    return table(("labels per video", *parts), rows)


def _resolutions_table(found: DatasetDescription) -> str:
    sizes = [(f"{width}x{height}", str(count)) for (width, height), count in found.resolutions.items()]
    if len(sizes) > _SHOWN_FEW:  # as where each clip is cut to its own size
        return table(
            ("shorter side (px)", "videos"), [(name, str(count)) for name, count in found.shorter_sides.items()]
        )
    return table(("resolution (px)", "videos"), sizes)


def _spread_row(name: str, found: Spread) -> tuple[str, ...]:
    figures = (found.shortest_s, found.lower_quartile_s, found.median_s, found.upper_quartile_s, found.longest_s)
    return (name, *(f"{figure:.1f}" for figure in figures))


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"

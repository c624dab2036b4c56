"""Description of the labelled set of a store, from the store's tables alone: no vector is read."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from classify.data import (
    WHOLE,
    DatasetDescription,
    Labels,
    LabelTable,
    Split,
    describe_gaps,
    label_inputs,
    read_labelled_split,
    read_labels,
)
from classify.errors import ClassifyError
from classify.files import refuse_output_file, write_whole
from classify.picture_style import describe_picture_file
from classify.report.plots import draw_description, picture_files
from embed.machine import counted
from embed.store import EmbeddingStore

_FIGURES_FILE = "dataset.json"
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


def _refuse_output(output: str | Path, inputs: Iterable[str | Path], overwrite: bool) -> str | None:
    """Raise ClassifyError unless the description may be written to a folder; return what it replaces."""
    if not str(output):
        raise ClassifyError("The folder for the description is ''. Name a folder.")
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

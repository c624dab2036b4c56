"""Description of the labelled set of a store, from the store's tables alone: no vector is read."""

import json
from pathlib import Path

import numpy as np

from classify.data import DatasetDescription, Labels, LabelTable, Split, describe_gaps, read_labelled_split, read_labels
from classify.files import write_whole
from classify.report.plots import draw_description
from embed.store import EmbeddingStore


def describe_dataset(
    store: str | Path,
    output: str | Path | None = None,
    *,
    labels: Labels = None,
    split: str | Path | None = None,
) -> DatasetDescription:
    """Return a description of the labelled videos of a store, and write it with pictures.

    Args:
        store: the store's path.
        output: folder for dataset.json and the pictures (PNG), which need matplotlib; None writes nothing.
        labels: as for `split_videos`; None takes those that the split was made with.
        split: the split file, checked against the store; None describes only the whole set.

    Raises:
        ClassifyError: labels or split do not fit the store, or matplotlib is not installed.
        EmbedError: the store cannot be read.
    """
    with EmbeddingStore(store) as opened:
        if split is None:
            description = _describe(opened, read_labels(opened, labels), None)
        else:
            description = _describe(opened, *read_labelled_split(opened, split, labels))
    if output is not None:
        pictures = draw_description(description)  # first: without matplotlib, nothing is written
        write_whole(Path(output) / "dataset.json", json.dumps(description.to_json(), indent=2) + "\n")
        for name, picture in pictures.items():
            write_whole(Path(output) / name, picture)
    return description


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

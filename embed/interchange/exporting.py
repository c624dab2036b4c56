"""A store -> YouTube-8M's TFRecords in a folder."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import final

import numpy as np

from embed.errors import OutputError, SourceError, StoreError
from embed.interchange.finding import label_files
from embed.interchange.label_tables import read_label_file
from embed.interchange.summaries import ExportSummary
from embed.interchange.tfrecords import frame_record
from embed.interchange.vocabulary import read_label_numbers, write_vocabulary
from embed.interchange.youtube8m import FAMILY, FEATURES, MEAN, Feature, Rows, dimensions_of, write_record
from embed.machine import address_refused, counted, prove_writable, real_path, remedy_for
from embed.store import EmbeddingStore, count_clipped, folder_beside, holds_path, quantise, refusal_of

VOCABULARY = "vocabulary.csv"
VIDEOS_A_FILE = 1000
"""As in YouTube-8M's own files, more or less: with 300 frames each, a file has 350 MB."""
_NAME = re.compile(r"videos-\d{4,}\.tfrecord")


@dataclass(frozen=True)
class _Labels:
    """The labels of a store's videos.

    Args:
        path: the label file; None if there is none.
        numbers: id -> numbers of the video's labels.
        names: number -> name, if they were numbered here; else empty.
    """

    path: Path | None
    numbers: Mapping[str, tuple[int, ...]]
    names: Mapping[int, str]


@final
class _Encoding:
    """What becomes of a store's rows.

    Args:
        store: the store.
    """

    def __init__(self, store: EmbeddingStore) -> None:
        self._store = store
        encoder = store.provenance.encoder
        is_imported = encoder.family == FAMILY
        self.is_mean = is_imported and store.provenance.sampling.get("name") == MEAN
        self.features: dict[Feature, int] = (
            dimensions_of(encoder.model) if is_imported else {FEATURES[0]: encoder.dimension}
        )
        self._clipped = self._quantised = 0

    @property
    def clipped_share(self) -> float | None:
        """Share of the coefficients that one byte cuts off; None if none was made a byte."""
        return self._clipped / self._quantised if self._quantised else None

    def read(self, video_id: str) -> Rows:
        """Return a video's codes of the first view; at video level its float16 vector.

        Raises:
            StoreError: its rows are damaged.
        """
        stored = self._store.read_stored(video_id)
        if stored.is_damaged:
            self._store.read(video_id)  # raises the error that says what to do
        rows = stored.rows[: len(stored.rows) // len(self._store.provenance.views)]
        if rows.dtype == np.uint8 or self.is_mean:
            return rows
        self._quantised += rows.size
        self._clipped += count_clipped(rows)
        return quantise(rows)


def export_youtube8m(
    store: str | Path,
    output: str | Path,
    *,
    labels: str | Path | None = None,
    vocabulary: str | Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportSummary:
    """Write a store as TFRecord files of YouTube-8M: one byte a coefficient, rows in the order of their moments.

    A store of an import becomes the records again, byte for byte: `rgb` and `audio`, or `mean_rgb` and `mean_audio`.
    Vectors of other encoders become `rgb`, of their own length.

    Args:
        store: the store; the first view is written.
        output: the folder, which appears whole or not at all. Only an earlier export is replaced.
        labels: a CSV file with the columns id and labels; None takes the one that an import wrote beside the store.
        vocabulary: `vocabulary.csv`, if the labels are names. Without it, labels of other stores are numbered in the
            order of their names, and the folder gets a `vocabulary.csv`.
        on_progress: called with (videos written, videos in all).

    Raises:
        StoreError: the store cannot be read, or the folder cannot be written.
        SourceError: a label has no number, a file cannot be read, or a package is not installed.
        OutputError: the folder holds other things, or an input.
    """
    began, output = perf_counter(), Path(output)
    inputs = [path for path in (store, labels, vocabulary) if path]
    replaced = _refuse_folder(output, inputs)
    with EmbeddingStore(store) as opened:
        encoding = _Encoding(opened)
        known = _labels_of(opened, labels, vocabulary)
        with folder_beside(output) as new, refusal_of(output):
            vectors, files = _write_files(new, opened, encoding, known.numbers, on_progress)
            if known.names:
                counts = Counter(number for numbers in known.numbers.values() for number in numbers)
                write_vocabulary(new / VOCABULARY, known.names, counts)
            size_bytes = sum(path.stat().st_size for path in new.iterdir())
            _put_in_place(new, output)
        return ExportSummary(
            store=str(store),
            output=str(output),
            labels=str(known.path or ""),
            vocabulary=str(output / VOCABULARY) if known.names else "",
            files=files,
            videos=len(opened),
            vectors=vectors,
            unlabelled=sum(not known.numbers.get(video_id) for video_id in opened.ids),
            clipped_share=encoding.clipped_share,
            replaced=replaced,
            size_bytes=size_bytes,
            seconds=perf_counter() - began,
        )


def _write_files(
    folder: Path,
    store: EmbeddingStore,
    encoding: _Encoding,
    labels: Mapping[str, tuple[int, ...]],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[int, int]:
    """Write all videos, and return the number of vectors and of files."""
    ids, vectors = store.ids, 0
    starts = range(0, len(ids), VIDEOS_A_FILE)
    for number, start in enumerate(starts):
        with Path(folder, f"videos-{number:04}.tfrecord").open("wb") as file:
            for done, video_id in enumerate(ids[start : start + VIDEOS_A_FILE], start + 1):
                rows = encoding.read(video_id)
                file.write(frame_record(write_record(video_id, labels.get(video_id, ()), rows, encoding.features)))
                vectors += len(rows)
                if on_progress:
                    on_progress(done, len(ids))
            file.flush()
            os.fsync(file.fileno())
    return vectors, len(starts)


def _labels_of(store: EmbeddingStore, labels: str | Path | None, vocabulary: str | Path | None) -> _Labels:
    """Return the numbers of each video's labels."""
    path = Path(labels) if labels else next(iter(label_files(store.path)))
    if not labels and not path.exists():
        if vocabulary:
            raise SourceError(f"There is no label file {path}, so --vocabulary has no effect. Name one with --labels.")
        return _Labels(None, {}, {})
    found = read_label_file(path)
    if labels and not any(video_id in found for video_id in store.ids):
        raise SourceError(f"{path} names no video of {store.path}. Name its label file with --labels.")
    names = sorted({name for own in found.values() for name in own})
    given = read_label_numbers(vocabulary) if vocabulary else None
    numbers = _numbers_of(path, names, given, is_imported=store.provenance.encoder.family == FAMILY)
    own = {video_id: tuple(numbers[name] for name in named) for video_id, named in found.items() if video_id in store}
    is_new = given is None and not all(name.isdecimal() for name in names)
    return _Labels(path, own, {number: name for name, number in numbers.items()} if is_new else {})


def _numbers_of(
    path: Path, names: Sequence[str], vocabulary: Mapping[int, str] | None, *, is_imported: bool
) -> dict[str, int]:
    """Return name -> number of labels."""
    if vocabulary is None and is_imported and not all(name.isdecimal() for name in names):
        raise SourceError(f"The labels in {path} are names. Name YouTube-8M's vocabulary.csv with --vocabulary.")
    if vocabulary is None and not all(name.isdecimal() for name in names):
        return {name: number for number, name in enumerate(names)}
    known = {name: number for number, name in (vocabulary or {}).items()}
    unknown = [name for name in names if name not in known and not name.isdecimal()]
    if unknown:
        raise SourceError(f"The label {unknown[0]!r} in {path} is not in the vocabulary. Name another --vocabulary.")
    return {name: known[name] if name in known else int(name) for name in names}


def _refuse_folder(output: Path, inputs: Sequence[str | Path]) -> str | None:
    """Raise OutputError unless the folder is new, empty, or an earlier export; return what is replaced.

    Args:
        output: the folder.
        inputs: the store, and the files that are read.
    """
    if refusal := address_refused(output, "TFRecord files"):
        raise OutputError(refusal)
    if not output.name or "\0" in str(output):
        raise OutputError(f"{str(output)!r} is not the name of a new folder. Name one for the TFRecord files.")
    place = real_path(output)
    if any(real_path(path).is_relative_to(place) for path in inputs) or holds_path(Path(inputs[0]), output):
        raise OutputError(f"{output} holds an input of this command, or lies in one. Name a new folder.")
    try:
        if place.exists() and not place.is_dir():
            raise OutputError(f"{output} is a file. Name a folder for the TFRecord files.")
        held = sorted(path.name for path in place.iterdir()) if place.is_dir() else []
        prove_writable(place.parent)
    except OSError as error:
        remedy = remedy_for(error, "Free disk space, make it writable")
        raise OutputError(f"{output} cannot be written: {error.strerror}. {remedy}, or name another folder.") from error
    foreign = [name for name in held if not _NAME.fullmatch(name) and name != VOCABULARY]
    if foreign or held == [VOCABULARY]:
        raise OutputError(f"{output} holds {(foreign or held)[0]!r}, which no export wrote. Name a new folder.")
    return f"{output}, an earlier export of {counted(len(held), 'file')}, is replaced." if held else None


def _put_in_place(new: Path, output: Path) -> None:
    """Rename a finished folder to its name. An earlier export goes only once the new one is there."""
    place = real_path(output)
    old = new.with_name(f"{new.name}-old")
    try:
        with suppress(FileNotFoundError):
            place.rename(old)
        new.rename(place)
    except OSError as error:
        if old.exists() and not place.exists():
            old.rename(place)
        raise StoreError(f"{output} cannot be written: {error.strerror}. Name another folder.") from error
    shutil.rmtree(old, ignore_errors=True)

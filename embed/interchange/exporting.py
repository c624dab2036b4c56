"""A store -> YouTube-8M's TFRecords."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from embed.errors import SourceError
from embed.interchange.tfrecords import frame_record
from embed.interchange.vocabulary import SEPARATOR, read_vocabulary
from embed.interchange.youtube8m import DIMENSIONS, FAMILY, MEAN, LabelledVectors, write_video
from embed.machine import open_regular, refuse_output
from embed.store import EmbeddingStore, count_clipped, nearest_codes, quantise, refusal_of, replaced_file

_COLUMNS = ("path", "labels")


@dataclass(frozen=True)
class ExportSummary:
    """What an export did.

    Args:
        store, output: the paths of the store and of the TFRecord file.
        videos, vectors: what was written.
        unlabelled: videos that the label file does not name; they are written without labels.
        cut: share of the values beyond -2 or 2, which one byte cannot tell from these.
        seconds: wall time.
    """

    store: str
    output: str
    videos: int
    vectors: int
    unlabelled: int
    cut: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def export_youtube8m(
    store: str | Path,
    output: str | Path,
    *,
    labels: str | Path | None = None,
    vocabulary: str | Path | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportSummary:
    """Write a store as a TFRecord file of YouTube-8M: one byte a value, rows in the order of their moments.

    Vectors of YouTube-8M become `rgb` and `audio` again, with the bytes that they were imported from; one vector a
    video of it becomes `mean_rgb` and `mean_audio`. Vectors of other encoders become `rgb`, of their own length.

    Args:
        store: the store; the centre view is written.
        output: the file.
        labels: a CSV file with the columns path (ids) and labels, as an import writes it.
        vocabulary: `vocabulary.csv`, if the labels are names and not numbers.
        overwrite: replace a file that exists.
        on_progress: called with (videos written, videos in all).

    Raises:
        StoreError: the store cannot be read, or the file cannot be written.
        SourceError: a label has no number, a file cannot be read, or a package is not installed.
        OutputError: the file exists, or is an input.
    """
    began = perf_counter()
    inputs = [path for path in (store, labels, vocabulary) if path]
    refuse_output(output, kind="the records", recognise=lambda _: None, inputs=inputs, overwrite=overwrite)
    numbers = {name: number for number, name in read_vocabulary(vocabulary).items()} if vocabulary else {}
    known = _read_labels(labels, numbers) if labels else {}
    videos = vectors = unlabelled = cut = values = 0
    output = Path(output)
    with EmbeddingStore(store) as opened, refusal_of(output), replaced_file(output) as new, new.open("wb") as file:
        sizes = _features_of(opened)
        is_mean = opened.provenance.sampling.get("name") == MEAN
        # The formula of the way there would move what was imported by half a step.
        encode = nearest_codes if opened.provenance.encoder.family == FAMILY else quantise
        for video_id in opened.ids:
            stored = opened.read(video_id)
            rows = stored.vectors[: len(stored.vectors) // len(opened.provenance.views)]
            video = LabelledVectors(video_id, rows, known.get(video_id, ()))
            file.write(frame_record(write_video(video, sizes, None if is_mean else encode)))
            videos, vectors, values = videos + 1, vectors + len(rows), values + rows.size
            unlabelled += video_id not in known
            cut += 0 if is_mean else count_clipped(rows)
            if on_progress:
                on_progress(videos, len(opened))
    return ExportSummary(
        store=str(store),
        output=str(output),
        videos=videos,
        vectors=vectors,
        unlabelled=unlabelled,
        cut=cut / max(1, values),
        seconds=perf_counter() - began,
    )


def _features_of(store: EmbeddingStore) -> dict[str, int]:
    """Return name -> dimension of the kinds of features that the columns of a store are."""
    encoder = store.provenance.encoder
    if encoder.family != FAMILY:
        return {"rgb": encoder.dimension}
    return {name: DIMENSIONS[name] for name in DIMENSIONS if name in encoder.model.partition(":")[2].split("+")}


def _read_labels(path: str | Path, numbers: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return id -> labels of a label file."""
    try:
        with open_regular(path) as binary:
            text = binary.read().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}. Name a label file of an import.") from error
    reader = csv.DictReader(text.splitlines())
    if not {*_COLUMNS} <= {*(reader.fieldnames or ())}:
        raise SourceError(f"{path} lacks the column path or labels. Name a label file of an import.")
    return {row["path"]: _numbers_of(path, reader.line_num, row["labels"] or "", numbers) for row in reader}


def _numbers_of(path: str | Path, line: int, cell: str, numbers: Mapping[str, int]) -> tuple[int, ...]:
    found = []
    for name in filter(None, cell.split(SEPARATOR)):
        if name not in numbers and not name.isdecimal():
            raise SourceError(
                f"{path}, line {line}: the label {name!r} has no number. Name YouTube-8M's vocabulary.csv with "
                "--vocabulary, or write numbers."
            )
        found.append(numbers[name] if name in numbers else int(name))
    return tuple(found)

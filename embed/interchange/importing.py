"""YouTube-8M's TFRecords -> a store, and a label file beside it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import final

import numpy as np

from embed.errors import SourceError
from embed.interchange.examples import MessageError
from embed.interchange.finding import find_tfrecords, label_files
from embed.interchange.import_plan import ImportConfig, Kind, kind_of, provenance_of, read_names
from embed.interchange.label_tables import LabelTable, recogniser
from embed.interchange.summaries import ImportSummary
from embed.interchange.tfrecords import Damage, read_tfrecords
from embed.interchange.vocabulary import SEPARATOR
from embed.interchange.youtube8m import Record, Rows, Segment, read_record
from embed.machine import counted, refuse_output
from embed.sources import Sources
from embed.store import (
    EmbeddingStore,
    Provenance,
    StoreWriter,
    VideoRecord,
    is_store,
    refuse_store_place,
)

_COUNTED = ("imported", "skipped", "unlabelled", "repeated", "vectors", "damaged", "changed_count")
_LISTED = 20  # damaged records and changed videos that a summary names


@final
class _Import:
    """An import while it runs.

    Args:
        config: what to take.
        kind: what the records are.
        names: number -> name of labels.
        writer: the open store.
        stored: id -> content hash of the videos that it had before.
    """

    def __init__(
        self,
        config: ImportConfig,
        kind: Kind,
        names: Mapping[int, str],
        writer: StoreWriter,
        stored: Mapping[str, str],
    ) -> None:
        self._config, self._kind, self._names, self._writer, self._stored = config, kind, names, writer, stored
        self._wanted = frozenset(config.labels)
        self.seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.label_counts: Counter[int] = Counter()
        self.damage: list[str] = []
        self.changed: list[str] = []

    def read(self, path: Path, tables: Sequence[LabelTable], on_read: Callable[[int], None]) -> None:
        """Import a file. `on_read` is called with the bytes of it that were read so far."""
        for number, record in enumerate(read_tfrecords(path, on_read=on_read), 1):
            if isinstance(record, Damage):
                self._note_damage(f"{path}, byte {record.offset:,}: {record.detail}")
                continue
            try:
                self._add(path, read_record(record), tables)
            except MessageError as error:
                self._note_damage(f"{path}, record {number:,}: {error}")

    def _add(self, path: Path, record: Record, tables: Sequence[LabelTable]) -> None:
        if record.is_frame_level != self._kind.is_frame_level:
            kinds = ("the whole video", "frames")
            here, first = kinds[record.is_frame_level], kinds[self._kind.is_frame_level]
            raise MessageError(f"it has vectors of {here}, and the first record of {first}")
        if record.id in self.seen:
            self.counts["repeated"] += 1
            return
        labels, segments = self._taken(record.labels), self._taken_segments(record)
        if self._is_left_out(labels, segments):
            self.seen.add(record.id)
            self.counts["unlabelled"] += 1
            return
        rows = record.rows(self._kind.dimensions, most=self._config.max_frames)
        if segments and self._config.segments and segments[-1].start_s >= len(rows):
            raise MessageError(f"a segment of it begins after {segments[-1].start_s} s, and its frames end before")
        self.seen.add(record.id)
        self._label(record.id, labels, segments, tables)
        if not self._config.segments:
            self._store(path, record.id, rows, 0)
            return
        for part in segments:
            self._store(path, _span(record.id, part), rows[part.start_s : part.end_s], part.start_s)

    def _is_left_out(self, labels: Sequence[int], segments: Sequence[Segment]) -> bool:
        if self._config.segments:
            return not segments
        return bool(self._wanted) and not (labels or segments)

    def _taken(self, labels: Sequence[int]) -> tuple[int, ...]:
        return tuple(number for number in labels if not self._wanted or number in self._wanted)

    def _taken_segments(self, record: Record) -> list[Segment]:
        parts = [
            Segment(part.start_s, part.end_s, self._taken(part.shown), self._taken(part.absent))
            for part in record.segments
        ]
        return [part for part in parts if part.shown or part.absent]

    def _label(
        self, video_id: str, labels: Sequence[int], segments: Sequence[Segment], tables: Sequence[LabelTable]
    ) -> None:
        of_videos, of_segments = tables
        if labels and not self._config.segments:
            of_videos.add(video_id, self._named(labels))
            self.label_counts.update(labels)
        for part in segments:
            of_segments.add(_span(video_id, part), self._named(part.shown), self._named(part.absent), video_id)
            if self._config.segments:
                self.label_counts.update(part.shown)

    def _named(self, labels: Sequence[int]) -> str:
        return SEPARATOR.join(self._names.get(number, str(number)) for number in labels)

    def _store(self, path: Path, video_id: str, rows: Rows, start_s: int) -> None:
        content = sha256(np.ascontiguousarray(rows).view(np.uint8).data).hexdigest()
        if video_id in self._writer.embedded:
            self.counts["skipped"] += 1
            if self._stored.get(video_id, content) != content:
                self.counts["changed_count"] += 1
                self.changed += [video_id] if len(self.changed) < _LISTED else []
            return
        count = len(rows)
        record = VideoRecord(
            id=video_id,
            content_hash=content,
            frame_count=count,
            duration_s=float(count),
            fps=1.0,
            listed_in=str(path.absolute()),
            start_s=float(start_s),
        )
        self._writer.append(record, rows, np.arange(start_s, start_s + count, dtype=np.float32))
        self.counts["imported"] += 1
        self.counts["vectors"] += count

    def _note_damage(self, text: str) -> None:
        self.counts["damaged"] += 1
        if len(self.damage) < _LISTED:
            self.damage.append(text)

    def named_counts(self) -> dict[str, int]:
        """Return label -> number of its videos, the most frequent first."""
        return {self._named([number]): count for number, count in self.label_counts.most_common()}


def import_youtube8m(
    sources: Sources,
    store: str | Path,
    config: ImportConfig | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Import YouTube-8M's TFRecords, at frame level or at video level, into a store with a label file beside it.

    At frame level the store holds the records' own bytes, one row for each second. A video that is in the store already
    is not added again, so the same call continues a run that was killed. The label file is `NAME.labels.csv`, and for
    segments `NAME.segments.csv`; videos of other files keep the rows of earlier imports there.

    Args:
        sources: TFRecord files, folders that hold `*.tfrecord`, or patterns.
        store: `NAME.h5`, or a folder of shards.
        config: what to take.
        on_progress: called with (bytes read, bytes in all) after each record.

    Raises:
        SourceError: there is no such file, no record could be read, or a package is not installed.
        StoreError: the store or a label file cannot be written, or its vectors were made in another way.
        OutputError: a file in the place of a label file is not of an earlier import.
    """
    began, config = perf_counter(), config or ImportConfig()
    files = find_tfrecords(sources)
    sizes = [path.stat().st_size for path in files]
    names = read_names(config)
    refuse_store_place(store)
    paths = label_files(store)
    for path, columns in paths.items():
        refuse_output(path, kind="a label file", recognise=recogniser(columns), inputs=files, overwrite=None)
    kind = kind_of(files, config)
    with _writer(store, provenance_of(config, kind)) as writer, ExitStack() as opened:
        work = _Import(config, kind, names, writer, _hashes_of(store))
        tables = [opened.enter_context(LabelTable(path, columns, work.seen)) for path, columns in paths.items()]
        for path, before in zip(files, np.cumsum([0, *sizes]).tolist(), strict=False):
            work.read(path, tables, _shown_from(before, sum(sizes), on_progress))
        if not work.counts["imported"] + work.counts["skipped"]:
            raise SourceError(_nothing(files, work, config))
    labels, segments = (str(table.path) if table.is_written else "" for table in tables)
    return ImportSummary(
        store=str(store),
        labels=labels,
        segments=segments,
        files=len(files),
        damage=tuple(work.damage),
        changed=tuple(work.changed),
        label_counts=work.named_counts(),
        bytes_read=sum(sizes),
        seconds=perf_counter() - began,
        **{name: work.counts[name] for name in _COUNTED},
    )


@contextmanager
def _writer(store: str | Path, provenance: Provenance) -> Iterator[StoreWriter]:
    """Open a store to write. If nothing was in it, and nothing came into it, none is made."""
    writer = StoreWriter(store, provenance)
    try:
        yield writer
    except BaseException as error:
        if writer.embedded:
            writer.__exit__(type(error), error)
        else:
            writer.stop()
        raise
    writer.close()


def _hashes_of(store: str | Path) -> dict[str, str]:
    """Return id -> content hash of the videos that are in a store."""
    if not is_store(store):
        return {}
    with EmbeddingStore(store) as opened:
        hashes = (content.decode("ascii", "replace") for content in opened.column("content_hash").tolist())
        return dict(zip(opened.ids, hashes, strict=True))


def _shown_from(before: int, total: int, on_progress: Callable[[int, int], None] | None) -> Callable[[int], None]:
    """Return what a file's progress is told to, as that of all files, of which some bytes were read before."""

    def show(done: int) -> None:
        if on_progress:
            on_progress(min(before + done, total), total)

    return show


def _span(video_id: str, part: Segment) -> str:
    """Return the id of a part of a video, as W3C's media fragments write it."""
    return f"{video_id}#t={part.start_s},{part.end_s}"


def _nothing(files: Sequence[Path], work: _Import, config: ImportConfig) -> str:
    """Return why an import has no video."""
    left_out = work.counts["unlabelled"]
    if left_out and config.segments and not config.labels:
        return f"None of {counted(left_out, 'video')} has a segment. Leave out --segments, or name files of segments."
    if left_out:
        wanted = ", ".join(map(str, config.labels))
        return f"None of {counted(left_out, 'video')} has one of the labels {wanted}. Name other labels with --labels."
    return f"No video could be read from {counted(len(files), 'file')}: {'; '.join(work.damage[:3])}."

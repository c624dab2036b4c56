"""YouTube-8M's TFRecords -> a store, and a label file beside it."""

import glob
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any, final, get_args

import numpy as np

from embed.errors import SourceError
from embed.interchange.examples import MessageError
from embed.interchange.label_tables import LabelTable, recogniser
from embed.interchange.tfrecords import Damage, read_tfrecords
from embed.interchange.vocabulary import SEPARATOR, read_vocabulary
from embed.interchange.youtube8m import (
    DIMENSIONS,
    FAMILY,
    MEAN,
    Feature,
    LabelledVectors,
    Segment,
    is_frame_level,
    read_video,
)
from embed.machine import counted, refuse_output
from embed.sources import Sources, each_source
from embed.store import (
    EncoderIdentity,
    Provenance,
    StoreWriter,
    VideoRecord,
    library_versions,
    refuse_store_place,
)
from embed.video import Preprocessing

SUFFIX = ".tfrecord"
COLUMNS: dict[str, tuple[str, ...]] = {
    "labels": ("path", "labels"),
    "segments": ("path", "start_s", "end_s", "label", "shown"),
}
"""Kind -> columns of the label files beside a store."""
_COUNTED = ("imported", "skipped", "unlabelled", "repeated", "vectors", "damaged")
_INCEPTION = Preprocessing(299, 299, "squash", "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""What the image network behind `rgb` saw. No frame is at hand to repeat it."""
_SHOWN_DAMAGE = 20


@dataclass(frozen=True)
class ImportConfig:
    """What an import takes of YouTube-8M.

    Args:
        features: the kinds of vectors, joined in this order: "rgb" (1,024 values), "audio" (128 values).
        labels: take only these labels, and only videos that have one of them; empty takes all.
        vocabulary: a file with the labels' names (`vocabulary.csv`); None names them by their numbers.
        max_frames: take only the first frames of each video, one a second; None takes all.
    """

    features: tuple[Feature, ...] = ("rgb", "audio")
    labels: tuple[int, ...] = ()
    vocabulary: str | Path | None = None
    max_frames: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in get_args(Feature)]
        if unknown or not self.features or len(set(self.features)) < len(self.features):
            raise ValueError(f"features is {','.join(self.features)!r}. Use rgb, audio, or rgb,audio.")
        if self.max_frames is not None and self.max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {self.max_frames}")


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Args:
        store, labels: the paths of the store and of its label file.
        segments: the path of the file of segments; empty if no record has any.
        files: TFRecord files that were read.
        imported: videos that were added to the store.
        skipped: videos that were in the store already, and are in the label file.
        unlabelled: videos that were left out, since they have none of the wanted labels.
        repeated: records of a video that an earlier record of these files had.
        vectors: rows that were added.
        damaged: number of records that could not be read.
        damage: the first of them: "file, byte 123: what is wrong".
        label_counts: label -> number of its videos in the label file.
        bytes_read: size of the files.
        seconds: wall time.
    """

    store: str
    labels: str
    segments: str
    files: int
    imported: int
    skipped: int
    unlabelled: int
    repeated: int
    vectors: int
    damaged: int
    damage: tuple[str, ...]
    label_counts: dict[str, int] = field(repr=False)
    bytes_read: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


@final
class _Import:
    """An import while it runs.

    Args:
        config: what to take.
        names: number -> name of labels.
        writer: the open store.
        labels, segments: the open label files.
    """

    def __init__(
        self,
        config: ImportConfig,
        names: dict[int, str],
        writer: StoreWriter,
        labels: LabelTable,
        segments: LabelTable,
    ) -> None:
        self._config, self._names, self._writer = config, names, writer
        self._labels, self._segments = labels, segments
        self._wanted = frozenset(config.labels)
        self._before = frozenset(writer.embedded)
        self._seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.label_counts: Counter[str] = Counter()
        self.damage: list[str] = []

    def read(self, path: Path, on_record: Callable[[int], None]) -> None:
        """Import a file. `on_record` is called with the size of each record."""
        for number, record in enumerate(read_tfrecords(path), 1):
            if isinstance(record, Damage):
                self._note_damage(f"{path}, byte {record.offset:,}: {record.detail}")
                continue
            try:
                self._add(path, read_video(record, self._config.features, most_frames=self._config.max_frames))
            except MessageError as error:
                self._note_damage(f"{path}, record {number:,}: {error}")
            on_record(len(record))

    def _add(self, path: Path, video: LabelledVectors) -> None:
        taken = [number for number in video.labels if not self._wanted or number in self._wanted]
        segments = [part for part in video.segments if not self._wanted or part.label in self._wanted]
        if self._wanted and not (taken or segments):
            self.counts["unlabelled"] += 1
            return
        if video.id in self._seen:
            self.counts["repeated"] += 1
            return
        self._seen.add(video.id)
        self._label(video.id, taken, segments)
        if video.id in self._before:
            self.counts["skipped"] += 1
            return
        count = len(video.vectors)
        moments = np.arange(count, dtype=np.float32)
        self._writer.append(_record(path, video), video.vectors, moments)
        self.counts["imported"] += 1
        self.counts["vectors"] += count

    def _label(self, video_id: str, labels: Sequence[int], segments: Sequence[Segment]) -> None:
        named = [self._names.get(number, str(number)) for number in labels]
        self._labels.add(video_id, SEPARATOR.join(named))
        self.label_counts.update(named)
        for part in segments:
            name = self._names.get(part.label, str(part.label))
            self._segments.add(video_id, f"{part.start_s:g}", f"{part.end_s:g}", name, int(part.is_seen))

    def _note_damage(self, text: str) -> None:
        self.counts["damaged"] += 1
        if len(self.damage) < _SHOWN_DAMAGE:
            self.damage.append(text)


def import_youtube8m(
    sources: Sources,
    store: str | Path,
    config: ImportConfig | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Import YouTube-8M's TFRecords, at frame level or at video level, into a store with a label file beside it.

    The vectors are what the records' bytes stand for, one for each second. A video that is in the store already is
    not added again, so the same call continues a run that was killed. The label file is `NAME.labels.csv`, and for
    segments `NAME.segments.csv`; videos of earlier imports keep their rows there.

    Args:
        sources: TFRecord files, folders that hold `*.tfrecord`, or patterns.
        store: `NAME.h5`, or a folder of shards.
        config: what to take.
        on_progress: called with (bytes read, bytes in all) after each record; compressed files count when they end.

    Raises:
        SourceError: there is no such file, no record could be read, or a package is not installed.
        StoreError: the store or a label file cannot be written, or its vectors were made in another way.
        OutputError: a file in the place of a label file is not of an earlier import.
    """
    began, config = perf_counter(), config or ImportConfig()
    files = find_tfrecords(sources)
    sizes = [path.stat().st_size for path in files]
    names = read_vocabulary(config.vocabulary) if config.vocabulary else {}
    provenance = _provenance(config, frame_level=_is_frame_level(files))
    refuse_store_place(store)
    tables = label_files(store)
    for path, columns in tables.items():
        refuse_output(path, kind="the labels", recognise=recogniser(columns), inputs=files, overwrite=None)
    done = 0

    def on_record(size: int) -> None:
        nonlocal done
        done += size
        if on_progress:
            on_progress(min(done, sum(sizes)), sum(sizes))

    with StoreWriter(store, provenance) as writer, ExitStack() as opened:
        labels, segments = (opened.enter_context(LabelTable(path, columns)) for path, columns in tables.items())
        work = _Import(config, names, writer, labels, segments)
        for path in files:
            work.read(path, on_record)
    if not work.counts["imported"] + work.counts["skipped"]:
        raise SourceError(_nothing(files, work, config))
    counted_labels = dict(sorted(work.label_counts.items(), key=lambda item: (-item[1], item[0])))
    return ImportSummary(
        store=str(store),
        labels=str(labels.path),
        segments=str(segments.path) if segments.is_written else "",
        files=len(files),
        damage=tuple(work.damage),
        label_counts=counted_labels,
        bytes_read=sum(sizes),
        seconds=perf_counter() - began,
        **{name: work.counts[name] for name in _COUNTED},
    )


def label_files(store: str | Path) -> dict[Path, tuple[str, ...]]:
    """Return path -> columns of the label files of a store: that of videos, and that of segments."""
    path = Path(store)
    stem = path.with_suffix("") if path.suffix.lower() in (".h5", ".hdf5") else path
    return {stem.with_name(f"{stem.name}.{kind}.csv"): columns for kind, columns in COLUMNS.items()}


def find_tfrecords(sources: Sources) -> list[Path]:
    """Return the files that sources name, in the order of the sources and then of their names.

    Raises:
        SourceError: a source names no file.
    """
    found: dict[Path, None] = {}
    for source in map(str, each_source(sources)):
        path = Path(source)
        if path.is_dir():
            named = sorted(path.rglob(f"*{SUFFIX}"))
        elif path.exists():
            named = [path]
        else:
            named = sorted(map(Path, glob.glob(source, recursive=True)))  # noqa: PTH207 (absolute patterns)
        if not named:
            what = f"folder {source} has no *{SUFFIX}" if path.is_dir() else f"source {source} does not exist"
            raise SourceError(f"The {what}. Name TFRecord files, a folder of them, or a pattern: 'train*{SUFFIX}'.")
        found |= dict.fromkeys(named)
    return list(found)


def _is_frame_level(files: Sequence[Path]) -> bool:
    """Return whether the first record that can be read is of frames.

    Raises:
        SourceError: no file has one.
    """
    problem = ""
    for path in files:
        for record in read_tfrecords(path):
            if isinstance(record, Damage):
                problem = problem or f"{path}: {record.detail}"
                continue
            try:
                return is_frame_level(record)
            except MessageError as error:
                problem = problem or f"{path}: {error}"
    said = problem or "they are empty"
    raise SourceError(f"No record of YouTube-8M is in {counted(len(files), 'file')}: {said}. Name its TFRecord files.")


def _provenance(config: ImportConfig, *, frame_level: bool) -> Provenance:
    """Return what made the vectors: their network is known by name only."""
    joined = "+".join(config.features)
    sampling: dict[str, Any] = {"name": "fps", "fps": 1.0} if frame_level else {"name": MEAN}
    if frame_level and config.max_frames:
        sampling["first_seconds"] = float(config.max_frames)
    identity = EncoderIdentity(
        family=FAMILY,
        model=f"{FAMILY}:{joined}",
        pretrained=FAMILY,
        weights_sha256="",
        dimension=sum(DIMENSIONS[name] for name in config.features),
        preprocessing=_INCEPTION,
    )
    return Provenance(identity, sampling, decoder=FAMILY, versions=library_versions())


def _record(path: Path, video: LabelledVectors) -> VideoRecord:
    count = len(video.vectors)
    content = sha256(np.ascontiguousarray(video.vectors).view(np.uint8).data).hexdigest()
    return VideoRecord(
        id=video.id,
        location=str(path.absolute()),
        content_hash=content,
        frame_count=count,
        duration_s=float(count),
        fps=1.0,
    )


def _nothing(files: Sequence[Path], work: _Import, config: ImportConfig) -> str:
    """Return why an import has no video."""
    if work.counts["unlabelled"]:
        wanted, videos = ", ".join(map(str, config.labels)), counted(work.counts["unlabelled"], "video")
        return f"None of {videos} has one of the labels {wanted}. Name other labels."
    return f"No video could be read from {counted(len(files), 'file')}: {'; '.join(work.damage[:3])}."

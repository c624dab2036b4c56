"""Write a store: append videos, commit them in pieces, merge the pieces."""

import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from embed.errors import StoreMismatch
from embed.store.parts import (
    delete_merged_parts,
    group_parts,
    is_sharded,
    last_number,
    lock_store,
    part_file,
    parts_folder,
    parts_in,
    piece_files,
    sequence_numbers,
    unlock_store,
)
from embed.store.pieces import EmbeddedVideo, Piece, merge_pieces, write_piece
from embed.store.provenance import Provenance
from embed.store.quantisation import QuantisationLoss, quantise
from embed.store.reading import EmbeddingStore
from embed.store.records import Failure, VideoRecord
from embed.store.revision import Revision
from embed.store.tables import checksum_rows, encode_text, shorten

_COMMIT_INTERVAL_S = 1.0
_COMMIT_BYTES = 64 << 20
_MERGE_COUNT = 32  # parts of one size that become one: 100,000 commits are never more than 100 files


@final
class StoreWriter:
    """Appends videos to a store, new or existing.

    Videos are committed in groups, with the first append that comes a second or more after the last commit. What is
    committed survives any crash. Leaving the `with` block commits and merges everything, also after an exception.
    After Ctrl-C it only commits, because nobody who stops a run wants to wait for a rewritten file.

    If its provenance says one byte a coefficient, `loss` tells what that has changed in the vectors appended so far.

    At its end, a run over `name.h5` rewrites the whole file beside itself: with 8 GB, this takes tens of seconds and
    8 GB of disk space. In a folder of shards, only shards that are not full are merged.

    Args:
        path: `name.h5`, or a folder of shards.
        provenance: what makes the appended vectors.
        shard_bytes: size up to which parts are merged in a folder; a part of more than half of it is not written again.

    Raises:
        StoreMismatch: the vectors of the store were made in another way.
        StoreBusy: another process is writing to it.
        StoreDamaged: it exists, but cannot be read.
        StoreError: it cannot be written. Later calls raise it too, for example if the disk is full.
    """

    def __init__(self, path: str | Path, provenance: Provenance, *, shard_bytes: int = 1 << 30) -> None:
        self.path = Path(path)
        self.provenance = provenance
        self._shard_bytes = shard_bytes if is_sharded(self.path) else sys.maxsize
        self._lock = lock_store(self.path)
        try:
            self._continue_store()
        except BaseException:
            unlock_store(self.path, self._lock)
            raise
        self.loss = QuantisationLoss()
        self._videos: list[EmbeddedVideo] = []
        self._failures: dict[str, Failure] = {}
        self._waiting_bytes = 0
        self._committed_at = time.monotonic()

    def _continue_store(self) -> None:
        self.embedded: set[str] = set()
        self.failed: dict[str, Failure] = {}
        self._next_number = 0
        delete_merged_parts(self.path)
        if not piece_files(self.path):
            return
        with EmbeddingStore(self.path) as store:
            refuse_other_provenance(self.path, store.provenance, self.provenance)
            self._know(store)
            self._next_number = last_number(self.path) + 1

    def _know(self, store: EmbeddingStore) -> None:
        self.embedded = set(store.ids)
        self.failed = {failure.id: failure for failure in store.failures}

    def append(
        self,
        record: VideoRecord,
        vectors: NDArray[np.floating] | NDArray[np.uint8],
        timestamps_s: NDArray[np.floating],
        spans_s: NDArray[np.floating] | None = None,
    ) -> None:
        """Add a video.

        Args:
            record: its id must not be in the store.
            vectors: (T, D), finite after rounding to float16. A store of one byte a coefficient also takes codes
                (uint8) as they are; of other vectors, values beyond +-2 are cut off.
            timestamps_s: (T,).
            spans_s: (T, 2) the moments of the first and the last frame behind each vector; kept where the encoder has
                more than one. None are the moments themselves.

        Raises:
            ValueError: the shapes do not fit, a value is not finite, or the id is taken or has a NUL in it.
        """
        _refuse_nul(record.id)
        times_s = self._times_of(record.id, timestamps_s, spans_s)
        dimension = self.provenance.encoder.dimension
        if np.shape(vectors) != (len(times_s), dimension):
            raise ValueError(
                f"{record.id}: vectors {np.shape(vectors)} do not fit {len(times_s)} timestamps x {dimension}"
            )
        if record.id in self.embedded:
            raise ValueError(f"{record.id} is in the store already")
        rows = self._rows_of(record.id, np.asarray(vectors))
        self.embedded.add(record.id)
        self.failed.pop(record.id, None)
        self._videos.append(EmbeddedVideo(record, rows, times_s))
        self._waiting_bytes += rows.nbytes
        self._commit_when_due()

    def append_failure(self, failure: Failure) -> None:
        """Record that a video gave no vectors. This replaces an earlier failure of the video.

        Raises:
            ValueError: the id has a NUL in it.
        """
        _refuse_nul(failure.id)
        failure = replace(failure, detail=shorten(failure.detail))
        self.failed[failure.id] = failure
        self._failures[failure.id] = failure
        self._commit_when_due()

    def revise(self, renamed: Mapping[str, VideoRecord], dropped: Collection[str]) -> frozenset[str]:
        """Give videos of the store other ids, and leave others out, in files that replace the old ones as a whole.

        A store in one file is revised at once; a folder of shards shard by shard.

        Args:
            renamed: id -> the record that replaces the video's own, under a new id or the same. Another video or
                failure under the new id is left out.
            dropped: ids of videos and failures to leave out. Unknown ones are passed over.

        Returns:
            The ids whose rows are damaged. They are not renamed.
        """
        self._write_part()
        pieces = piece_files(self.path)
        if not pieces or not (renamed or dropped):
            return frozenset()
        with EmbeddingStore(self.path) as store:
            checksums = {video_id: _checksum_as(store, video_id, record.id) for video_id, record in renamed.items()}
            whole = {key: (renamed[key], crc) for key, crc in checksums.items() if crc is not None}
            homes = {video_id: store.piece_of(video_id) for video_id in whole}
        if is_sharded(self.path):
            for piece in pieces:
                here = {video_id: new for video_id, new in whole.items() if homes[video_id] == piece}
                # What another shard renames must go from here too: an older version, or one that is replaced.
                others = {
                    video_id for old, (record, _) in whole.items() if old not in here for video_id in (old, record.id)
                }
                _revise_file(piece, Revision(here, frozenset(dropped) | others))
        else:
            revision = Revision(whole, frozenset(dropped))
            _merge_files(self.path, pieces, merged_through=self._next_number - 1, revision=revision)
        delete_merged_parts(self.path)
        with EmbeddingStore(self.path) as store:
            self._know(store)
        return frozenset(renamed.keys() - whole.keys())

    def commit(self) -> None:
        """Write everything appended so far to disk."""
        if self._write_part():
            self._merge_parts()
        self._committed_at = time.monotonic()

    def stop(self) -> None:
        """Commit and release the lock. A store in parts is read like a merged one; the next run merges it."""
        try:
            self._write_part()
        finally:
            unlock_store(self.path, self._lock)

    def close(self) -> None:
        """Commit, merge the parts, and release the lock."""
        try:
            self.commit()
            pieces = piece_files(self.path)
            if not pieces:
                write_piece(self._first_file(), self.provenance, [], [])
            elif is_sharded(self.path):
                self._merge_groups(pieces)
            elif pieces != [self.path]:
                _merge_files(self.path, pieces, merged_through=self._next_number - 1)
            delete_merged_parts(self.path)
        finally:
            unlock_store(self.path, self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.stop()
        else:
            self.close()

    def _times_of(
        self, video_id: str, timestamps_s: NDArray[np.floating], spans_s: NDArray[np.floating] | None
    ) -> NDArray[np.float32]:
        """Return the times of rows as pieces take them."""
        moments = np.asarray(timestamps_s, dtype=np.float32)
        if spans_s is not None and np.shape(spans_s) != (len(moments), 2):
            raise ValueError(f"{video_id}: spans {np.shape(spans_s)} do not fit {len(moments)} timestamps")
        if not self.provenance.has_spans:
            return moments
        spans = np.column_stack([moments, moments]) if spans_s is None else np.asarray(spans_s, dtype=np.float32)
        return np.column_stack([moments, spans])

    def _rows_of(self, video_id: str, vectors: NDArray[Any]) -> NDArray[Any]:
        """Return vectors in the type of the store's rows, and count what that cuts off."""
        is_coded = self.provenance.storage == "uint8"
        if vectors.dtype == np.uint8:
            if not is_coded:
                raise ValueError(f"{video_id}: the vectors are codes (uint8), but the store holds float16")
            return vectors
        with np.errstate(over="ignore"):
            rows = vectors.astype(np.float16)
        if not np.isfinite(rows).all():
            raise ValueError(f"{video_id}: a vector has a value that float16 cannot hold")
        if not is_coded:
            return rows
        codes = quantise(vectors)
        self.loss += QuantisationLoss.of(vectors, codes)
        return codes

    def _write_part(self) -> bool:
        """Write what waits into a new part; return True if there was anything."""
        if not (self._videos or self._failures):
            return False
        number = self._next_number
        write_piece(
            part_file(parts_folder(self.path), number, number), self.provenance, self._videos, self._waiting_failures()
        )
        self._videos, self._failures, self._waiting_bytes = [], {}, 0
        self._next_number += 1
        return True

    def _waiting_failures(self) -> list[Failure]:
        written = {video.record.id for video in self._videos}
        return [failure for failure in self._failures.values() if failure.id not in written]

    def _commit_when_due(self) -> None:
        if self._waiting_bytes >= _COMMIT_BYTES or time.monotonic() - self._committed_at >= _COMMIT_INTERVAL_S:
            self.commit()

    def _merge_parts(self) -> None:
        """Merge parts as a counter carries: every 32 parts of one size become one."""
        size = _MERGE_COUNT
        while self._next_number % size == 0:
            first = self._next_number - size
            parts = parts_in(parts_folder(self.path))
            self._merge_groups([part for part in parts if sequence_numbers(part)[0] >= first])
            size *= _MERGE_COUNT

    def _merge_groups(self, parts: Sequence[Path]) -> None:
        for group in group_parts(parts, self._shard_bytes):
            first, last = sequence_numbers(group[0])[0], sequence_numbers(group[-1])[1]
            _merge_files(part_file(parts_folder(self.path), first, last), group)
            delete_merged_parts(self.path)

    def _first_file(self) -> Path:
        return part_file(self.path, 0, 0) if is_sharded(self.path) else self.path


def refuse_other_provenance(path: Path, stored: Provenance, new: Provenance) -> None:
    """Raise StoreMismatch if a store's vectors were made in another way than new ones."""
    difference = stored.difference(new)
    if difference:
        raise StoreMismatch(
            f"{path} was made with other settings than those of this run: its {difference}. "
            "Use the settings of the store, or write to another file with -o."
        )


def _merge_files(
    target: Path, files: Sequence[Path], *, merged_through: int = -1, revision: Revision | None = None
) -> None:
    with ExitStack() as opened:
        pieces = [opened.enter_context(Piece(file)) for file in files]
        merge_pieces(target, pieces, merged_through=merged_through, revision=revision)


def _revise_file(path: Path, revision: Revision) -> None:
    """Revise one shard. One that holds nothing more stays as an empty file, since the numbers of shards have no gap."""
    with Piece(path) as piece:
        if any(revision.concerns(piece.column(table, "id")) for table in ("videos", "failures")):
            merge_pieces(path, [piece], merged_through=piece.merged_through, revision=revision)


def _refuse_nul(video_id: str) -> None:
    """Raise ValueError if an id has a NUL: columns of texts end there, so two videos would get one stored name."""
    if "\0" in video_id:
        raise ValueError(f"the id {video_id!r} has a NUL in it, which a store cannot hold")


def _checksum_as(store: EmbeddingStore, video_id: str, new_id: str) -> int | None:
    """Return the checksum of a video's rows under another id; None if they are not as they were written."""
    stored = store.read_stored(video_id)
    return None if stored.is_damaged else checksum_rows(encode_text(new_id), stored.rows, stored.times_s)

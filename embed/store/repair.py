"""Save the undamaged videos of a damaged store into a new one.

Each video is kept only if both of its checksums are right, so every saved vector is the one that was written, under the
same name. Each file of the store is read in a separate process (`embed.machine.isolation`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from embed.errors import EmbedError, StoreDamaged, StoreError, StoreMismatch
from embed.machine import read_apart
from embed.sources import RandomAccessFile
from embed.store.hdf5_reading import check_row_type, damage_of, own_dataset, read_attribute
from embed.store.merging import merge_embeddings, refuse_other_output
from embed.store.parts import has_begun, merged_through, no_store, parts_folder, parts_in, refuse_name, sequence_numbers
from embed.store.pieces import COLUMNS, check_is_piece, read_stored_column
from embed.store.provenance import Provenance
from embed.store.reading import EmbeddingStore
from embed.store.records import Failure, VideoRecord
from embed.store.tables import Columns, checksum_record, checksum_rows, decode_text, record_at
from embed.store.whole_files import folder_beside
from embed.store.writing import StoreWriter


@dataclass(frozen=True)
class RepairReport:
    """What was saved.

    Args:
        store, output: the damaged store, which is not changed, and the new one.
        kept: number of undamaged videos.
        lost: ids of damaged videos, as far as they can still be read; embed them again.
        problems: a sentence for each file of which nothing could be read.
    """

    store: str
    output: str
    kept: int
    lost: tuple[str, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def repair_embeddings(store: str | Path, output: str | Path) -> RepairReport:
    """Write a new store with every undamaged video of a damaged one.

    Args:
        store: `name.h5` or a folder of shards with changed or missing bytes, or cut off.
        output: the new store. Embed the same videos into it to replace the lost ones.

    Raises:
        StoreDamaged: nothing can be saved.
        StoreError: there is no such store, or `output` exists or cannot be written.
    """
    store, output = Path(store), Path(output)
    refuse_name(output, is_copy=True)
    files = _latest_first(store)
    if not files:
        raise StoreError(no_store(store))
    if has_begun(output):
        refuse_other_output(output)  # another store is refused by `merge_embeddings`, once its content is known
    problems: list[str] = []
    lost: set[str] = set()
    with folder_beside(output, "saved") as folder:  # the merge below has one of its own
        for file in files:
            try:
                lost |= set(read_apart(salvage_piece, file, folder / "saved"))
            except (StoreDamaged, StoreMismatch) as error:  # else the new store cannot be written
                problems.append(str(error).partition(" Run inspect-embeddings")[0])  # that command is running
        if not _has_videos(folder / "saved"):
            raise StoreDamaged(
                f"Nothing of {store} can be saved. {' '.join(problems)} Embed the videos again, into a new store."
            )
        merge_embeddings([folder / "saved"], output)
    with EmbeddingStore(output) as saved:
        lost = {video_id for video_id in lost if video_id not in saved}
        return RepairReport(str(store), str(output), len(saved), tuple(sorted(lost)), tuple(problems))


def _latest_first(store: Path) -> list[Path]:
    """Return the files of a store, damaged or not, those with the latest videos first."""
    parts = parts_in(parts_folder(store))
    if not store.is_file():
        return parts[::-1]
    try:
        through = read_apart(merged_through, store)
    except EmbedError:  # treat all its parts as later, although a killed run may have left some that are not
        through = -1
    merged = [part for part in parts if sequence_numbers(part)[0] <= through]
    return [*merged, store, *parts[len(merged) :]][::-1]


def salvage_piece(path: Path, output: Path) -> list[str]:
    """Append the undamaged videos of a damaged piece to a store, unless it has them from a later piece.

    Returns:
        The ids of the damaged videos.

    Raises:
        StoreDamaged: its structure is damaged, so that nothing can be found in it.
    """
    with damage_of(path), _opened(path) as file:
        check_is_piece(file, path)
        provenance = Provenance.from_json(json.loads(str(read_attribute(file, "provenance"))))
        videos: Columns = {
            name: read_stored_column(file, "videos", name, is_checked=False) for name in COLUMNS["videos"]
        }
        rows, times = own_dataset(file, "embeddings"), [own_dataset(file, "timestamps_s")]
        check_row_type(rows, provenance.row_type)
        if provenance.has_spans:
            times.append(own_dataset(file, "spans_s"))
        lost = []
        with StoreWriter(output, provenance) as writer:
            for index in range(min(map(len, videos.values()))):
                if not _append_if_whole(writer, videos, index, rows, times):
                    lost.append(decode_text(videos["id"][index]))
            for failure in _whole_failures(file):
                if failure.id not in writer.embedded and failure.id not in writer.failed:
                    writer.append_failure(failure)
    return lost


def _append_if_whole(
    writer: StoreWriter, videos: Columns, index: int, rows: h5py.Dataset, times: list[h5py.Dataset]
) -> bool:
    """Append a video, unless a later piece had it; return True if it is undamaged.

    Args:
        writer: of the new store.
        videos: the table of the damaged piece.
        index: the video's place in it.
        rows: all rows.
        times: their moments (N,), and their spans (N, 2) if the store has them.
    """
    first, count = int(videos["first_row"][index]), int(videos["row_count"][index])
    if first < 0 or count < 0 or first + count > len(rows):
        return False
    vectors = rows[first : first + count]
    moments, *spans = (table[first : first + count] for table in times)
    stored_id = videos["id"][index]
    times_s = np.column_stack([moments, *spans]) if spans else moments
    if checksum_rows(stored_id, vectors, times_s) != videos["crc32"][index]:
        return False
    if checksum_record(videos, index) != videos["record_crc32"][index]:
        return False
    record = record_at(VideoRecord, videos, index)
    if record.id not in writer.embedded:
        try:
            writer.append(record, vectors, moments, *spans)
        except ValueError:  # it was written by something else, with values that no vector has
            return False
    return True


def _whole_failures(file: h5py.File) -> list[Failure]:
    """Return the failures if all is well with their table: else they are tried again, which costs little."""
    columns: Columns = {}
    try:
        for name in COLUMNS["failures"]:
            columns[name] = read_stored_column(file, "failures", name)
    except (OSError, LookupError, RuntimeError, TypeError, ValueError):
        return []
    return [record_at(Failure, columns, index) for index in range(min(map(len, columns.values())))]


def _has_videos(store: Path) -> bool:
    if not parts_in(store):
        return False
    with EmbeddingStore(store) as saved:
        return len(saved) > 0


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file. One that was cut off is read as if it ended in zeros."""
    size, written = path.stat().st_size, _written_size(path)
    if size >= written:
        with h5py.File(path) as file:
            yield file
        return
    if written > 100 * size:
        raise ValueError(f"{size} bytes are left of {written}")
    with path.open("rb") as cut, h5py.File(RandomAccessFile(written, partial(_read_padded, cut)), "r") as file:
        yield file


def _written_size(path: Path) -> int:
    """Return the size in bytes that an HDF5 file had when it was closed.

    Source: HDF5 file format specification, version 2 superblock, "End of File Address".
    """
    with path.open("rb") as file:
        superblock = file.read(48)
    return int.from_bytes(superblock[28:36], "little") if superblock[8:9] == b"\x02" else 0


def _read_padded(file: IO[bytes], start: int, stop: int) -> bytes:
    """Return the bytes of a file, and zeros behind its end."""
    file.seek(start)
    return file.read(stop - start).ljust(stop - start, b"\0")

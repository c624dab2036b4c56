"""What becomes of a store's videos when their files were moved or removed: other ids, or none.

A revised file replaces the old one as a whole, so a kill leaves the old ids or the new ones, and never both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from embed.store.records import VideoRecord
from embed.store.tables import Columns, checksum_record, encode_text


@dataclass(frozen=True)
class Revision:
    """How the entries of one or more pieces are revised.

    Args:
        renamed: id -> the record that replaces the video's own, and the checksum of its rows under the new id.
        dropped: ids of videos and failures that are left out. Other entries under the new ids are left out as well.
    """

    renamed: Mapping[str, tuple[VideoRecord, int]]
    dropped: frozenset[str]

    def concerns(self, ids: NDArray[np.bytes_]) -> bool:
        """Return True if any of the ids is renamed, dropped or replaced."""
        return bool(np.isin(ids, np.array([*self._renamed_keys(), *self._dropped_keys()], dtype="S")).any())

    def of_videos(self, videos: Columns) -> tuple[Columns, NDArray[np.int64]]:
        """Return the revised table, sorted by id, and the place in the old table of each of its entries."""
        ids, renamed, dropped = videos["id"].tolist(), self._renamed_keys(), self._dropped_keys()
        kept = [at for at, stored in enumerate(ids) if stored in renamed or stored not in dropped]
        revised = {name: column[kept].tolist() for name, column in videos.items()}
        for at, old in enumerate(kept):
            if (new := renamed.get(ids[old])) is not None:
                record, revised["crc32"][at] = new
                for field in fields(record):
                    value = getattr(record, field.name)
                    revised[field.name][at] = encode_text(value) if isinstance(value, str) else value
        table = {name: np.array(cells, dtype=_dtype(videos[name])) for name, cells in revised.items()}
        order = np.argsort(table["id"], kind="stable")
        table = {name: column[order] for name, column in table.items()}
        places = np.array(kept, dtype=np.int64)[order]
        for at in range(len(places)):
            if ids[places[at]] in renamed:
                table["record_crc32"][at] = checksum_record(table, at)
        return table, places

    def of_failures(self, failures: Columns) -> Columns:
        """Return the table of failures without those that are dropped."""
        is_kept = ~np.isin(failures["id"], np.array([*self._dropped_keys()], dtype="S"))
        return {name: column[is_kept] for name, column in failures.items()}

    def _renamed_keys(self) -> dict[bytes, tuple[VideoRecord, int]]:
        return {encode_text(video_id): new for video_id, new in self.renamed.items()}

    def _dropped_keys(self) -> set[bytes]:
        replaced = {record.id for record, _ in self.renamed.values()}
        return {encode_text(video_id) for video_id in self.dropped | replaced}


def _dtype(column: NDArray[np.generic]) -> str:
    """Return the type of a column; a text's width follows from its longest entry."""
    if column.dtype.kind != "S":
        return column.dtype.str
    return "S"

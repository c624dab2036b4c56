"""The embedding store: vectors of many videos in HDF5, safe to kill while it is written.

Writing (`embed.store.writing`) commits pieces (`embed.store.pieces`), each one HDF5 file that appears by `os.replace`,
whole or not at all: a reader (`embed.store.reading`) never sees half a video, and a run that is killed loses only what
it had not committed. `embed.store.parts` says which pieces make up a store. There are two kinds, read alike:

- `name.h5`, one file: pieces lie in `name.h5.parts/` until the run ends, and are then merged into it.
- any other name, a folder of shards: pieces are merged until one is full, and stay. For large stores, since a run that
  adds to one rewrites nothing that is full.
"""

from embed.store.reading import EmbeddingStore, VideoVectors, is_store
from embed.store.tables import Failure, VideoRecord
from embed.store.writing import StoreWriter

__all__ = ["EmbeddingStore", "Failure", "StoreWriter", "VideoRecord", "VideoVectors", "is_store"]

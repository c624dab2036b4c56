"""The embedding store: vectors of many videos in HDF5, safe to kill while it is written.

Writing (`embed.store.writing`) commits pieces (`embed.store.pieces`), each one HDF5 file that appears by `os.replace`,
whole or not at all: a reader (`embed.store.reading`) never sees half a video, and a run that is killed loses only what
it had not committed. `embed.store.parts` says which pieces make up a store. There are two kinds, read alike:

- `name.h5`, one file: pieces lie in `name.h5.parts/` until the run ends, and are then merged into it.
- any other name, a folder of shards: pieces are merged until one is full, and stay. For large stores, since a run that
  adds to one rewrites nothing that is full.

In: vectors and moments of videos, their records, and failures.
Out: `EmbeddingStore` to read, `StoreWriter` to write; inspection, merging and repair of whole stores.
Read first: `reading.py`, then `pieces.py`, which says what lies in the file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

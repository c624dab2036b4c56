"""The embedding store: vectors of many videos in HDF5. A run that writes it may be killed at any moment.

Writing (`embed.store.writing`) commits pieces (`embed.store.pieces`). Each piece is one HDF5 file that appears by
`os.replace`, whole or not at all: a reader (`embed.store.reading`) never sees half a video, and a killed run loses only
what it had not committed. `embed.store.parts` finds the pieces that make up a store. There are two kinds of stores,
which are read in the same way:

- `name.h5`, one file: pieces are in `name.h5.parts/` until the run ends, and are then merged into the file.
- any other name, a folder of shards: pieces are merged until one is full, and stay there. This is for large stores,
  because a run that adds to one does not rewrite full shards.

In: vectors and moments of videos, their records, and failures.
Out: `EmbeddingStore` to read, `StoreWriter` to write; inspection, merging and repair of whole stores.
Read first: `reading.py`, then `pieces.py` for the layout of the file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

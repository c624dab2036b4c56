"""Data of other programs: into a store and out of it. So far YouTube-8M's TFRecords.

In: files of other programs, or a store.
Out: a store with a label file, or files of other programs.
Read first: `importing.py`, then `youtube8m.py` for what a record holds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""What heads learn from: labels of videos, and their split into train, validation and test.

In: a store's ids, label files (CSV, JSON lines), and vectors if near duplicates are to be found.
Out: `LabelTable`, `Split`, and the files that hold them.
Read first: `labels.py`, then `splits.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""What people say of videos that a head has labelled: kept for ever, taken back at will, learned from next time.

In: labels of videos, and who gave them, if known.
Out: what holds now, as a mapping and as a label file. The log is a SQLite file beside the store.
Read first: `log.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

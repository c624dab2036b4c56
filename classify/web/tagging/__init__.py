"""Uploads: received into files of ours, decoded in processes that can be killed, embedded, labelled, and deleted.

In: a multipart body, at most as large as the limits say.
Out: a `Job`, which anybody may follow, with the labels and moments of each file.
Read first: `tagger.py`; then `jobs.py`, `receiving.py` for the body, and `embedder.py` for the vectors.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

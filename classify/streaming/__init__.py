"""Predictions one video at a time: for sets of any size, for runs that are killed, and for folders that grow.

In: a head folder; stores, and sources of videos; a `StreamConfig`.
Out: predictions as CSV, JSON, JSON lines, Parquet or in YouTube-8M's format; moments; contact sheets; `StreamSummary`.
Read first: `predicting.py`; then `labelling.py`, which labels, and `journal.py`, by which a killed run goes on.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

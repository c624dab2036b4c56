"""The sources that a user names -> videos as local files.

In: folders, files, patterns, lists (CSV, TSV, TXT, Parquet) and links (https, s3, web pages).
Out: `Video` (id and location), and `Fetcher`, which copies remote videos here: whole files, or only the bytes needed.
Read first: `videos.py`, which turns sources into videos; then `fetching.py`, then `sparse_reading.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

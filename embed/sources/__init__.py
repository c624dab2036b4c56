"""What people name -> videos as local files.

In: folders, files, patterns, lists (CSV, TXT, Parquet), links (https, s3, pages).
Out: `Video` (id and location), and `Fetcher`, which makes local copies, whole or only the bytes that are needed.
Read first: `videos.py`, which turns names into videos; then `fetching.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
